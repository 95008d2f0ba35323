"""Connections: each one tried; if it works, its pause ends and what waited for it goes."""

from __future__ import annotations

from collections.abc import Iterator

from hub.core.access import Actor, demand
from hub.core.ledger import Lane
from hub.flow.actions.doing import doing
from hub.flow.check import Tried, try_connections
from hub.flow.lanes import outlet_works, ring_outlets
from hub.runtime import Hub


def check(hub: Hub, actor: Actor) -> Iterator[Tried]:
    """Try each enabled connection, and end the pause of each outlet that works; yields what each said."""
    demand(actor, "connections.check")

    def works(lane: Lane) -> None:
        _resume(hub, actor, str(lane))

    return try_connections(hub, works)


def _resume(hub: Hub, actor: Actor, outlet: str) -> None:
    """End an outlet's pause, and let what was blocked by it go at once."""
    with doing(hub, actor, "connections.check") as act:
        if not hub.store.connections.resume(outlet, now=hub.now(), conn=act.conn):
            return
        is_on = outlet_works(hub, outlet)
        wanted = {"state": "blocked", "destination": outlet}
        freed = hub.store.outbox.retry(None, now=hub.now(), conn=act.conn, **wanted) if is_on else 0
        act.note("resume", outlet, freed=freed or None)
    ring_outlets(hub, [outlet])
