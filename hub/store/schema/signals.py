"""What was said, by which author, and what models said of it."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Table,
    Text,
)

from hub.store.schema.types import Id, Time, Words, metadata

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
