"""Stores on one database, for what only that one can show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.store import Store
from tests.databases import Databases


@pytest.fixture
def postgres_store(postgres_url: str, databases: Databases) -> Iterator[Store]:
    """A migrated store on PostgreSQL."""
    opened = databases.open(postgres_url)
    yield opened
    opened.close()
