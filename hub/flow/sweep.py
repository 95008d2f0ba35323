"""The sweep finds all that no bell told of: due rows, expired leases, due polls."""

from __future__ import annotations

from datetime import timedelta

import structlog

from hub.core.ledger import Lane
from hub.flow.converse.replies import hold_stranded
from hub.flow.erase.erase import finish
from hub.flow.erase.recheck import recheck_lanes, recheck_pause
from hub.flow.erase.retention import forget_unread
from hub.flow.intake.changes import watched_destinations
from hub.flow.intake.poll import interval_of, polling_sources
from hub.flow.lanes import outlet_works
from hub.runtime import Hub, book_versions

LOOK_AHEAD = timedelta(minutes=1)
log = structlog.get_logger(__name__)


def sweep(hub: Hub) -> None:
    """Take back what lost workers held, then ring for everything that is due."""
    now = hub.now()
    pull_back(hub)
    lost = hub.store.inbox.expire(now=now) + hub.store.deliveries.expire(now=now)
    if lost:
        log.warning("leases were lost", rows=lost)
    finish(hub)
    forget_unread(hub)
    ring_due(hub)


def pull_back(hub: Hub) -> None:
    """Pull back what a clock that ran ahead left too far away: looked for once a minute, and whenever the clock is set back."""
    now, last = hub.now(), hub.looked_ahead_at
    if last is not None and last <= now < last + LOOK_AHEAD:
        return
    hub.looked_ahead_at = now
    repeat = max(hub.settings.alerts.repeat, hub.settings.alerts.cooldown)
    if pulled := hub.store.ahead.pull_back(now=now, pauses=_pauses(hub), repeat=repeat):
        log.warning("the clock was set back: what was due after its time is due now", **pulled)


def _pauses(hub: Hub) -> dict[str, timedelta]:
    """Return the longest pause of each cursor between two polls that went well."""
    found = {name: interval_of(hub, name) for name in polling_sources(hub)}
    found |= {name: hub.destination(Lane.of_cursor(name).name).every for name in watched_destinations(hub)}
    return found | {name: recheck_pause(hub, Lane.of_cursor(name).name) for name in recheck_lanes(hub)}


def ring_due(hub: Hub) -> None:
    """Ring each lane that has something due."""
    now = hub.now()
    if hub.store.inbox.due(now=now):
        hub.bell.ring("process")
    paused, held = hub.store.connections.paused(now=now), hub.store.hold.get()
    for outlet in hub.store.deliveries.due(now=now):
        if not outlet_works(hub, outlet):
            if Lane.of_outlet(outlet).work == "reply":
                hold_stranded(hub, outlet)
        elif outlet not in paused and not held:
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
