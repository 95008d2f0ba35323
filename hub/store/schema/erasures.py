"""What is gone, and what is under a duty to go."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Index,
    Table,
)

from hub.store.schema.types import Time, Words, metadata, partial_index

erasures = Table(
    "erasures",
    metadata,
    Column("key", Words, primary_key=True),
    Column("reason", Words, nullable=False),
    Column("at", Time, nullable=False),
    Column("finished_at", Time),
)

UNFINISHED = erasures.c.finished_at.is_(None)

partial_index(
    "ix_erasures_open",
    erasures.c.at,
    where=UNFINISHED,
)

rechecks = Table(
    "rechecks",
    metadata,
    Column("signal_key", Words, primary_key=True),
    Column("source", Words, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("checked_at", Time, nullable=False),
    Index("ix_rechecks_checked", "source", "checked_at"),
    Index("ix_rechecks_seen", "source", "seen_at"),
)
