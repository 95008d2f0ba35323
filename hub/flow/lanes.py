"""What the ledger sends to, and what is polled: which lanes there are, and whether they are on."""

from __future__ import annotations

from collections.abc import Iterable

from hub.core.ledger import Lane
from hub.runtime import Hub
from hub.store import Connection


def outlet_works(hub: Hub, name: str) -> bool:
    """Return True if an outlet is configured, switched on, and, for a source, allowed to answer."""
    lane = Lane.of_outlet(name)
    if lane.work == "reply":
        return not why_off(hub, lane.name)
    section = hub.settings.destinations.get(name)
    return section is not None and section.enabled


def place_of_outlet(name: str) -> str:
    """Return the place in the configuration of what the ledger sends to: `destinations.NAME` or `sources.NAME`."""
    lane = Lane.of_outlet(name)
    return f"{'sources' if lane.work == 'reply' else 'destinations'}.{lane.name}"


def why_off(hub: Hub, name: str) -> str:
    """Return why a source does not answer by its configuration, "" if it may."""
    section = hub.settings.sources.get(name)
    if section is None:
        return f"the source '{name}' is not configured any more"
    if not section.enabled:
        return f"the source '{name}' is switched off"
    return f"replies through '{name}' are switched off" if section.reply == "off" else ""


def outlets(hub: Hub) -> list[str]:
    """Return all names that the ledger may send to."""
    return [*hub.settings.destinations, *(str(Lane("reply", name)) for name in hub.settings.sources)]


def free(hub: Hub, outlet: str, *, conn: Connection | None = None) -> int | None:
    """End an outlet's pause and let what was blocked go at once; return how many, None if nothing was paused or blocked."""
    with hub.store.database.within(conn) as within:
        was_paused = hub.store.connections.resume(outlet, now=hub.now(), conn=within)
        wanted = {"state": "blocked", "destination": outlet}
        freed = hub.store.outbox.retry(None, now=hub.now(), conn=within, **wanted) if outlet_works(hub, outlet) else 0
    return freed if was_paused or freed else None


def ring_outlets(hub: Hub, names: Iterable[str]) -> None:
    """Ring for each outlet once."""
    for name in dict.fromkeys(names):
        hub.bell.ring("deliver", name)
