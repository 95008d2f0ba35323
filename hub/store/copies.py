"""Rows as they are kept, out of one database and into another: read at one moment, told apart by their sums.

A row is a list of plain values (numbers, text, bytes), the same for both databases, in the order of its table's columns.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import (
    Boolean,
    Connection,
    LargeBinary,
    column,
    func,
    insert,
    inspect,
    literal,
    select,
    table,
    text,
)
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError
from sqlalchemy.types import TypeEngine

from hub.core.errors import HubError
from hub.store.database import Database, unavailable
from hub.store.schema import metadata

PAGE = 1000
MOD = 1 << 128


class NotEmpty(HubError):
    """There are rows in this database: nothing is written over them. Name an empty one."""

    exit_code = 1


class OddRow(HubError):
    """A backup holds a row that no hub writes."""

    exit_code = 1


class ColumnForm(msgspec.Struct, frozen=True):
    """A column's name, and how its values are written."""

    name: str
    kind: Literal["plain", "bytes", "boolean"] = "plain"


class TableSum(NamedTuple):
    """How many rows, and a sum of their contents that does not depend on their order."""

    rows: int
    sum: str


Forms = Mapping[str, Sequence[ColumnForm]]


class Summing:
    """Count rows and sum their contents, one by one."""

    def __init__(self) -> None:
        self._rows = self._sum = 0

    def add(self, line: bytes) -> None:
        """Take in a row as it is written."""
        self._rows += 1
        self._sum = (self._sum + int.from_bytes(sha256(line).digest()[:16])) % MOD

    def result(self) -> TableSum:
        """Return the count and the sum so far."""
        return TableSum(self._rows, f"{self._sum:032x}")


class Copies:
    """Reads all rows at one moment, and fills an empty database with them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction in which all tables are as they are at one moment, however long it reads; writers go on."""
        with unavailable(), self.database.engine.connect() as conn:
            if not self.database.is_sqlite:  # SQLite's own reading transactions are so anyway
                conn = conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)  # noqa: PLW2901 - the same connection
            with conn.begin():
                yield conn

    def forms(self, conn: Connection) -> dict[str, list[ColumnForm]]:
        """Return the hub's tables with their columns as they are in this database, parents before their children."""
        look = inspect(conn)
        there = set(look.get_table_names())
        names = [one.name for one in metadata.sorted_tables if one.name in there]
        return {name: [_form(one["name"], one["type"]) for one in look.get_columns(name)] for name in names}

    def lines(self, conn: Connection, name: str, forms: Sequence[ColumnForm]) -> Iterator[bytes]:
        """Yield a table's rows as JSON arrays, in no order; bytes are base64."""
        whole = [index for index, form in enumerate(forms) if form.kind == "boolean"]
        source = table(name, *(column(form.name) for form in forms))
        encode = msgspec.json.Encoder().encode
        for row in conn.execute(select(source), execution_options={"yield_per": PAGE}):
            values = list(row)
            for index in whole:
                values[index] = None if values[index] is None else bool(values[index])
            yield encode(values)

    def knows(self, revision: str) -> bool:
        """Return True if a revision is one of this program's."""
        from hub.store.migrations.run import revisions  # noqa: PLC0415 - Alembic is heavy

        return revision in revisions()

    @contextmanager
    def filling(self, revision: str) -> Iterator[Connection]:
        """Make the tables of a revision in an empty database, and open the transaction that fills them: all of it or nothing.

        `complete` ends the filling. Raises NotEmpty if a table has rows.
        """
        from hub.store.migrations.run import upgrade  # noqa: PLC0415 - Alembic is heavy

        with self.database.alone() as conn:
            self._clear(conn)
            upgrade(conn, revision)
            yield conn

    def complete(self, conn: Connection) -> None:
        """Bring what was filled to this program's revision, in the transaction that filled it."""
        from hub.store.migrations.run import upgrade  # noqa: PLC0415 - see above

        if not self.database.is_sqlite:
            _set_sequences(conn)
        upgrade(conn)

    def add(self, conn: Connection, name: str, forms: Sequence[ColumnForm], lines: Iterable[bytes]) -> TableSum:
        """Add rows to a table, each as `lines` yields it; returns their count and sum. Raises OddRow."""
        target = table(name, *(column(form.name) for form in forms))
        waiting, summing = iter(lines), Summing()
        while page := list(islice(waiting, PAGE)):
            for line in page:
                summing.add(line)
            try:
                conn.execute(insert(target), [_values(forms, line) for line in page])
            except (ValueError, TypeError, IntegrityError, DataError, ProgrammingError) as error:
                told = getattr(error, "orig", error)
                raise OddRow(
                    f"the table {name} of the backup has a row that no hub writes ({told}): nothing was restored"
                ) from None
        return summing.result()

    def sum_of(self, conn: Connection, name: str, forms: Sequence[ColumnForm]) -> TableSum:
        """Count and sum the rows that a table has."""
        summing = Summing()
        for line in self.lines(conn, name, forms):
            summing.add(line)
        return summing.result()

    def _clear(self, conn: Connection) -> None:
        """Drop the hub's own tables if they hold nothing. Raises NotEmpty with those that do."""
        there = set(inspect(conn).get_table_names())
        names = [one.name for one in reversed(metadata.sorted_tables) if one.name in there]
        full = [name for name in names if conn.scalar(select(literal(1)).select_from(table(name)).limit(1))]
        if full:
            raise NotEmpty(
                f"the database is not empty ({', '.join(sorted(full)[:5])} ...): nothing is written over what is there. "
                "Name an empty one in database.url, or another data folder in hub.data, and restore again"
            )
        for name in (*names, "alembic_version"):
            if name in there:
                conn.execute(text(f'DROP TABLE "{name}"'))


def _form(name: str, kind: TypeEngine[Any]) -> ColumnForm:
    if isinstance(kind, LargeBinary):
        return ColumnForm(name, "bytes")
    return ColumnForm(name, "boolean" if isinstance(kind, Boolean) else "plain")


def _values(forms: Sequence[ColumnForm], line: bytes) -> dict[str, Any]:
    row: list[Any] = msgspec.json.decode(line)
    return {
        form.name: b64decode(value, validate=True) if form.kind == "bytes" and value is not None else value
        for form, value in zip(forms, row, strict=True)
    }


def _set_sequences(conn: Connection) -> None:
    """Let PostgreSQL's counters go on behind the ids that were written."""
    for name in (one.name for one in metadata.sorted_tables if "id" in one.c):
        counter = conn.scalar(select(func.pg_get_serial_sequence(name, "id")))
        if counter:
            last = conn.scalar(select(func.max(column("id"))).select_from(table(name)))
            conn.execute(select(func.setval(counter, last or 1, last is not None)))
