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
    seen = actor.sight.is_whole or hub.store.signals.recent(limit=1, sight=actor.sight, conversation_key=key)
    row = (hub.store.conversations.get(key) if seen else None) or {}
    found: dict[str, Any] = msgspec.to_builtins({name: row.get(name) for name in (*VALUES, "by", "updated_at")})
    return {"key": key, **found}


def ticket(hub: Hub, actor: Actor, key: str) -> str | None:
    """Return the link of a conversation's ticket, None if it has none."""
    demand(actor, "conversations.see")
    with hub.store.database.read() as conn:
        return hub.store.outbox.ticket_urls(conn, [key]).get(key)
