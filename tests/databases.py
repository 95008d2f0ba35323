"""Databases for tests: a migrated SQLite file to copy, a migrated PostgreSQL database to empty, engines that are kept.

To migrate a database and to compile the hub's SQL takes longer than most tests: both are done once a session.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import event
from sqlalchemy.engine import make_url

from hub.store import Store, open_store
from hub.store.database import HEAD, Database, open_database

TEMPLATE = "hub_template"


def migrate(url: str) -> None:
    """Bring the database at a URL to the newest revision and close it."""
    store = open_store(url)
    store.database.migrate()
    store.close()


class KeptDatabase(Database):
    """Serve one test after the other with one engine, whose compiled statements are kept; `close` leaves it usable."""

    path: str
    is_taken = False

    @classmethod
    def of(cls, url: str) -> KeptDatabase:
        """Make the database of a session; on SQLite its connections go to the file that `take` named last."""
        kept = cls(open_database(url).engine)
        if kept.is_sqlite:
            event.listen(kept.engine, "do_connect", kept._redirect)
        return kept

    def take(self, url: str) -> None:
        """Serve the database at a URL from now on, until `close`."""
        self.path, self.is_taken = make_url(url).database or "", True

    def close(self) -> None:
        """Close the connections to a file; those to PostgreSQL serve the next test."""
        self.is_taken = False
        if self.is_sqlite:
            self.engine.dispose()

    def _redirect(self, _dialect: object, _record: object, arguments: list[str], _named: object) -> None:
        arguments[0] = self.path


class Databases:
    """Hand out the databases of one test session (of one worker of it)."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "template.db"
        self._kept: dict[str, KeptDatabase] = {}
        migrate(f"sqlite:///{self.file}")

    def sqlite(self, path: Path) -> str:
        """Copy the migrated file to a path; returns its URL."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.file, path)
        return f"sqlite:///{path}"

    def open(self, url: str) -> Store:
        """Open the store at a URL with the kept engine of its kind; a second one at the same time has its own."""
        kept = self._kept.get(_kind(url)) or self._kept.setdefault(_kind(url), KeptDatabase.of(url))
        if kept.is_taken or not _is_served(kept, url):
            return open_store(url)
        kept.take(url)
        return Store(kept)

    def close(self) -> None:
        """End all kept engines."""
        for kept in self._kept.values():
            kept.engine.dispose()


def _kind(url: str) -> str:
    return make_url(url).get_backend_name()


def _is_served(kept: KeptDatabase, url: str) -> bool:
    """True if the kept engine reaches the database: any file, but one PostgreSQL database only."""
    return kept.is_sqlite or make_url(url).database == kept.engine.url.database


class Postgres:
    """Make, copy and empty databases of one PostgreSQL server, named by the folder of its socket."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._admin("CREATE DATABASE " + TEMPLATE)
        migrate(self.url(TEMPLATE))

    def url(self, name: str) -> str:
        """Return the URL of a database of this server."""
        return f"postgresql+psycopg://hub@/{name}?host={self.folder}"

    @contextmanager
    def fresh(self, *, template: str = "template1") -> Iterator[str]:
        """Make a database of its own, empty or migrated (`TEMPLATE`), and drop it at the end; yields its URL."""
        name = f"t{uuid4().hex[:12]}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield self.url(name)
        finally:
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    def empty(self, url: str) -> None:
        """Take out every row, start ids at 1, and put the revision right; ends sessions that still hold a lock."""
        name = make_url(url).database or ""
        with psycopg.connect(host=self.folder, user="hub", dbname=name, autocommit=True) as conn:
            conn.execute("SET lock_timeout = '1s'")
            try:
                conn.execute(EMPTY)
            except psycopg.errors.LockNotAvailable:
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                    (name,),
                )
                conn.execute(EMPTY)

    def _admin(self, statement: str) -> None:
        with psycopg.connect(host=self.folder, user="hub", dbname="postgres", autocommit=True) as conn:
            conn.execute(statement)  # type: ignore[call-overload]  # names of our own


END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
EMPTY = f"""
DO $$
DECLARE name text; used text := ''; found boolean;
BEGIN
  FOR name IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || name || ')' INTO found;
    IF found THEN used := used || ',' || name; END IF;
  END LOOP;
  IF used <> '' THEN EXECUTE 'TRUNCATE ' || substr(used, 2) || ' CASCADE'; END IF;
  FOR name IN SELECT quote_ident(sequencename) FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    EXECUTE 'ALTER SEQUENCE ' || name || ' RESTART';
  END LOOP;
  UPDATE alembic_version SET version_num = '{HEAD}' WHERE version_num <> '{HEAD}';
END $$
"""
