"""The audit log: who changed what."""

from __future__ import annotations

from typing import Any

from hub.core.access import Actor, demand
from hub.runtime import Hub


def recent(hub: Hub, actor: Actor, *, limit: int) -> list[dict[str, Any]]:
    """Return entries, newest first: at, actor, action, subject, detail."""
    demand(actor, "audit.see")
    return hub.store.audit.recent(limit=limit)
