"""One database: engines for SQLite and PostgreSQL, short transactions, and the migrations' door."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, func, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from hub.core.errors import HubError

T = TypeVar("T")
_HOST = sha256(socket.gethostname().encode()).hexdigest()[:8]
HEAD = "0001"
PRAGMAS = ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


class StoreUnavailable(HubError):
    """The database cannot take it now (locked, full, or away): try again later."""


class WrongRevision(HubError):
    """The database has another revision than this program: run `hub db upgrade`."""


class Database:
    """An engine and its short transactions; a write on SQLite begins IMMEDIATE, so it never fails on a lock's upgrade."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(writes=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite (one writer at a time) rather than PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with unavailable(), self.engine.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: all of it or nothing. Raises StoreUnavailable where the database cannot take it."""
        with unavailable(), self._writer.connect() as conn, conn.begin():
            yield conn

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """The dialect's insert, which knows ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def insert_new(self, table: Table) -> Insert:
        """An insert that leaves rows alone that are there already."""
        return self.insert(table).on_conflict_do_nothing()

    def upsert(self, table: Table, *, index: list[str], update: list[str]) -> Insert:
        """An insert that updates the named columns of rows that are there already."""
        insert = self.insert(table)
        return insert.on_conflict_do_update(index_elements=index, set_={name: insert.excluded[name] for name in update})

    def migrate(self) -> None:
        """Bring the schema to this program's revision; foreign keys are off meanwhile, or a table's rebuild deletes children."""
        if self.revision() == HEAD:
            return
        from hub.store.migrations.run import upgrade  # noqa: PLC0415 - Alembic is heavy, and a start rarely migrates

        with self.engine.connect() as conn:
            self._pragma(conn, "foreign_keys=OFF")
            with conn.begin():
                upgrade(conn)
            self._pragma(conn, "foreign_keys=ON")

    def revision(self) -> str | None:
        """The revision that the schema has, None where there is no schema."""
        with self.read() as conn:
            if not inspect(conn).has_table("alembic_version"):
                return None
            found: str | None = conn.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    def check_revision(self) -> None:
        """Raise WrongRevision where the schema is not this program's."""
        if (found := self.revision()) != HEAD:
            raise WrongRevision(f"the database is at revision {found}, this program needs {HEAD}: run `hub db upgrade`")

    def lost_leases(self, table: Table, *, now: datetime) -> list[str]:
        """The tokens of leased rows whose time has run out, or whose holder, a process of this machine, is no more."""
        held = (
            select(table.c.lease, func.min(table.c.lease_until))
            .where(table.c.state == "leased")
            .group_by(table.c.lease)
        )
        with self.read() as conn:
            return [token for token, until in conn.execute(held) if until < now or holder_is_gone(token)]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _pragma(self, conn: Connection, pragma: str) -> None:
        if self.is_sqlite:
            raw = conn.connection.dbapi_connection
            assert raw is not None
            raw.cursor().execute(f"PRAGMA {pragma}")


def open_database(url: str) -> Database:
    """A database by its URL: `sqlite:///path` or `postgresql+psycopg://...`; the SQLite file's folder is made."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, pool_size=8, max_overflow=8)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return Database(engine)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return Database(create_engine(parsed, pool_size=5, max_overflow=5, pool_pre_ping=True))


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn the drivers' operational errors into StoreUnavailable; what is a bug stays as it is."""
    try:
        yield
    except DBAPIError as error:
        text = str(error.orig)
        if error.connection_invalidated or type(error).__name__ in {"OperationalError", "InterfaceError"}:
            raise StoreUnavailable(f"the database cannot take it now: {text}") from error
        raise


CHUNK = 500


def chunks(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """The keys in parts that one statement can take."""
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def lease_token() -> str:
    """A token that names one claim, and the process that holds it: `host-pid-random`."""
    return f"{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"


def holder_is_gone(token: str) -> bool:
    """Whether a lease was held by a process of this machine that is no more (another machine's is never judged)."""
    host, pid, _ = token.split("-")
    if host != _HOST:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _prepare_sqlite(dbapi: Any, _record: Any) -> None:
    dbapi.isolation_level = None
    for pragma in PRAGMAS:
        with contextlib.closing(dbapi.cursor()) as cursor:
            cursor.execute(f"PRAGMA {pragma}")


def _begin_sqlite(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("writes") else "BEGIN")
