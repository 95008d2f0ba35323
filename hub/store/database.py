"""One database: engines for SQLite and PostgreSQL, short transactions, and the migrations' door."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Executable,
    Insert,
    Integer,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    create_engine,
    event,
    func,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine

from hub.config.private import close_to_others, make_private_folder
from hub.core.errors import ConfigError, NewerDatabase, Problem, StoreUnavailable, WrongRevision
from hub.core.grammar.facts import did_you_mean
from hub.sdk.addresses import is_host
from hub.store.schema import json_text, storable

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

T = TypeVar("T")
Also = Callable[[Connection], None]
"""What is done in the transaction that makes a change."""
HEAD = "0004"
OUTAGES = frozenset(
    {"OperationalError", "InterfaceError", "DatabaseError"}
)  # the last by itself: no database, or a broken one
MIGRATION_LOCK = 0x48554242  # any number that no other program on this database uses
NAP_S = 0.002  # between two tries to take the write lock
# Freed space is overwritten with zeros by the write that frees it: it costs nothing that can be measured (these pages are
# written anyway), and an earlier form of a row would else stay in the file for years.
PRAGMAS = ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")


class Database:
    """An engine and its short transactions; a write on SQLite begins IMMEDIATE, so it never fails on a lock's upgrade."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(writes=True)
        self._borrower = engine.execution_options(writes=True, loosely=True)
        self._adds: dict[Table, Executable] = {}  # made once: a statement is slow to make, and each commit makes some

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite (one writer at a time), False for PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with unavailable(), self.engine.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes: all of it or nothing. Raises StoreUnavailable if the database cannot take it."""
        with unavailable(), self._writer.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def borrow(self) -> Iterator[Connection]:
        """Open a transaction for what a power cut may undo without harm: a lease of work that has no effect before it ends.

        It does not wait for the disk, but a process that dies loses nothing, and whatever `write` keeps later keeps this too.
        """
        with unavailable(), self._borrower.connect() as conn, conn.begin():
            if not self.is_sqlite:
                conn.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield conn

    @contextmanager
    def within(self, conn: Connection | None) -> Iterator[Connection]:
        """Write in the caller's transaction, or, without one, in a transaction of its own."""
        if conn is not None:
            yield conn
            return
        with self.write() as own:
            yield own

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return the dialect's insert, which knows ON CONFLICT."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - its drivers' modules are many, and SQLite needs none

        return postgresql.insert(table)

    def add_new(self, conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert rows, but leave alone what is there already; return how many were new."""
        if table not in self._adds:
            insert = self.insert_new(table)
            # The drivers differ: psycopg counts no rows of many sets of values, and sqlite3 is slower if it returns them.
            self._adds[table] = insert if self.is_sqlite else insert.returning(*table.primary_key.columns)
        done = conn.execute(self._adds[table], rows)
        return done.rowcount if self.is_sqlite else len(done.all())

    def insert_new(self, table: Table) -> Insert:
        """Return an insert that leaves rows alone that are there already."""
        return self.insert(table).on_conflict_do_nothing()

    def upsert(self, table: Table, *, index: list[str], update: list[str]) -> Insert:
        """Return an insert that updates the named columns of rows that are there already."""
        insert = self.insert(table)
        return insert.on_conflict_do_update(index_elements=index, set_={name: insert.excluded[name] for name in update})

    def migrate(self) -> None:
        """Bring the schema to this program's revision.

        Foreign keys are off until it is done, or a table's rebuild deletes children.
        Raises NewerDatabase if the schema is newer than this program. Several at once do no harm: one does it.
        """
        found = self.revision()
        if found == HEAD:
            return
        _refuse_newer(found)
        from hub.store.migrations.run import upgrade  # noqa: PLC0415 - Alembic is heavy, and a start rarely migrates

        with self.alone() as conn:
            upgrade(conn)

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Open a transaction that may change the schema: no other does so at the same time, and no foreign key is looked at."""
        with unavailable(), self._writer.connect() as conn:
            self._pragma(conn, "foreign_keys=OFF")
            try:
                with conn.begin():
                    if not self.is_sqlite:  # SQLite has begun IMMEDIATE: it is alone already
                        conn.execute(text("SELECT pg_advisory_xact_lock(:this)"), {"this": MIGRATION_LOCK})
                    yield conn
            finally:
                self._pragma(conn, "foreign_keys=ON")

    def revision(self) -> str | None:
        """Return the revision that the schema has, None if there is no schema."""
        with self.read() as conn:
            if not inspect(conn).has_table("alembic_version"):
                return None
            found: str | None = conn.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    def check_revision(self) -> None:
        """Raise WrongRevision if the schema is not this program's, NewerDatabase if it is a newer program's."""
        if (found := self.revision()) != HEAD:
            _refuse_newer(found)
            raise WrongRevision(f"the database is at revision {found}, this program needs {HEAD}: run `hub db upgrade`")

    def lost_leases(self, table: Table, *, now: datetime) -> list[str]:
        """Return the tokens of leases that ran out, or whose holder, a process of this machine, has ended."""
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
    """Open a database by its URL: `sqlite:///path` or `postgresql+psycopg://...`; the SQLite file's folder is made.

    Raises ConfigError if the URL is none of these or its driver is not installed.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    try:
        engine = create_engine(parsed, pool_size=5, max_overflow=5, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise _wrong_url(f"it needs '{error.name}'", "pip install 'hubbub[postgres]'") from None
    event.listen(engine, "connect", _prepare_postgres)
    return Database(engine)


def parse_url(url: str) -> URL:
    """Return a database's URL with its driver; `postgres://` and `postgresql://` are taken too.

    Raises ConfigError, without the URL, which may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _wrong_url("this is no database URL") from None
    if parsed.get_backend_name() in ("postgres", "postgresql"):
        return _postgresql(parsed)
    if parsed.get_backend_name() != "sqlite":
        raise _wrong_url("this is neither SQLite nor PostgreSQL")
    if parsed.host:
        raise _wrong_url("SQLite has a file and no host", f"write three slashes: sqlite:///{parsed.host}")
    if parsed.database in (None, "", ":memory:"):
        raise _wrong_url("this names no file: each process would have a database of its own", "sqlite:///FILE")
    if parsed.query:
        raise _wrong_url("SQLite takes no options behind a ?", f"sqlite:///{parsed.database}")
    return parsed


def _postgresql(url: URL) -> URL:
    """Return a PostgreSQL URL with the driver that is installed, whichever it names."""
    if not url.database:
        raise _wrong_url("this names no database", "write its name after the host: postgresql://USER@HOST/NAME")
    if url.port is not None and not 0 < url.port < 65536:
        raise _wrong_url(f"{url.port} is no port", "postgresql://USER@HOST:5432/NAME")
    if url.host and not url.host.startswith("/") and not all(map(is_host, url.host.split(","))):
        raise _wrong_url("this names no host that can be", "postgresql://USER@HOST/NAME")
    if unknown := [name for name in url.query if name not in _options()]:
        raise _wrong_url(f"'{unknown[0]}' is no option of PostgreSQL", did_you_mean(unknown[0], _options()))
    for name, value in url.query.items():
        if not _fits(name, value):
            told = ", ".join(_CHOICES.get(name, ("a whole number",)))
            raise _wrong_url(f"{name} is never what is written here", f"known: {told}")
    return url.set(drivername="postgresql+psycopg")


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
_NUMBERS = frozenset(
    {"connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)


def _fits(name: str, value: str | tuple[str, ...]) -> bool:
    """Return True if PostgreSQL's client takes an option's value, as far as that can be told without connecting."""
    last = value if isinstance(value, str) else value[-1]
    if name in _NUMBERS:
        return bool(re.fullmatch(r"\s*[+-]?\d+\s*", last))
    return last in _CHOICES.get(name, (last,))


@cache
def _options() -> frozenset[str]:
    """Return the options that an address of PostgreSQL may have."""
    from psycopg.pq import Conninfo  # noqa: PLC0415 - who keeps to SQLite needs none

    return frozenset(one.keyword.decode() for one in Conninfo.get_defaults())


def _open_sqlite(url: URL) -> Database:
    folder = Path(url.database or "").parent
    try:
        if not folder.is_dir():
            make_private_folder(folder)
    except OSError as error:
        raise StoreUnavailable(f"the database's folder cannot be made: {error}") from None
    engine = create_engine(url, pool_size=8, max_overflow=8, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine)


def _refuse_newer(found: str | None) -> None:
    if found is not None and found > HEAD:
        raise NewerDatabase(
            f"the database is at revision {found}, this program knows {HEAD}: a newer Hubbub has upgraded it. Install that "
            "version again, or go back with `hub restore` to the backup from before the upgrade, into an empty database"
        )


def _wrong_url(message: str, hint: str = "sqlite:///FILE or postgresql://USER@HOST/NAME") -> ConfigError:
    # The URL itself may hold a password.
    return ConfigError([Problem("config.toml", "database.url", message, hint)])


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn the drivers' operational errors into StoreUnavailable; what is a bug stays as it is."""
    try:
        yield
    except PoolExhausted as error:
        raise StoreUnavailable(f"the database cannot take it now: {error}") from error
    except DBAPIError as error:
        text = str(error.orig)
        if error.connection_invalidated or type(error).__name__ in OUTAGES:
            raise StoreUnavailable(f"the database cannot take it now: {text}") from error
        raise


def is_empty(conn: Connection, table: Table) -> bool:
    """Return True if a table is empty: many hubs never use some, and to look there for a batch's keys costs much more."""
    return conn.execute(_FIRST.select_from(table)).first() is None


_FIRST = select(literal(1)).limit(1)
CHUNK = 500


class _Keys(TypeDecorator[Sequence[Any]]):
    """Many keys as one parameter: an array, or JSON if the database has no arrays."""

    impl = Text
    cache_ok = True

    def __init__(self, item: type[Text | BigInteger]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the database's own type."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.item))

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        """Return the keys as the columns hold them."""
        keys = [storable(key) if isinstance(key, str) else key for key in value or ()]
        return json_text(keys) if dialect.name == "sqlite" else keys


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Return it as it is: a dialect without booleans would append `= 1`, and no index would serve any more."""
        return self


@compiles(_Among)
def _as_array(among: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(one, **options) for one in among.clauses)
    return f"({column} = ANY({keys}))"


@compiles(_Among, "sqlite")
def _as_json(among: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(one, **options) for one in among.clauses)
    return f"({column} IN (SELECT value FROM json_each({keys})))"  # noqa: S608 - names and a placeholder


def among(column: ColumnElement[Any], keys: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is one of the keys, bound as one parameter: one for each takes longer to render."""
    item = BigInteger if isinstance(column.type, Integer) else Text
    return _Among(column, bindparam(None, keys, type_=_Keys(item), unique=True))


def chunks(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split the keys into parts that one statement can take."""
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _place() -> str:
    """Return in which place process ids are unique: this machine since its boot, and its namespace (containers share names)."""
    marks = [socket.gethostname()]
    with contextlib.suppress(OSError):  # Linux only
        marks += [Path("/proc/sys/kernel/random/boot_id").read_text("ascii"), str(Path("/proc/self/ns/pid").readlink())]
    return sha256("\n".join(marks).encode()).hexdigest()[:8]


_HOST = _place()


def lease_token() -> str:
    """Return a token that names one claim, and the process that holds it: `host-pid-random`."""
    return f"{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"


def holder_is_gone(token: str) -> bool:
    """Return True if a process of this machine held the lease and has ended (another machine's is never judged)."""
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
    (_, _, file), *_others = dbapi.execute("PRAGMA database_list").fetchall()
    for ending in ("", "-wal", "-shm") if file else ():
        # SQLite gives the log and the index beside a new file the file's own rights.
        close_to_others(Path(f"{file}{ending}"))
    try:
        for pragma in PRAGMAS:
            with contextlib.closing(dbapi.cursor()) as cursor:
                _execute_patiently(cursor, f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as error:
        # SQLite says it, the file is not looked into: a process loses all its locks on a file when it closes any handle to it.
        if "not a database" not in str(error):
            raise
        raise sqlite3.DatabaseError(f"{file} is not a database: put it away, or name another in database.url") from None


def _prepare_postgres(dbapi: Any, _record: Any) -> None:
    # The hub's queries are short; if a planner without statistics thinks otherwise, it compiles them for longer than they run.
    with contextlib.closing(dbapi.cursor()) as cursor:
        cursor.execute("SET jit = off")
    dbapi.commit()


def _execute_patiently(cursor: Any, statement: str) -> None:
    # The change to WAL needs the whole file, and two that both hold a part of it are told "locked" at once, whatever
    # busy_timeout says: https://www.sqlite.org/c3ref/busy_handler.html. Only a new file's first moments see it.
    for pause in (*([0.02] * 250), None):
        try:
            cursor.execute(statement)
            break
        except sqlite3.OperationalError as error:
            if pause is None or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
        time.sleep(pause)


def _begin_sqlite(conn: Connection) -> None:
    options = conn.get_execution_options()
    if not options.get("writes"):
        conn.exec_driver_sql("BEGIN")
        return
    raw = conn.connection.dbapi_connection
    assert raw is not None
    with contextlib.closing(raw.cursor()) as cursor:
        cursor.execute(f"PRAGMA synchronous={'NORMAL' if options.get('loosely') else 'FULL'}")
        if not _begin_alone(cursor):
            conn.exec_driver_sql("BEGIN IMMEDIATE")  # the last try, whose error SQLAlchemy tells


def _begin_alone(cursor: Any) -> bool:
    """Take the write lock within the connection's busy_timeout, with a try every few milliseconds; True if it was taken.

    SQLite's own wait naps for up to 100 ms between two looks, and so misses each gap of a writer that commits all the time.
    """
    (patience_ms,) = cursor.execute("PRAGMA busy_timeout").fetchone()
    end = time.monotonic() + patience_ms / 1000
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < end:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
                time.sleep(NAP_S)
            else:
                return True
    finally:
        cursor.execute(f"PRAGMA busy_timeout={patience_ms}")
    return False
