"""The tables. Times are integer microseconds UTC, ids grow, JSON columns hold only what is never queried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Time(TypeDecorator[datetime]):
    """Aware UTC datetimes as integer microseconds: SQLite's own type loses the zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator[Any]):
    """JSON as text through msgspec, which also encodes the hub's values; never queried."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
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
    Column("connection", String(64), nullable=False),
    Column("plugin", String(64), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("realm", Text, nullable=False, server_default=""),
    Column("revision", Text, nullable=False, server_default=""),
    Column("form", String(8), nullable=False, server_default="item"),  # item | body (a webhook's body, not yet parsed)
    Column("payload", LargeBinary, nullable=False),
    Column("received_at", Time, nullable=False),
    Column("state", String(16), nullable=False, server_default="new"),
    Column("due_at", Time, nullable=False),
    Column("lease", String(64)),
    Column("lease_until", Time),
    Column(
        "losses", Integer, nullable=False, server_default="0"
    ),  # leases lost: twice runs alone, thrice is quarantined
    Column("note", Text),
    UniqueConstraint("connection", "external_id", "digest"),
)
OPEN_INBOX = ("new", "leased")
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
    Column("key", String(96), nullable=False, unique=True),
    Column("network", String(32), nullable=False),
    Column("source", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("lang", String(16)),
    Column("author_key", String(96), index=True),
    Column("conversation_key", String(96), nullable=False, index=True),
    Column("published_at", Time, nullable=False, index=True),
    Column("observed_at", Time, nullable=False),
    Column("updated_at", Time),
    Column("state", String(16), nullable=False),
    Column("revision", Text, nullable=False, server_default=""),
    Column("content_hash", String(64), nullable=False),
    Column("raw_id", Id, nullable=False),
    Column("matched", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("trace", Text, nullable=False),
)

labels = Table(
    "labels",
    metadata,
    Column("signal_key", String(96), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("model", String(64), primary_key=True),
    Column("value", String(64), nullable=False),
    Column("score", Float),
    Column("confidence", Float),
    Column("version", String(64), nullable=False, server_default=""),
    Column("by", String(16), nullable=False, server_default="enricher"),
)

authors = Table(
    "authors",
    metadata,
    Column("key", String(96), primary_key=True),
    Column("network", String(32), nullable=False),
    Column("handle", Text),
    Column("first_seen", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("body", Text, nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("key", String(96), primary_key=True),
    Column("reason", String(16), nullable=False),
    Column("at", Time, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("destination", String(64), nullable=False),
    Column("object", String(96), nullable=False),
    Column("record_key", String(96), nullable=False),
    Column("operation", String(16), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("key", String(64), nullable=False),
    Column("state", String(16), nullable=False, server_default="pending"),
    Column("due_at", Time, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease", String(64)),
    Column("lease_until", Time),
    Column("first_sent_at", Time),
    Column("settled_at", Time),
    Column("created_at", Time, nullable=False),
    Column("signal_key", String(96), index=True),
    Column("rule", String(96)),
    Column("mapping", String(96), nullable=False),
    Column("mapping_version", String(64), nullable=False),
    Column("stable", String(64), nullable=False),
    Column("key_field", String(96), nullable=False, server_default=""),
    Column("once", Json, nullable=False),
    Column("fields", Json, nullable=False),
    Column("provides", String(240), nullable=False),
    Column("remote_id", Text),
    Column("remote_url", Text),
    Column("error", Json),
    UniqueConstraint("destination", "object", "record_key", "operation", "seq"),
)
DUE_STATES = ("pending", "retry", "blocked", "parked", "uncertain")
OPEN_STATES = (*DUE_STATES, "leased", "review")
CLOSED_FOR_ORDER = ("delivered", "superseded", "discarded")
_due = text("state in ('pending','retry','blocked','parked','uncertain')")
_unclosed = text("state not in ('delivered','superseded','discarded')")
Index("ix_deliveries_due", deliveries.c.destination, deliveries.c.due_at, sqlite_where=_due, postgresql_where=_due)
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
    sqlite_where=_unclosed,
    postgresql_where=_unclosed,
)

needs = Table(
    "delivery_needs",
    metadata,
    Column("delivery_id", Id, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("need", String(240), primary_key=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_id", Id, ForeignKey("deliveries.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("lease", String(64), nullable=False),
    Column("started_at", Time, nullable=False),
    Column("finished_at", Time),
    Column("outcome", String(16)),
    Column("error", Json),
)

refs = Table(
    "refs",
    metadata,
    Column("destination", String(64), primary_key=True),
    Column("object", String(96), primary_key=True),
    Column("record_key", String(96), primary_key=True),
    Column("provides", String(240), nullable=False),
    Column("remote_id", Text, nullable=False),
    Column("url", Text),
    Index("ix_refs_provides", "destination", "provides"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("value", Json),
    Column("due_at", Time, nullable=False),
    Column("lease", String(64)),
    Column("lease_until", Time),
    Column("polled_at", Time),
    Column("error", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
)

connections = Table(
    "connections",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("paused_until", Time),
    Column("at", Time, nullable=False),
)

memories = Table(
    "memories",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Json),
)

versions = Table(
    "versions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("content", Text, nullable=False),
    Column("active_from", Time, nullable=False),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String(96), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("at", Time, nullable=False),
    Column("detail", Json),
)
