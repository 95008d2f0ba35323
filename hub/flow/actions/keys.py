"""API keys: made, shown once, and revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hub.core.access import Actor, NotAllowed, demand
from hub.core.accounts import KEY_SCOPES, BadAccount
from hub.core.errors import HubError
from hub.flow.accounts.tokens import SHOWN, digest_of, new_key
from hub.flow.actions.doing import Doing, doing
from hub.flow.views.users import own
from hub.runtime import Hub
from hub.store.accounts.keys import NewKey


class UnknownKey(HubError):
    """There is no such key."""


def make(hub: Hub, actor: Actor, name: str, scopes: Sequence[str], *, until: datetime | None = None) -> str:
    """Make a key of the actor's own; returns its text, which is shown once. Raises BadAccount."""
    demand(actor, "keys.make")
    user = own(hub, actor)
    named = " ".join(name.split())[:80]
    if not named:
        raise BadAccount("say what the key is for: its name is all that tells it from others later")
    if not scopes:
        raise BadAccount(f"a key without a scope may nothing: name some of {', '.join(KEY_SCOPES)}")
    for scope in scopes:
        if scope not in KEY_SCOPES:
            raise BadAccount(f"there is no scope {scope!r}: write some of {', '.join(KEY_SCOPES)}")
    if "admin" in scopes and actor.role != "admin":
        raise NotAllowed("only an admin makes a key of scope admin")
    text, now = new_key(), hub.now()
    prefix = text[:SHOWN]
    one = NewKey(digest_of(text), prefix, user.id, named, tuple(dict.fromkeys(scopes)), now, until)
    with doing(hub, actor, "keys.make") as act:
        hub.store.keys.add(act.conn, one)
        act.note("key", named, prefix=prefix, scopes=one.scopes, until=until and until.isoformat())
    return text


def revoke(hub: Hub, actor: Actor, number: int) -> None:
    """Revoke one's own key. Raises UnknownKey."""
    demand(actor, "keys.revoke")
    user = own(hub, actor)
    with doing(hub, actor, "keys.revoke") as act:
        _revoke(act, number, owner=user.id)


def revoke_any(hub: Hub, actor: Actor, number: int) -> None:
    """Revoke a key of any user. Raises UnknownKey."""
    with doing(hub, actor, "keys.revoke_any") as act:
        _revoke(act, number)


def _revoke(act: Doing, number: int, *, owner: int | None = None) -> None:
    found = act.hub.store.keys.numbered(number, conn=act.conn)
    if found is None or owner not in (None, found.user.id):
        raise UnknownKey
    act.hub.store.keys.revoke(act.conn, number)
    act.note("key revoked", found.name, prefix=found.prefix, owner=found.user.name)
