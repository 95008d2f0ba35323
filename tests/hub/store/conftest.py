"""Stores on one database, for what only that one can show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.store import Store, open_store


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """A migrated store on PostgreSQL."""
    opened = open_store(postgres_url)
    opened.database.migrate()
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A migrated store on SQLite."""
    opened = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    opened.database.migrate()
    yield opened
    opened.close()
