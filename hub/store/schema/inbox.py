"""What came in, as it came; and where the text of a signal also stands."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
    text,
)

from hub.store.schema.types import Id, Time, Words, metadata, partial_index

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
    ),  # item | body (a webhook's, not yet parsed) | event | change | label
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

partial_index(
    "ix_inbox_due",
    inbox.c.due_at,
    inbox.c.id,
    where=inbox.c.state == "new",
)

partial_index(
    "ix_inbox_leased",
    inbox.c.lease_until,
    where=inbox.c.state == "leased",
)

partial_index(
    "ix_inbox_failed",
    inbox.c.id,
    where=text("state in ('failed','quarantined')"),
)

sightings = Table(
    "sightings",
    metadata,
    Column("signal_key", Words, primary_key=True),
    Column("raw_id", Id, ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True, index=True),
)

partial_index(
    "ix_inbox_split",
    inbox.c.connection,
    inbox.c.received_at,
    where=inbox.c.state == "split",
)

UNREAD_OF_DESTINATIONS = text("form in ('event','change') and state in ('failed','quarantined')")

partial_index(
    "ix_inbox_unread",
    inbox.c.received_at,
    where=UNREAD_OF_DESTINATIONS,
)

realms = Table(
    "realms",
    metadata,
    Column("source", Words, primary_key=True),  # older than the rule that a source's realm is its name
    Column("realm", Words, nullable=False),
)
