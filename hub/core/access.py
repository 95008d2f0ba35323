"""Who may do what: actors, their roles, what they may see, and one table of all that is done or looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from hub.core.errors import HubError

Role = Literal["viewer", "rep", "analyst", "agent", "manager", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
Door = Literal["terminal", "console", "api", "hub"]
"""Where an actor comes in: a person at the terminal or on the page, a program, the hub itself."""


class NotAllowed(HubError):
    """This actor may not do this."""


class Scope(msgspec.Struct, frozen=True):
    """What is touched or shown: a source, a brand; None if it belongs to none, or to all."""

    source: str | None = None
    brand: str | None = None


WHOLE = Scope()


class Sight(msgspec.Struct, frozen=True):
    """The sources and brands that an actor may see, None for all of them; `private`: direct messages too."""

    sources: frozenset[str] | None = None
    brands: frozenset[str] | None = None
    private: bool = True

    def sees(self, scope: Scope) -> bool:
        """Return True if nothing of a scope is hidden."""
        pairs = ((scope.source, self.sources), (scope.brand, self.brands))
        return all(name is None or allowed is None or name in allowed for name, allowed in pairs)


EVERYTHING = Sight()


class Actor(msgspec.Struct, frozen=True):
    """One that does or looks at something: `name` is what the audit log says."""

    name: str
    door: Door
    role: Role
    sight: Sight = EVERYTHING


def at_terminal(name: str) -> Actor:
    """Return the person at the terminal: one that may read the configuration may do everything."""
    return Actor(name, "terminal", "admin")


CONSOLE = Actor("console", "console", "admin")
"""The page, as long as it knows no users."""
API = Actor("api", "api", "admin")
"""A program that asks the API, as long as there are no keys."""
HUB = Actor("hub", "hub", "admin")
"""The hub itself."""

_ALL = frozenset(ROLES)
_ADMIN = frozenset[Role]({"admin"})
_MANAGERS = frozenset[Role]({"manager", "admin"})
_AGENTS = frozenset[Role]({"agent", "manager", "admin"})
_ANALYSTS = frozenset[Role]({"analyst", "manager", "admin"})

TABLE: Mapping[str, frozenset[Role]] = {
    "alerts.see": _ALL,
    "alerts.test": _ADMIN,
    "audit.see": _MANAGERS,
    "backups.make": _ADMIN,
    "backups.restore": _ADMIN,
    "connections.check": _ADMIN,
    "connectors.see": _ALL,
    "conversations.see": _ALL,
    "deliveries.discard": _MANAGERS,
    "deliveries.retry": _MANAGERS,
    "deliveries.see": _ALL,
    "erasures.erase": _MANAGERS,
    "erasures.recheck": _MANAGERS,
    "erasures.see": _ALL,
    "health.see": _ALL,
    "history.replay": _ADMIN,
    "history.see": _ANALYSTS,
    "people.add": _AGENTS,
    "people.change": _AGENTS,
    "people.link": _AGENTS,
    "people.merge": _AGENTS,
    "people.ref": _AGENTS,
    "people.see": _ALL,
    "people.unlink": _AGENTS,
    "people.unmerge": _AGENTS,
    "people.unref": _AGENTS,
    "replies.approve": _AGENTS,
    "replies.refuse": _AGENTS,
    "rules.activate": _ADMIN,
    "backups.resume": _ADMIN,
    "signals.poll": _ADMIN,
    "signals.retry": _MANAGERS,
    "signals.see": _ALL,
    "signals.take_in": _ADMIN,
}
"""The roles that may do each action, written `noun.verb`; `noun.see` is to look at it."""


def may(actor: Actor, action: str, scope: Scope = WHOLE) -> bool:
    """Return True if an actor may do an action of the table within a scope."""
    return actor.role in TABLE[action] and actor.sight.sees(scope)


def demand(actor: Actor, action: str, scope: Scope = WHOLE) -> None:
    """Raise NotAllowed unless the actor may do the action, with the roles that may."""
    if actor.role not in TABLE[action]:
        able = ", ".join(role for role in ROLES if role in TABLE[action])
        raise NotAllowed(f"{actor.name} ({actor.role}) may not do this ({action}): ask one who is {able}")
    if not actor.sight.sees(scope):
        hidden = " of ".join(name for name in (scope.brand, scope.source) if name)
        raise NotAllowed(f"{actor.name} may not see {hidden} ({action}): ask an admin for a wider sight")
