"""Users, their sessions and keys, links that work once, and log-ins that failed. Of each secret only a digest is kept."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from hub.store.schema.types import Id, Json, Time, Words, metadata

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Words, nullable=False, unique=True),  # folded: one spelling a person
    Column("full_name", Words, nullable=False),
    Column("mail", Words),
    Column("role", Words, nullable=False),
    Column("sources", Json),  # null: all
    Column("brands", Json),
    Column("drafts_only", Boolean, nullable=False),
    Column("password", Text),  # Argon2id; null: none was chosen yet, or the provider asks for it
    Column("totp", Text),
    Column("totp_step", BigInteger),  # the last time step whose code was used: none works twice
    Column("recovery", Json, nullable=False),  # digests
    Column("issuer", Words),
    Column("subject", Words),
    Column("choices", Json, nullable=False),  # language, zone, keys: what the person chose
    Column("created_at", Time, nullable=False),
    Column("seen_at", Time),
    Column("disabled_at", Time),
    UniqueConstraint("issuer", "subject", name="uq_users_issuer"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", Text, nullable=False, unique=True),  # sha256
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("form_token", Text, nullable=False),
    Column("waits_for_code", Boolean, nullable=False),
    Column("made_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("until", Time, nullable=False),
    Column("address", Words, nullable=False),
    Column("browser", Words, nullable=False),
    Column("provider_session", Words),
)

keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", Text, nullable=False, unique=True),  # sha256
    Column("prefix", Text, nullable=False),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Words, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("made_at", Time, nullable=False),
    Column("until", Time),
    Column("used_at", Time),
)

one_time_links = Table(
    "one_time_links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", Text, nullable=False, unique=True),  # sha256
    Column("purpose", Words, nullable=False),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), index=True),  # null: the first admin
    Column("made_by", Words, nullable=False),
    Column("made_at", Time, nullable=False),
    Column("until", Time, nullable=False),
)

log_in_failures = Table(
    "log_in_failures",
    metadata,
    Column("subject", Words, primary_key=True),  # an account or an address, digested
    Column("count", Integer, nullable=False),
    Column("last_at", Time, nullable=False),
    Column("until", Time, nullable=False),
)
