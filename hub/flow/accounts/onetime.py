"""Links that work once: made for the first admin, an invitation, a new password; and used."""

from __future__ import annotations

from hub.core.access import HUB, Actor
from hub.core.accounts import LIVES, BadAccount, Purpose, User, check_password, fold_name
from hub.core.errors import Conflict, HubError
from hub.flow.accounts.passwords import hash_password
from hub.flow.accounts.tokens import digest_of, new_token
from hub.runtime import Hub
from hub.store import Connection
from hub.store.accounts.onetime import OneTimeLink
from hub.store.accounts.users import Proofs
from hub.store.audit import AuditEntry


class DeadLink(HubError):
    """This link was used, is too old, or never was: ask an admin for a new one, or run `hub users reset NAME`."""


def address_of(hub: Hub, token: str) -> str:
    """Return the address of a one-time link."""
    return f"{hub.settings.public_url}/welcome/{token}"


def make_link(hub: Hub, conn: Connection, actor: Actor, purpose: Purpose, *, user: User | None) -> str:
    """Make a link in the caller's transaction; returns its token. An older one of the same user works no more."""
    token, now = new_token(), hub.now()
    link = OneTimeLink(digest_of(token), purpose, user.id if user else None, actor.name, now, now + LIVES[purpose])
    hub.store.one_time_links.add(conn, link)
    return token


def first_link(hub: Hub) -> str | None:
    """Return the address at which the first admin is made; None if there are users."""
    if hub.store.users.there_are():
        return None
    with hub.store.database.write() as conn:
        token = make_link(hub, conn, HUB, "first", user=None)
    return address_of(hub, token)


def link_of(hub: Hub, token: str) -> tuple[OneTimeLink, User | None]:
    """Return what a link is for. Raises DeadLink."""
    found = hub.store.one_time_links.get(digest_of(token), now=hub.now())
    if found is None:
        raise DeadLink
    user = hub.store.users.get(found.user_id) if found.user_id is not None else None
    if (found.user_id is None) == hub.store.users.there_are() or (user and user.disabled_at is not None):
        raise DeadLink  # the first admin was made in between, or the account is closed
    return found, user


def use_link(hub: Hub, token: str, password: str, *, name: str = "", full_name: str = "") -> User:
    """Choose a password by a link, which works no more; the first admin says a name too. Raises DeadLink, BadAccount.

    All sessions of the user end.
    """
    link, user = link_of(hub, token)
    chosen = user.name if user else fold_name(name)
    check_password(password, name=chosen)
    kept, now = hash_password(password), hub.now()
    with hub.store.database.write() as conn:
        if hub.store.one_time_links.use(conn, digest_of(token), now=now) is None:
            raise DeadLink
        if user is None and hub.store.users.there_are(conn=conn):
            raise DeadLink  # made while the password was hashed
        if user is None:
            user = _make_admin(hub, conn, User(0, chosen, full_name.strip() or chosen, "admin", now), kept)
        else:
            hub.store.users.prove(conn, user.id, password=kept)
            hub.store.sessions.end_all(conn, user.id)
        entry = AuditEntry("password", user.name, user.name, {"by": f"{link.purpose} link"})
        hub.store.audit.note_in(conn, entry, now=now)
    return user


def _make_admin(hub: Hub, conn: Connection, admin: User, kept: str) -> User:
    try:
        return hub.store.users.add(conn, admin, Proofs(password=kept))
    except Conflict:
        raise BadAccount(f"there is a user {admin.name} already") from None
