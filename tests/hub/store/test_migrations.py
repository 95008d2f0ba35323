"""The schema and its revision."""

from __future__ import annotations

from hub.store.database import HEAD
from hub.store.migrations.run import newest


def test_the_program_wants_the_newest_revision() -> None:
    assert newest() == HEAD
