"""What is wrong now, and when each source was heard."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    Table,
)

from hub.store.schema.types import Time, Words, metadata

alerts = Table(
    "alerts",
    metadata,
    Column("key", Words, primary_key=True),
    Column("severity", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("since", Time, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("is_known", Boolean, nullable=False),  # people were told that it is open
    Column("told_at", Time),
    Column("due_at", Time),
    Column("failures", Integer, nullable=False, server_default="0"),
)

arrivals = Table(
    "arrivals",
    metadata,
    Column("source", Words, primary_key=True),
    Column("slot", Integer, primary_key=True),  # five minutes since 1970
    Column("last_at", Time, nullable=False),
)

calls = Table(
    "calls",
    metadata,
    Column("source", Words, primary_key=True),  # empty: a name that no connection has
    Column("status", Integer, primary_key=True, autoincrement=False),
    Column("calls", BigInteger, nullable=False),
    Column("streak", BigInteger, nullable=False),  # those since a call was taken
    Column("since", Time),  # the first of them
    Column("last_at", Time, nullable=False),
)
