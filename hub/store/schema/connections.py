"""Connections: how each stands, what it remembers, how far it was read, who works."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Integer,
    Table,
)

from hub.store.schema.types import Json, Time, Words, metadata

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
    Column("failures", Integer, nullable=False, server_default="0"),  # batches in a row that got no answer
    Column("openings", Integer, nullable=False, server_default="0"),  # of the breaker since the last answer
)

memories = Table(
    "memories",
    metadata,
    Column("connection", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("value", Json),
)

HELD = {"connection": "hub", "name": "held"}
"""Why nothing is sent now, in a memory of the hub's own: after a restore with the time of the backup."""

RESTORED = {"connection": "hub", "name": "restored"}
"""Which backup was restored last, since the hub sends again."""

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Words, primary_key=True),
    Column("role", Words, nullable=False),
    Column("at", Time, nullable=False),
    Column("detail", Json),
)
