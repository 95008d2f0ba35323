"""A PostgreSQL store for what only several writers at once can show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.store import Store, open_store


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """A migrated store on PostgreSQL."""
    opened = open_store(postgres_url)
    opened.database.migrate()
    yield opened
    opened.close()
