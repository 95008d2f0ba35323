"""Deliveries, what they need, their attempts, and the records that they made."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    literal_column,
    or_,
    text,
)

from hub.core import ledger
from hub.core.ledger import State
from hub.store.schema.types import Id, Json, Time, Words, metadata, partial_index

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

partial_index(
    "ix_deliveries_due",
    deliveries.c.destination,
    deliveries.c.due_at,
    deliveries.c.id,
    where=DUE,
)

partial_index(
    "ix_deliveries_leased",
    deliveries.c.lease_until,
    where=deliveries.c.state == "leased",
)

partial_index(
    "ix_deliveries_provides",
    deliveries.c.destination,
    deliveries.c.provides,
    where=UNCLOSED,
)

# Counted, often and over all that ever was: an entry is written when a row is closed, and none for its way there.
partial_index(
    "ix_deliveries_closed",
    deliveries.c.destination,
    deliveries.c.state,
    where=CLOSED,
)

partial_index(
    "ix_deliveries_troubled",
    deliveries.c.state,
    deliveries.c.destination,
    deliveries.c.settled_at,
    where=TROUBLED,
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

partial_index(
    "ix_needs_conversation",
    needs.c.need,
    where=_of_conversation,
)


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

PEOPLES_NEED = "(substr(provides, 1, 7) = 'person:' or substr(provides, 1, 8) = 'account:')"

# What stands for people is asked for by their keys; the many other records are not looked up so.
_of_people = text(PEOPLES_NEED)

partial_index(
    "ix_refs_people",
    refs.c.record_key,
    where=_of_people,
)
