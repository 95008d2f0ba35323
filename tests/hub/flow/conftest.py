"""The stage of the way back, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Databases
from tests.hub.flow.desk import Stage, make_stage


@pytest.fixture
def new_stage(database_url: str, databases: Databases, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Makes hubs with a desk and a network that can be answered; see `desk`."""
    made: list[Stage] = []

    def make(**wanted: Any) -> Stage:
        made.append(make_stage(databases.open(database_url), tmp_path, **wanted))
        return made[-1]

    yield make
    for one in made:
        one.hub.close()
