"""Users: invited, changed, closed, opened again, and sent a link to choose a new password."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from hub.core.access import ROLES, Actor, demand
from hub.core.accounts import BadAccount, User, fold_name
from hub.core.errors import Conflict, HubError
from hub.core.grammar.facts import did_you_mean
from hub.flow.accounts.onetime import address_of, make_link
from hub.flow.actions.doing import Doing, doing
from hub.flow.views.users import find
from hub.runtime import Hub


class LastAdmin(HubError):
    """This is the last admin who can log in: make another one first."""


class Rights(NamedTuple):
    """What a user may: a role, and the sources and brands that are seen (None: all). `drafts_only`: others approve replies."""

    role: str
    sources: tuple[str, ...] | None = None
    brands: tuple[str, ...] | None = None
    drafts_only: bool = False


class NewUser(NamedTuple):
    """One to be invited: the name to log in by, the name in full, a mail address."""

    name: str
    full_name: str = ""
    mail: str | None = None


def invite(hub: Hub, actor: Actor, who: NewUser, rights: Rights) -> tuple[User, str]:
    """Make a user, and the link at which the person chooses a password. Returns both. Raises BadAccount."""
    demand(actor, "users.invite")
    _check(hub, rights)
    named = who.full_name.strip() or who.name.strip()
    fresh = User(0, fold_name(who.name), named, "viewer", hub.now(), mail=who.mail)
    with doing(hub, actor, "users.invite") as act:
        try:
            user = hub.store.users.add(act.conn, _with(fresh, rights))
        except Conflict:
            raise BadAccount(f"there is a user {fresh.name} already") from None
        hub.store.one_time_links.drop(act.conn, None)  # the first admin's: there is a user now
        token = make_link(hub, act.conn, actor, "invite", user=user)
        act.note("invite", user.name, **_told(rights))
    return user, address_of(hub, token)


def change(hub: Hub, actor: Actor, name: str, rights: Rights) -> User:
    """Change what a user may; the user's sessions end. Raises UnknownUser, BadAccount, LastAdmin."""
    demand(actor, "users.change")
    _check(hub, rights)
    user = find(hub, actor, name)
    with doing(hub, actor, "users.change") as act:
        user = _locked(act, user, stays=rights.role == "admin")
        changed = hub.store.users.change(act.conn, _with(user, rights))
        if changed != user:
            hub.store.sessions.end_all(act.conn, user.id)
        before = {name: value for name, value in _told(_rights_of(user)).items() if _told(rights)[name] != value}
        act.note("user changed", user.name, **_told(rights), before=before or None)
    return changed


def disable(hub: Hub, actor: Actor, name: str) -> User:
    """Close an account: its sessions end, its keys and links work no more. Raises UnknownUser, LastAdmin."""
    demand(actor, "users.disable")
    user = find(hub, actor, name)
    with doing(hub, actor, "users.disable") as act:
        user = _locked(act, user, stays=False)
        closed = hub.store.users.change(act.conn, replace(user, disabled_at=user.disabled_at or hub.now()))
        hub.store.sessions.end_all(act.conn, user.id)
        hub.store.one_time_links.drop(act.conn, user.id)
        act.note("user disabled", user.name)
    return closed


def enable(hub: Hub, actor: Actor, name: str) -> User:
    """Open an account again. Raises UnknownUser."""
    demand(actor, "users.enable")
    user = find(hub, actor, name)
    with doing(hub, actor, "users.enable") as act:
        user = _locked(act, user, stays=True)
        opened = hub.store.users.change(act.conn, replace(user, disabled_at=None))
        act.note("user enabled", user.name)
    return opened


def reset(hub: Hub, actor: Actor, name: str, *, second_factor: bool = False) -> str:
    """Make a link at which a user chooses a new password; returns its address. The old password works until then.

    `second_factor` takes the authenticator and its recovery codes away, for who has lost them. Raises UnknownUser.
    """
    demand(actor, "users.reset")
    user = find(hub, actor, name)
    with doing(hub, actor, "users.reset") as act:
        token = make_link(hub, act.conn, actor, "reset", user=user)
        if second_factor:
            hub.store.users.prove(act.conn, user.id, totp=None, totp_step=None, recovery=[])
            hub.store.sessions.end_all(act.conn, user.id)
        act.note("reset", user.name, second_factor=second_factor or None)
    return address_of(hub, token)


def _check(hub: Hub, rights: Rights) -> None:
    """Raise BadAccount for a role or a source that there is none of."""
    if rights.role not in ROLES:
        raise BadAccount(f"there is no role {rights.role!r}: write one of {', '.join(ROLES)}")
    for source in rights.sources or ():
        if source not in hub.settings.sources:
            hint = did_you_mean(source, hub.settings.sources.keys()) or "`hub check` names those that are configured"
            raise BadAccount(f"there is no source {source!r}: {hint}")


def _with(user: User, rights: Rights) -> User:
    sources, brands = (None if one is None else frozenset(one) for one in (rights.sources, rights.brands))
    role = next(role for role in ROLES if role == rights.role)
    return replace(user, role=role, sources=sources, brands=brands, drafts_only=rights.drafts_only)


def _rights_of(user: User) -> Rights:
    sources, brands = (None if one is None else tuple(sorted(one)) for one in (user.sources, user.brands))
    return Rights(user.role, sources, brands, user.drafts_only)


def _told(rights: Rights) -> dict[str, object]:
    said = {"role": rights.role, "sources": rights.sources, "brands": rights.brands}
    return {**said, "drafts_only": rights.drafts_only or None}


def _locked(act: Doing, user: User, *, stays: bool) -> User:
    """Return a user as it is now, locked. Raises LastAdmin if it does not stay and no admin would be left who can come in."""
    others = act.hub.store.users.count_admins(act.conn, beside=user.id)  # first, so that all lock in one order
    now = act.hub.store.users.get(user.id, conn=act.conn) or user
    if not stays and now.role == "admin" and now.disabled_at is None and not others:
        raise LastAdmin
    return now
