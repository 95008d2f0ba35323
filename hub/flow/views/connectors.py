"""Connections by name: what a command may be asked about."""

from __future__ import annotations

from hub.core.access import Actor, Scope, demand
from hub.core.ledger import Lane
from hub.flow import lanes
from hub.runtime import Hub


def sources(hub: Hub, actor: Actor) -> list[str]:
    """Return the names of the configured sources that the actor sees."""
    demand(actor, "connectors.see")
    return [name for name in hub.settings.sources if actor.sight.sees(Scope(name))]


def destinations(hub: Hub, actor: Actor) -> list[str]:
    """Return the names of the configured destinations."""
    demand(actor, "connectors.see")
    return list(hub.settings.destinations)


def can_recheck(hub: Hub, actor: Actor, source: str) -> bool:
    """Return True if a source can ask its network whether posts are still there. Raises UnknownPlugin."""
    demand(actor, "connectors.see", Scope(source))
    return hub.source(source).recheck_size > 0


def outlets(hub: Hub, actor: Actor) -> list[str]:
    """Return all names that deliveries go to: destinations, and `sources/NAME` for replies of sources that the actor sees."""
    demand(actor, "connectors.see")
    hidden = {str(Lane("reply", name)) for name in hub.settings.sources if not actor.sight.sees(Scope(name))}
    return [name for name in lanes.outlets(hub) if name not in hidden]
