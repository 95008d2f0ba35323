"""The sweep finds all that no bell told of: due rows, expired leases, due polls."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from itertools import chain

from hub.config.logs import LateLogger
from hub.core.errors import Overtaken
from hub.core.ledger import Lane, Work
from hub.flow.accounts import entrance
from hub.flow.activation import begin, complete
from hub.flow.converse.replies import hold_stranded
from hub.flow.converse.selves import wants_self
from hub.flow.erase.erase import finish
from hub.flow.erase.recheck import recheck_lanes, recheck_pause
from hub.flow.erase.retention import forget_unread
from hub.flow.intake.changes import watched_destinations
from hub.flow.intake.poll import interval_of, polling_sources, usable_destination
from hub.flow.lanes import free, outlet_works, outlets, place_of_outlet
from hub.runtime import Hub

LOOK_AHEAD = timedelta(minutes=1)
log = LateLogger(__name__)


def sweep(hub: Hub) -> None:
    """Take back what lost workers held, then ring for everything that is due."""
    now = hub.now()
    pull_back(hub)
    lost = hub.store.inbox.expire(now=now) + hub.store.deliveries.expire(now=now)
    if lost:
        log.warning("leases were lost", rows=lost)
    take_up_secrets(hub)
    complete(hub)
    finish(hub)
    forget_unread(hub)
    entrance.sweep(hub)
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
    if "deliver" in steps and not hub.store.hold.get():
        paused = hub.store.connections.paused(now=now)
        due = list(hub.store.deliveries.due(now=now))
        # One after the other: to look who is a stranger makes what was broken, and would hide that it is due to be tried again.
        for outlet in chain(due, (name for name in _strangers(hub) if name not in due)):
            if outlet_works(hub, outlet) and outlet not in paused and place_of_outlet(outlet) not in hub.broken:
                yield "deliver", outlet
    if "poll" in steps:
        polled = frozenset(polled_lanes(hub))
        yield from (("poll", lane) for lane in hub.store.cursors.due(now=now) if lane in polled)


def _strangers(hub: Hub) -> Iterator[str]:
    """Yield the destinations that are to be asked who we are there."""
    on = (name for name in hub.settings.destinations if outlet_works(hub, name))
    yield from (name for name in on if wants_self(hub, name, usable_destination(hub, name)))


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
    begin(hub)
