"""Every table and index, one file a noun, one MetaData. Migrations are frozen: a change here needs a revision of its own."""

from __future__ import annotations

from hub.store.schema.accounts import keys, log_in_failures, one_time_links, sessions, users
from hub.store.schema.connections import HELD, RESTORED, connections, cursors, heartbeats, memories
from hub.store.schema.conversations import aliases, conversations, merged, retired
from hub.store.schema.erasures import UNFINISHED, erasures, rechecks
from hub.store.schema.inbox import UNREAD_OF_DESTINATIONS, inbox, realms, sightings
from hub.store.schema.ledger import (
    CLOSED,
    CONVERSATION_NEED,
    DUE,
    PEOPLES_NEED,
    TROUBLED,
    UNCLOSED,
    attempts,
    deliveries,
    needs,
    of_kind,
    refs,
    written_out,
)
from hub.store.schema.monitor import alerts, arrivals, calls
from hub.store.schema.people import links, people
from hub.store.schema.signals import authors, labels, signals, tombstones
from hub.store.schema.types import EPOCH, MICROSECOND, Id, Json, Time, Words, json_text, metadata, storable
from hub.store.schema.versions import activations, audit, versions

__all__ = [
    "CLOSED",
    "CONVERSATION_NEED",
    "DUE",
    "EPOCH",
    "HELD",
    "MICROSECOND",
    "PEOPLES_NEED",
    "RESTORED",
    "TROUBLED",
    "UNCLOSED",
    "UNFINISHED",
    "UNREAD_OF_DESTINATIONS",
    "Id",
    "Json",
    "Time",
    "Words",
    "activations",
    "alerts",
    "aliases",
    "arrivals",
    "attempts",
    "audit",
    "authors",
    "calls",
    "connections",
    "conversations",
    "cursors",
    "deliveries",
    "erasures",
    "heartbeats",
    "inbox",
    "json_text",
    "keys",
    "labels",
    "links",
    "log_in_failures",
    "memories",
    "merged",
    "metadata",
    "needs",
    "of_kind",
    "one_time_links",
    "people",
    "realms",
    "rechecks",
    "refs",
    "retired",
    "sessions",
    "sightings",
    "signals",
    "storable",
    "tombstones",
    "users",
    "versions",
    "written_out",
]
