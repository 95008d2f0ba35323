"""Replies that wait for a person's word."""

from __future__ import annotations

from typing import Any

from hub.core.access import Actor, demand
from hub.core.reading.mask import as_seen
from hub.flow.views.names import names_near
from hub.runtime import Hub


def waiting(hub: Hub, actor: Actor) -> list[dict[str, Any]]:
    """Return the replies that wait for approval and are seen, oldest first: id, destination (the lane), signal, text."""
    demand(actor, "deliveries.see")
    rows = hub.store.outbox.matching(["approval"], sight=actor.sight)
    whole = [row for row in (hub.store.outbox.get(one["id"], sight=actor.sight) for one in rows) if row is not None]
    names = names_near(hub, actor, [row["signal_key"] for row in whole])
    waits = [
        {"id": row["id"], "destination": row["destination"], "signal": row["signal_key"], "text": row["fields"]["text"]}
        for row in whole
    ]
    return [as_seen(actor.sight, one, names.get(one["signal"], ())) for one in waits]
