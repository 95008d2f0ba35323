"""Conversations as people keep them."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.core.access import Actor, demand
from hub.runtime import Hub
from hub.store.conversations import VALUES


def one(hub: Hub, actor: Actor, key: str) -> dict[str, Any]:
    """Return a conversation as people keep it at a destination: what was never set is null."""
    demand(actor, "conversations.see")
    row = (hub.store.conversations.get(key) if _sees(hub, actor, key) else None) or {}
    found: dict[str, Any] = msgspec.to_builtins({name: row.get(name) for name in (*VALUES, "by", "updated_at")})
    return {"key": key, **found}


def ticket(hub: Hub, actor: Actor, key: str) -> str | None:
    """Return the link of a conversation's ticket, None if it has none that a signal opened which the actor sees."""
    demand(actor, "conversations.see")
    if not _sees(hub, actor, key):
        return None
    with hub.store.database.read() as conn:
        return hub.store.outbox.ticket_urls(conn, [key], sight=actor.sight).get(key)


def _sees(hub: Hub, actor: Actor, key: str) -> bool:
    """Return True if an actor sees a signal of a conversation."""
    sight = actor.sight
    return sight.is_whole or hub.store.signals.is_seen(sight, conversation_key=key)
