"""The tables. Times are integer microseconds UTC, ids grow, JSON columns hold only what is never queried."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    or_,
    text,
)
from sqlalchemy.types import TypeDecorator

from hub.core import ledger
from hub.core.ledger import State

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Time(TypeDecorator[datetime]):
    """Aware UTC datetimes as integer microseconds: SQLite's own type loses the zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds since 1970."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Aware UTC."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Words(TypeDecorator[str]):
    """Text of any length; NUL, which PostgreSQL refuses, and half surrogate pairs, which nobody takes, become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Text that both databases take."""
        return None if value is None else storable(value)


def storable(text: str) -> str:
    """Text that both databases take, and take alike."""
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub("\ufffd", text)


def json_text(value: Any) -> str:
    """A value as JSON text, its strings storable."""
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
        """JSON as text."""
        return None if value is None else json_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Plain values."""
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

inbox = Table(
    "inbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection", Words, nullable=False),
    Column("plugin", Words, nullable=False),
    Column("external_id", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("realm", Words, nullable=False, server_default=""),
    Column("revision", Words, nullable=False, server_default=""),
    Column(
        "form", Words, nullable=False, server_default="item"
    ),  # item | body (a webhook's, not yet parsed) | event | change
    Column("payload", LargeBinary, nullable=False),
    Column("received_at", Time, nullable=False),
    Column("state", Words, nullable=False, server_default="new"),
    Column("due_at", Time, nullable=False),
    Column("lease", Words),
    Column("lease_until", Time),
    Column(
        "losses", Integer, nullable=False, server_default="0"
    ),  # leases lost: twice runs alone, five times is quarantined
    Column("note", Words),
    # The digest covers realm and external id too, which may be longer than an index of PostgreSQL takes (2,704 bytes).
    UniqueConstraint("connection", "digest"),
)
Index(
    "ix_inbox_due",
    inbox.c.due_at,
    inbox.c.id,
    sqlite_where=inbox.c.state == "new",
    postgresql_where=inbox.c.state == "new",
)
Index(
    "ix_inbox_leased",
    inbox.c.lease_until,
    sqlite_where=inbox.c.state == "leased",
    postgresql_where=inbox.c.state == "leased",
)
Index(
    "ix_inbox_failed",
    inbox.c.id,
    sqlite_where=text("state in ('failed','quarantined')"),
    postgresql_where=text("state in ('failed','quarantined')"),
)

signals = Table(
    "signals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", Words, nullable=False, unique=True),
    Column("network", Words, nullable=False),
    Column("source", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("lang", Words),
    Column("author_key", Words, index=True),
    Column("conversation_key", Words, nullable=False, index=True),
    Column("published_at", Time, nullable=False, index=True),
    Column("observed_at", Time, nullable=False),
    Column("updated_at", Time),
    Column("state", Words, nullable=False),
    Column("revision", Words, nullable=False, server_default=""),
    Column("content_hash", Words, nullable=False),
    Column("raw_id", Id, nullable=False, index=True),
    Column("matched", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("trace", Text, nullable=False),
)

labels = Table(
    "labels",
    metadata,
    Column("signal_key", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("model", Words, primary_key=True),
    Column("value", Words, nullable=False),
    Column("score", Float),
    Column("confidence", Float),
    Column("version", Words, nullable=False, server_default=""),
    Column("by", Words, nullable=False, server_default="enricher"),
)

authors = Table(
    "authors",
    metadata,
    Column("key", Words, primary_key=True),
    Column("network", Words, nullable=False),
    Column("handle", Words),
    Column("first_seen", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("body", Text, nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("key", Words, primary_key=True),
    Column("reason", Words, nullable=False),
    Column("at", Time, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("destination", Words, nullable=False),
    Column("object", Words, nullable=False),
    Column("record_key", Words, nullable=False),
    Column("operation", Words, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("key", Words, nullable=False),
    Column("state", Words, nullable=False, server_default="pending"),
    Column("due_at", Time, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease", Words),
    Column("lease_until", Time),
    Column("first_sent_at", Time),
    Column("settled_at", Time),
    Column("created_at", Time, nullable=False),
    Column("signal_key", Words, index=True),
    Column("rule", Words),
    Column("mapping", Words, nullable=False),
    Column("mapping_version", Words, nullable=False),
    Column("stable", Words, nullable=False),
    Column("key_field", Words, nullable=False, server_default=""),
    Column("once", Json, nullable=False),
    Column("fields", Json, nullable=False),
    Column("provides", Words, nullable=False),
    Column("remote_id", Words),
    Column("remote_url", Words),
    Column("error", Json),
    # The record first: nothing else tells rows apart, and a planner without statistics would read all of an object.
    UniqueConstraint("record_key", "destination", "object", "operation", "seq"),
)


def written_out(states: Iterable[State]) -> list[ColumnElement[str]]:
    """Return states as literals: a partial index serves only where the database sees the index's own condition."""
    return [literal_column(f"'{state}'") for state in ledger.in_order(states)]


UNCLOSED = deliveries.c.state.not_in(written_out(ledger.CLOSED))
CLOSED = deliveries.c.state.in_(written_out(ledger.CLOSED))
DUE = deliveries.c.state.in_(written_out(ledger.DUE))
TROUBLED = deliveries.c.state.in_(written_out(ledger.TROUBLED))
"""The conditions of the partial indexes below, for queries that they shall serve."""
Index(
    "ix_deliveries_due",
    deliveries.c.destination,
    deliveries.c.due_at,
    deliveries.c.id,
    sqlite_where=DUE,
    postgresql_where=DUE,
)
Index(
    "ix_deliveries_leased",
    deliveries.c.lease_until,
    sqlite_where=deliveries.c.state == "leased",
    postgresql_where=deliveries.c.state == "leased",
)
Index(
    "ix_deliveries_provides",
    deliveries.c.destination,
    deliveries.c.provides,
    sqlite_where=UNCLOSED,
    postgresql_where=UNCLOSED,
)

# Counted, often and over all that ever was: an entry is written when a row is closed, and none for its way there.
Index(
    "ix_deliveries_closed",
    deliveries.c.destination,
    deliveries.c.state,
    sqlite_where=CLOSED,
    postgresql_where=CLOSED,
)
Index(
    "ix_deliveries_troubled",
    deliveries.c.state,
    deliveries.c.destination,
    deliveries.c.settled_at,
    sqlite_where=TROUBLED,
    postgresql_where=TROUBLED,
)

needs = Table(
    "delivery_needs",
    metadata,
    Column("delivery_id", Id, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("need", Words, primary_key=True),
)
CONVERSATION_NEED = "substr(need, 1, 13) = 'conversation:'"
# What was added to a ticket is asked for when its agent answers; the needs of other records are not worth an index.
_of_conversation = text(CONVERSATION_NEED)
Index("ix_needs_conversation", needs.c.need, sqlite_where=_of_conversation, postgresql_where=_of_conversation)


def of_kind(column: ColumnElement[str], *kinds: str) -> ColumnElement[bool]:
    """Return the condition that a written need is of one of these kinds."""
    return or_(*(column.startswith(f"{kind}:", autoescape=True) for kind in kinds))


attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_id", Id, ForeignKey("deliveries.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("lease", Words, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("finished_at", Time),
    Column("outcome", Words),
    Column("error", Json),
)

refs = Table(
    "refs",
    metadata,
    Column("destination", Words, primary_key=True),
    Column("provides", Words, primary_key=True),  # a comment on a ticket and the ticket may share object and key
    Column("object", Words, nullable=False),
    Column("record_key", Words, nullable=False),
    Column(
        "operation", Words, nullable=False, server_default="upsert"
    ),  # what made it: a comment's id may be a ticket's
    Column("remote_id", Words, nullable=False),
    Column("url", Words),
    Index("ix_refs_remote", "destination", "remote_id"),  # what comes back names the record by the vendor's id
)

cursors = Table(
    "cursors",
    metadata,
    Column("source", Words, primary_key=True),
    Column("value", Json),
    Column("due_at", Time, nullable=False),
    Column("lease", Words),
    Column("lease_until", Time),
    Column("polled_at", Time),
    Column("error", Words),
    Column("failures", Integer, nullable=False, server_default="0"),
)

connections = Table(
    "connections",
    metadata,
    Column("name", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("reason", Words),
    Column("paused_until", Time),
    Column("at", Time, nullable=False),  # since when it is in this state
    Column("failures", Integer, nullable=False, server_default="0"),  # batches in a row that found nobody there
    Column("openings", Integer, nullable=False, server_default="0"),  # of the breaker since the last answer
)

memories = Table(
    "memories",
    metadata,
    Column("connection", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("value", Json),
)

versions = Table(
    "versions",
    metadata,
    Column("hash", Words, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("content", Text, nullable=False),
    Column("active_from", Time, nullable=False),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Words, primary_key=True),
    Column("role", Words, nullable=False),
    Column("at", Time, nullable=False),
    Column("detail", Json),
)
