"""The schema and its revisions."""

from __future__ import annotations

from sqlalchemy import create_engine

from hub.store import open_store
from hub.store.database import HEAD
from hub.store.migrations.run import newest
from hub.store.schema import metadata
from tests.upgrade.schema import Parts, describe


def test_the_program_wants_the_newest_revision() -> None:
    assert newest() == HEAD


def by_migrations(url: str) -> Parts:
    store = open_store(url)
    store.database.migrate()
    store.close()
    return describe(url)


def test_the_revisions_make_what_the_program_describes(own_database: str) -> None:
    found = by_migrations(own_database)
    engine = create_engine(own_database)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    engine.dispose()
    assert found == describe(own_database)
    assert {"deliveries", "signals", "inbox"} <= set(found)
