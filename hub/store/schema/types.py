"""Column types that both databases keep alike: times as integer microseconds UTC, text, JSON. One MetaData holds every table."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Index,
    Integer,
    MetaData,
    Text,
    TextClause,
    event,
)
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MICROSECOND = timedelta(microseconds=1)

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Time(TypeDecorator[datetime]):
    """Aware UTC datetimes as integer microseconds: SQLite's own type loses the zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return microseconds since 1970."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Return an aware time in UTC."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Words(TypeDecorator[str]):
    """Text of any length; NUL (PostgreSQL refuses it) and half surrogate pairs (both databases refuse them) become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return text that both databases take."""
        return None if value is None else storable(value)


def storable(text: str) -> str:
    """Return text that both databases take, and take alike."""
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub("\ufffd", text)


def json_text(value: Any) -> str:
    """Encode a value as JSON text, its strings storable."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_mended(msgspec.to_builtins(value))).decode()


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_mended(key): _mended(inner) for key, inner in value.items()}
    return [_mended(inner) for inner in value] if isinstance(value, list | tuple) else value


class Json(TypeDecorator[Any]):
    """JSON as text through msgspec, which also encodes the hub's values; never queried."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return JSON as text."""
        return None if value is None else json_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Return plain values."""
        return None if value is None else msgspec.json.decode(value)


Id = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def partial_index(
    name: str, *columns: ColumnElement[Any], where: ColumnElement[bool] | TextClause, unique: bool = False
) -> Index:
    """Return an index of those rows for which a condition holds.

    PostgreSQL's is told when tables are made: naming it here would load its dialect for each command that only looks.
    """
    return Index(name, *columns, unique=unique, sqlite_where=where, info={"where": where})


@event.listens_for(metadata, "before_create")
def _tell_postgresql(_: MetaData, conn: Connection, **_more: Any) -> None:
    if conn.dialect.name == "postgresql":
        for index in (index for table in metadata.tables.values() for index in table.indexes if "where" in index.info):
            index.dialect_options["postgresql"]["where"] = index.info["where"]
