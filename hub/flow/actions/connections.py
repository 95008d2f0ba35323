"""Connections: each one tried; if it works, its pause ends and what waited for it goes."""

from __future__ import annotations

from collections.abc import Iterator

from hub.core.access import Actor, demand
from hub.core.ledger import Lane
from hub.flow.actions.doing import doing
from hub.flow.check import Tried, try_connections
from hub.flow.lanes import free, ring_outlets
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
        lane = Lane.of_outlet(outlet)
        cursor = lane.name if lane.work == "reply" else str(Lane("changes", lane.name))
        hub.store.cursors.hurry(now=hub.now(), sources=[cursor], conn=act.conn)
        freed = free(hub, outlet, conn=act.conn)
        if freed is None:
            return
        act.note("resume", outlet, freed=freed or None)
    ring_outlets(hub, [outlet])
