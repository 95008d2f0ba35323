"""Conversations as people keep them, and those that turned out to be one."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Table,
)

from hub.store.schema.types import Json, Time, Words, metadata

conversations = Table(
    "conversations",
    metadata,
    Column("key", Words, primary_key=True),
    Column("state", Words),
    Column("assignee", Words),
    Column("tags", Json),
    Column("updated_at", Time, nullable=False),
    Column("by", Words, nullable=False),
    Column(
        "stamps", Json, nullable=False
    ),  # by name of a value: when it was set, so that a late event does not undo it
)

retired = Table(
    "retired_conversations",
    metadata,
    Column("key", Words, primary_key=True),
    Column("now", Words, nullable=False, index=True),  # the conversation that it turned out to be a part of
)

merged = Table(
    "merged_records",
    metadata,
    Column("destination", Words, primary_key=True),
    Column("object", Words, primary_key=True),
    Column("remote_id", Words, primary_key=True),
    Column("winner", Words, nullable=False),  # as it was told: that one may have been merged further
)

aliases = Table(
    "aliases",
    metadata,
    Column("alias", Words, primary_key=True),
    Column("key", Words, nullable=False),
)
