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
    """The sources and brands that an actor may see, None for all of them; `private`: direct messages too.

    `names`: people's names, handles, addresses and numbers as they are; else they are masked.
    """

    sources: frozenset[str] | None = None
    brands: frozenset[str] | None = None
    private: bool = True
    names: bool = True

    def for_role(self, role: Role) -> Sight:
        """Return what of this a role may see."""
        return Sight(self.sources, self.brands, self.private and role in _NEAR, self.names and role in _NEAR)

    def sees(self, scope: Scope) -> bool:
        """Return True if nothing of a scope is hidden."""
        pairs = ((scope.source, self.sources), (scope.brand, self.brands))
        return all(name is None or allowed is None or name in allowed for name, allowed in pairs)

    @property
    def is_whole(self) -> bool:
        """True if nothing is hidden."""
        return self == EVERYTHING


EVERYTHING = Sight()


class Actor(msgspec.Struct, frozen=True):
    """One that does or looks at something: `name` is what the audit log says.

    `user` is the number of the account, None for one without. `scopes` are those of an API key, None: all that the role may.
    """

    name: str
    door: Door
    role: Role
    sight: Sight = EVERYTHING
    user: int | None = None
    scopes: frozenset[str] | None = None
    drafts_only: bool = False


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
_NEAR = _AGENTS
"""Who reads direct messages, and names as they are."""

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
    "raws.see": _AGENTS,
    "replies.approve": _AGENTS,
    "replies.refuse": _AGENTS,
    "rules.activate": _ADMIN,
    "backups.resume": _ADMIN,
    "signals.poll": _ADMIN,
    "signals.retry": _MANAGERS,
    "signals.see": _ALL,
    "signals.take_in": _ADMIN,
    "keys.make": _ALL,
    "keys.revoke": _ALL,
    "keys.revoke_any": _ADMIN,
    "me.choose": _ALL,
    "me.choose_password": _ALL,
    "me.drop_code": _ALL,
    "me.end_others": _ALL,
    "me.end_session": _ALL,
    "me.renew_recovery": _ALL,
    "me.see": _ALL,
    "me.set_up_code": _ALL,
    "users.change": _ADMIN,
    "users.disable": _ADMIN,
    "users.enable": _ADMIN,
    "users.invite": _ADMIN,
    "users.reset": _ADMIN,
    "users.see": _ADMIN,
}
"""The roles that may do each action, written `noun.verb`; `noun.see` is to look at it."""

_SIGNALS = frozenset(
    {"signals.see", "conversations.see", "deliveries.see", "connectors.see", "erasures.see", "alerts.see", "health.see"}
)
SCOPED: Mapping[str, frozenset[str]] = {
    "signals:read": _SIGNALS,
    "people:read": frozenset({"people.see"}),
    "replies:draft": frozenset(),
    "deliveries:write": frozenset({"deliveries.see", "deliveries.retry", "deliveries.discard", "signals.retry"}),
    "rules:test": frozenset({"history.see"}),
    "export": frozenset(),
    "metrics:read": frozenset({"health.see"}),
    "admin": frozenset(
        name for name in TABLE if not name.startswith("me.") and name not in {"keys.make", "users.reset"}
    ),
}
"""The actions that each scope of an API key lets its owner's programs do: none makes a way in that would outlive the key."""


def may(actor: Actor, action: str, scope: Scope = WHOLE) -> bool:
    """Return True if an actor may do an action of the table within a scope."""
    able = actor.role in TABLE[action] and not _is_for_others(actor, action)
    return able and _is_scoped(actor, action) and actor.sight.sees(scope)


def demand(actor: Actor, action: str, scope: Scope = WHOLE) -> None:
    """Raise NotAllowed unless the actor may do the action, with the roles that may."""
    if actor.role not in TABLE[action]:
        able = ", ".join(role for role in ROLES if role in TABLE[action])
        raise NotAllowed(f"{actor.name} ({actor.role}) may not do this ({action}): ask one who is {able}")
    if _is_for_others(actor, action):
        raise NotAllowed(f"{actor.name} writes drafts ({action}): another one lets replies out")
    if not _is_scoped(actor, action):
        able = ", ".join(one for one, actions in SCOPED.items() if action in actions)
        way_out = f"it needs the scope {able}" if able else "no key may, log in for that"
        raise NotAllowed(f"this key of {actor.name} may not do this ({action}): {way_out}")
    if not actor.sight.sees(scope):
        hidden = " of ".join(name for name in (scope.brand, scope.source) if name)
        raise NotAllowed(f"{actor.name} may not see {hidden} ({action}): ask an admin for a wider sight")


def _is_for_others(actor: Actor, action: str) -> bool:
    return actor.drafts_only and action == "replies.approve"


def _is_scoped(actor: Actor, action: str) -> bool:
    return actor.scopes is None or any(action in SCOPED[scope] for scope in actor.scopes)
