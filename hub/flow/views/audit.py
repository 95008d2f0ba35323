"""The audit log: who changed what."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.core.access import Actor, NotAllowed, demand
from hub.runtime import Hub


def page(
    hub: Hub, actor: Actor, *, limit: int, before: int | None = None, by: str | None = None, **wanted: str | None
) -> list[dict[str, Any]]:
    """Return entries, newest first: id, at, actor, action, subject, detail; `wanted` may name an action and a subject."""
    _demand_whole(actor)
    found: list[dict[str, Any]] = msgspec.to_builtins(
        hub.store.audit.recent(limit=limit, before=before, actor=by, **wanted)
    )
    return found


def recent(hub: Hub, actor: Actor, *, limit: int) -> list[dict[str, Any]]:
    """Return the newest entries."""
    _demand_whole(actor)
    return hub.store.audit.recent(limit=limit)


def _demand_whole(actor: Actor) -> None:
    demand(actor, "audit.see")
    if actor.sight.sources is not None or actor.sight.brands is not None:
        raise NotAllowed(f"the audit log is of the whole hub, and {actor.name} sees a part of it")
