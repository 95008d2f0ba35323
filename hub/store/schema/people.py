"""People and the links from authors to them."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    Table,
    text,
)

from hub.store.schema.types import Id, Json, Time, Words, metadata, partial_index

people = Table(
    "people",
    metadata,
    Column("key", Words, primary_key=True),
    Column("merged_into", Words, index=True),
    Column("account", Words, index=True),
    Column("created_at", Time, nullable=False),
    Column("body", Json, nullable=False),
)

links = Table(
    "identity_links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("author_key", Words, nullable=False),
    Column("person_key", Words, nullable=False, index=True),
    Column("basis", Words, nullable=False),
    Column("evidence", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("at", Time, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("revoked_at", Time),
)

# An author is at most one person at a time; links that were revoked stay, as the history.
partial_index(
    "uq_links_active",
    links.c.author_key,
    unique=True,
    where=text("revoked_at is null"),
)
