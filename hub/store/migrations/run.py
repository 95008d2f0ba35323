"""Alembic, run on a connection that is already open."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(conn: Connection, revision: str = "head") -> None:
    """Bring the schema to a revision (the newest), inside the caller's transaction."""
    command.upgrade(_config(conn), revision)


def _config(conn: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "hub.store:migrations")
    config.attributes["connection"] = conn
    return config


def newest() -> str | None:
    """Return the newest revision that the scripts know."""
    return _scripts().get_current_head()


def revisions() -> frozenset[str]:
    """Return all revisions that the scripts know."""
    return frozenset(script.revision for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
