"""Users as admins see them, and what a person sees of the own account: sessions and keys."""

from __future__ import annotations

from typing import Any, NamedTuple

from hub.core.access import Actor, NotAllowed, demand
from hub.core.accounts import ApiKey, OpenSession, User
from hub.core.errors import HubError
from hub.runtime import Hub


class UnknownUser(HubError):
    """There is no user of this name: `hub users list` shows all."""


class ListedUser(NamedTuple):
    """A user, how many sessions are open, and until when a one-time link works (None: there is none)."""

    user: User
    sessions: int
    link_until: Any


def page(hub: Hub, actor: Actor) -> list[ListedUser]:
    """Return all users by name."""
    demand(actor, "users.see")
    now, waits = hub.now(), hub.store.one_time_links.waits(now=hub.now())
    return [
        ListedUser(one, sum(not s.is_over(now) for s in hub.store.sessions.of_user(one.id)), waits.get(one.id))
        for one in hub.store.users.all()
    ]


def find(hub: Hub, actor: Actor, name: str) -> User:
    """Return a user by name, however it is spelled. Raises UnknownUser."""
    demand(actor, "users.see")
    found = hub.store.users.named(name.strip().casefold())
    if found is None:
        raise UnknownUser
    return found


def sessions(hub: Hub, actor: Actor) -> list[OpenSession]:
    """Return the actor's own sessions that are not over, the one used last first."""
    demand(actor, "me.see")
    now = hub.now()
    found = hub.store.sessions.of_user(actor.user) if actor.user is not None else []
    return [one for one in found if not one.is_over(now)]


def keys(hub: Hub, actor: Actor, *, all_: bool = False) -> list[ApiKey]:
    """Return the actor's own keys, or all; all are an admin's to see."""
    if all_:
        demand(actor, "keys.revoke_any")
        return hub.store.keys.all()
    demand(actor, "me.see")
    return hub.store.keys.all(actor.user) if actor.user is not None else []


def own(hub: Hub, actor: Actor) -> User:
    """Return the actor's account. Raises NotAllowed if it has none."""
    demand(actor, "me.see")
    user = hub.store.users.get(actor.user) if actor.user is not None else None
    if user is None:
        raise NotAllowed(f"{actor.name} has no account: log in first")
    return user
