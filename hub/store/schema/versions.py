"""Rules, topics and mappings by hash, those that are active, and who changed what."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Table,
    Text,
)

from hub.store.schema.types import Id, Json, Time, Words, metadata

versions = Table(
    "versions",
    metadata,
    Column("hash", Words, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("content", Text, nullable=False),
    Column("active_from", Time, nullable=False),
)

activations = Table(
    "activations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Time, nullable=False),
    Column("actor", Words, nullable=False),
    Column("book", Json, nullable=False),  # the hashes of its rules, topics and mappings
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Time, nullable=False, index=True),
    Column("actor", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("detail", Json),
)
