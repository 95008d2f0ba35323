"""The sweep finds all that no bell told of: due rows, expired leases, due polls."""

from __future__ import annotations

import structlog

from hub.core.ledger import Lane
from hub.flow.converse.replies import hold_stranded
from hub.flow.erase.erase import finish
from hub.flow.erase.recheck import recheck_lanes
from hub.flow.erase.retention import forget_unread
from hub.flow.intake.changes import watched_destinations
from hub.flow.intake.poll import polling_sources
from hub.flow.lanes import outlet_works
from hub.runtime import Hub, book_versions

log = structlog.get_logger(__name__)


def sweep(hub: Hub) -> None:
    """Take back what lost workers held, then ring for everything that is due."""
    now = hub.now()
    lost = hub.store.inbox.expire(now=now) + hub.store.deliveries.expire(now=now)
    if lost:
        log.warning("leases were lost", rows=lost)
    finish(hub)
    forget_unread(hub)
    ring_due(hub)


def ring_due(hub: Hub) -> None:
    """Ring each lane that has something due."""
    now = hub.now()
    if hub.store.inbox.due(now=now):
        hub.bell.ring("process")
    paused = hub.store.connections.paused(now=now)
    for outlet in hub.store.deliveries.due(now=now):
        if not outlet_works(hub, outlet):
            if Lane.of_outlet(outlet).work == "reply":
                hold_stranded(hub, outlet)
        elif outlet not in paused:
            hub.bell.ring("deliver", outlet)
    polled = {*polling_sources(hub), *watched_destinations(hub), *recheck_lanes(hub)}
    for source in hub.store.cursors.due(now=now):
        if source in polled:
            hub.bell.ring("poll", source)


def prepare(hub: Hub) -> None:
    """Prepare what the scheduler needs at its start: cursors for the polled sources, versions of what is active."""
    lanes = [*polling_sources(hub), *watched_destinations(hub), *recheck_lanes(hub)]
    hub.store.cursors.declare(lanes, now=hub.now())
    hub.store.connections.remember_versions(book_versions(hub.book), now=hub.now())
