"""The first schema: what 0.2.0 makes. Frozen: it describes the tables by itself, whatever the program's own become later."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _where(condition: str) -> dict[str, Any]:
    """Return the condition of a partial index for both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Make all tables and indexes."""
    _inbox()
    _signals()
    _people()
    _conversations()
    _deliveries()
    _needs_attempts_refs()
    _erasures()
    _connections()
    _monitor()
    _versions()


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("realm", sa.Text(), server_default="", nullable=False),
        sa.Column("revision", sa.Text(), server_default="", nullable=False),
        sa.Column("form", sa.Text(), server_default="item", nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="new", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("losses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("connection", "digest", name="uq_inbox_connection"),
    )
    op.create_index("ix_inbox_due", "inbox", ["due_at", "id"], **_where("state = 'new'"))
    op.create_index("ix_inbox_failed", "inbox", ["id"], **_where("state in ('failed','quarantined')"))
    op.create_index("ix_inbox_leased", "inbox", ["lease_until"], **_where("state = 'leased'"))
    op.create_index("ix_inbox_split", "inbox", ["connection", "received_at"], **_where("state = 'split'"))
    op.create_index(
        "ix_inbox_unread",
        "inbox",
        ["received_at"],
        **_where("form in ('event','change') and state in ('failed','quarantined')"),
    )
    op.create_table(
        "sightings",
        sa.Column("signal_key", sa.Text(), nullable=False),
        sa.Column("raw_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["raw_id"], ["inbox.id"], name="fk_sightings_raw_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("signal_key", "raw_id", name="pk_sightings"),
    )
    op.create_index("ix_sightings_raw_id", "sightings", ["raw_id"])


def _signals() -> None:
    op.create_table(
        "authors",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=True),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_authors"),
    )
    op.create_table(
        "labels",
        sa.Column("signal_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("by", sa.Text(), server_default="enricher", nullable=False),
        sa.PrimaryKeyConstraint("signal_key", "name", "model", name="pk_labels"),
    )
    op.create_table(
        "signals",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=True),
        sa.Column("author_key", sa.Text(), nullable=True),
        sa.Column("conversation_key", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), server_default="", nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("raw_id", ID, nullable=False),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signals"),
        sa.UniqueConstraint("key", name="uq_signals_key"),
    )
    op.create_index("ix_signals_author_key", "signals", ["author_key"])
    op.create_index("ix_signals_conversation_key", "signals", ["conversation_key"])
    op.create_index("ix_signals_published_at", "signals", ["published_at"])
    op.create_index("ix_signals_raw_id", "signals", ["raw_id"])
    op.create_table(
        "tombstones",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_tombstones"),
    )


def _people() -> None:
    op.create_table(
        "identity_links",
        sa.Column("id", ID, nullable=False),
        sa.Column("author_key", sa.Text(), nullable=False),
        sa.Column("person_key", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_identity_links"),
    )
    op.create_index("ix_identity_links_person_key", "identity_links", ["person_key"])
    op.create_index("uq_links_active", "identity_links", ["author_key"], unique=True, **_where("revoked_at is null"))
    op.create_table(
        "people",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_people"),
    )
    op.create_index("ix_people_account", "people", ["account"])
    op.create_index("ix_people_merged_into", "people", ["merged_into"])


def _conversations() -> None:
    op.create_table(
        "aliases",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alias", name="pk_aliases"),
    )
    op.create_table(
        "conversations",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("stamps", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_conversations"),
    )
    op.create_table(
        "merged_records",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("winner", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "object", "remote_id", name="pk_merged_records"),
    )
    op.create_table(
        "retired_conversations",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("now", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_retired_conversations"),
    )
    op.create_index("ix_retired_conversations_now", "retired_conversations", ["now"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("first_sent_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signal_key", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.Column("stable", sa.Text(), nullable=False),
        sa.Column("key_field", sa.Text(), server_default="", nullable=False),
        sa.Column("once", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("provides", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("remote_url", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("record_key", "destination", "object", "operation", "seq", name="uq_deliveries_record_key"),
    )
    op.create_index(
        "ix_deliveries_closed",
        "deliveries",
        ["destination", "state"],
        **_where("state IN ('delivered', 'discarded', 'superseded')"),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["destination", "due_at", "id"],
        **_where("state IN ('pending', 'retry', 'blocked', 'parked', 'uncertain')"),
    )
    op.create_index("ix_deliveries_leased", "deliveries", ["lease_until"], **_where("state = 'leased'"))
    op.create_index(
        "ix_deliveries_provides",
        "deliveries",
        ["destination", "provides"],
        **_where("(state NOT IN ('delivered', 'discarded', 'superseded'))"),
    )
    op.create_index("ix_deliveries_signal_key", "deliveries", ["signal_key"])
    op.create_index(
        "ix_deliveries_troubled",
        "deliveries",
        ["state", "destination", "settled_at"],
        **_where("state IN ('approval', 'retry', 'blocked', 'parked', 'uncertain', 'review', 'dead')"),
    )


def _needs_attempts_refs() -> None:
    op.create_table(
        "refs",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("provides", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), server_default="upsert", nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("destination", "provides", name="pk_refs"),
    )
    op.create_index(
        "ix_refs_people",
        "refs",
        ["record_key"],
        **_where("(substr(provides, 1, 7) = 'person:' or substr(provides, 1, 8) = 'account:')"),
    )
    op.create_index("ix_refs_remote", "refs", ["destination", "remote_id"])
    op.create_table(
        "attempts",
        sa.Column("id", ID, nullable=False),
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="fk_attempts_delivery_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_delivery_id", "attempts", ["delivery_id"])
    op.create_table(
        "delivery_needs",
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("need", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name="fk_delivery_needs_delivery_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "need", name="pk_delivery_needs"),
    )
    op.create_index(
        "ix_needs_conversation", "delivery_needs", ["need"], **_where("substr(need, 1, 13) = 'conversation:'")
    )


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_erasures"),
    )
    op.create_index("ix_erasures_open", "erasures", ["at"], **_where("finished_at IS NULL"))
    op.create_table(
        "rechecks",
        sa.Column("signal_key", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("signal_key", name="pk_rechecks"),
    )
    op.create_index("ix_rechecks_checked", "rechecks", ["source", "checked_at"])
    op.create_index("ix_rechecks_seen", "rechecks", ["source", "seen_at"])


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("openings", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_connections"),
    )
    op.create_table(
        "cursors",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("polled_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_cursors"),
    )
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_heartbeats"),
    )
    op.create_table(
        "memories",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("connection", "name", name="pk_memories"),
    )


def _monitor() -> None:
    op.create_table(
        "alerts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("is_known", sa.Boolean(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_alerts"),
    )
    op.create_table(
        "arrivals",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "slot", name="pk_arrivals"),
    )


def _versions() -> None:
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "versions",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("active_from", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_versions"),
    )
