"""Replies that wait for a person's word."""

from __future__ import annotations

from typing import Any

from hub.core.access import Actor, demand
from hub.runtime import Hub


def waiting(hub: Hub, actor: Actor) -> list[dict[str, Any]]:
    """Return the replies that wait for approval, oldest first: id, destination (the lane), signal, text."""
    demand(actor, "deliveries.see")
    rows = hub.store.outbox.matching(["approval"])
    whole = [row for row in (hub.store.outbox.get(one["id"]) for one in rows) if row is not None]
    return [
        {"id": row["id"], "destination": row["destination"], "signal": row["signal_key"], "text": row["fields"]["text"]}
        for row in whole
    ]
