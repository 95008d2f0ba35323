"""The sweep finds all that no bell told of: due rows, expired leases, due polls."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import structlog

from hub.core.errors import Overtaken
from hub.core.ledger import Lane, Work
from hub.flow.converse.replies import hold_stranded
from hub.flow.erase.erase import finish
from hub.flow.erase.recheck import recheck_lanes
from hub.flow.erase.retention import forget_unread
from hub.flow.intake.changes import watched_destinations
from hub.flow.intake.poll import polling_sources
from hub.flow.lanes import free, outlet_works, outlets, place_of_outlet
from hub.runtime import Hub, book_versions

log = structlog.get_logger(__name__)


def sweep(hub: Hub) -> None:
    """Take back what lost workers held, then ring for everything that is due."""
    now = hub.now()
    lost = hub.store.inbox.expire(now=now) + hub.store.deliveries.expire(now=now)
    if lost:
        log.warning("leases were lost", rows=lost)
    take_up_secrets(hub)
    finish(hub)
    forget_unread(hub)
    ring_due(hub)


def take_up_secrets(hub: Hub) -> None:
    """Let what waited for a connection go as soon as the files of its secrets have changed."""
    polled_lanes(hub)  # they are read again when their connections are asked for
    while hub.renewed:
        table, name = hub.renewed.pop()
        hub.store.cursors.hurry(now=hub.now(), sources=_cursors(table, name))
        free(hub, str(Lane("deliver" if table == "destinations" else "reply", name)))


def _cursors(table: str, name: str) -> list[str]:
    works: tuple[Work, ...] = ("changes",) if table == "destinations" else ("poll", "recheck")
    return [str(Lane(work, name)) for work in works]


def ring_due(hub: Hub) -> None:
    """Ring each lane that has something due; what waits for a source that is off is told to its agents."""
    for lane in due_lanes(hub):
        hub.bell.ring(*lane)
    for outlet in hub.store.deliveries.due(now=hub.now()):
        if Lane.of_outlet(outlet).work == "reply" and not outlet_works(hub, outlet):
            _hold(hub, outlet)


def _hold(hub: Hub, outlet: str) -> None:
    """Let the replies of a lane that is off stand as blocked; if others are at work on them, at the next tick."""
    try:
        hold_stranded(hub, outlet)
    except Overtaken as error:
        log.warning("replies of a source that is off could not be told now", lane=outlet, error=str(error))


def due_lanes(hub: Hub, steps: Collection[str] = ("process", "deliver", "poll")) -> Iterator[tuple[str, str]]:
    """Yield each lane of these steps that has something due: (step, connection)."""
    now = hub.now()
    if "process" in steps and hub.store.inbox.due(now=now):
        yield "process", ""
    if "deliver" in steps:
        paused = hub.store.connections.paused(now=now)
        for outlet in hub.store.deliveries.due(now=now):
            if outlet_works(hub, outlet) and outlet not in paused and place_of_outlet(outlet) not in hub.broken:
                yield "deliver", outlet
    if "poll" in steps:
        polled = frozenset(polled_lanes(hub))
        yield from (("poll", lane) for lane in hub.store.cursors.due(now=now) if lane in polled)


def polled_lanes(hub: Hub) -> list[str]:
    """Return all cursors that are read: of sources, of destinations that tell of changes, of posts that are looked for again."""
    return [*polling_sources(hub), *watched_destinations(hub), *recheck_lanes(hub)]


def is_lane(hub: Hub, step: str, connection: str) -> bool:
    """Return True if a step works on such a lane; workers ask for what they were rung for, since others may write to Redis."""
    if step == "deliver":
        return connection in outlets(hub)
    return connection in polled_lanes(hub) if step == "poll" else (step, connection) == ("process", "")


def prepare(hub: Hub) -> None:
    """Prepare what the scheduler needs at its start: cursors for the polled sources, versions of what is active.

    What a plugin's bug or a refused credential holds up is tried at once: both may be mended by now.
    """
    hub.store.cursors.declare(polled_lanes(hub), now=hub.now())
    hub.store.cursors.hurry(now=hub.now(), after=("bug:", "Unauthorised"))
    for outlet in hub.store.figures.blocked():
        free(hub, outlet)
    hub.store.connections.remember_versions(book_versions(hub.book), now=hub.now())
