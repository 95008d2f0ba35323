"""The way in: a password and a second factor become a session, a cookie or a key becomes a person; and the way out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

from hub.core.accounts import CODE_WITHIN, LONGEST, ApiKey, BadAccount, OpenSession, User, fold_name
from hub.core.errors import HubError
from hub.core.keys import digest
from hub.flow.accounts import codes
from hub.flow.accounts.passwords import verify_password
from hub.flow.accounts.tokens import KEY_PREFIX, digest_of, new_token
from hub.runtime import Hub
from hub.store import Connection
from hub.store.accounts.sessions import NewSession
from hub.store.audit import AuditEntry

TOUCHED_AFTER = timedelta(minutes=1)
"""A session's or a key's last use is written at most so often."""
FREE_BY_ACCOUNT, FREE_BY_ADDRESS = 5, 20


class WrongLogIn(HubError):
    """The name or the password is wrong, or this account cannot log in. An admin can send a link to choose a new password."""


class WrongCode(HubError):
    """The code is wrong, or was used already: wait for the next one, or take a recovery code."""


class TooManyTries(HubError):
    """Too many log-ins failed: try again later. `seconds` says in how many."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"Too many log-ins failed: try again in {seconds} seconds.")


class Browser(NamedTuple):
    """Where a person logs in from: an address, and how the browser names itself."""

    address: str
    name: str


class Entered(NamedTuple):
    """A new session; `token` is the cookie's text, kept nowhere else. `waits_for_code`: the second factor is still to come."""

    token: str
    user: User
    waits_for_code: bool


def has_users(hub: Hub) -> bool:
    """Return True if there are users: the hub is behind a log-in then."""
    return hub.store.users.there_are()


def log_in(hub: Hub, name: str, password: str, browser: Browser) -> Entered:
    """Return a new session of the user of this name. Raises WrongLogIn or TooManyTries; an unknown name takes as long."""
    try:
        folded = fold_name(name)
    except BadAccount:
        folded = ""
    user = hub.store.users.named(folded)
    subjects = _subjects(hub, folded, user, browser)
    _refuse_barred(hub, subjects)
    kept = hub.store.users.proofs(user.id).password if user else None
    if not verify_password(password, kept) or user is None or user.disabled_at is not None:
        _count(hub, subjects, folded if user else "")
        raise WrongLogIn
    return enter(hub, user, browser, by="password", kept=kept, subjects=subjects)


def prove(hub: Hub, user: User, password: str) -> bool:
    """Return True if this is the user's password: asked of one who is in, with the log-in's limits. Raises TooManyTries."""
    subjects = [(digest("own password", user.name), FREE_BY_ACCOUNT)]
    _refuse_barred(hub, subjects)
    right = verify_password(password, hub.store.users.proofs(user.id).password)
    with hub.store.database.write() as conn:
        _refuse_barred(hub, subjects, conn=conn)
        if right:
            hub.store.log_in_failures.forget(conn, subjects[0][0])
        else:
            _count_in(hub, conn, subjects, user.name)
    return right


def enter(
    hub: Hub,
    user: User,
    browser: Browser,
    *,
    by: str,
    provider_session: str | None = None,
    kept: str | None = None,
    subjects: Sequence[tuple[str, int]] = (),
) -> Entered:
    """Begin a session of a user who is known by now; `by` says how, for the audit log.

    A second factor is asked for after a password, not after a provider of identities, which asks for its own. `kept` is the
    hash that the password was held against, `subjects` what failures are counted for. Raises WrongLogIn if the account was
    closed or another password chosen since, and TooManyTries if others that were under way have failed since.
    """
    now, token = hub.now(), new_token()
    with hub.store.database.write() as conn:
        user = _as_now(hub, conn, user, kept)
        _refuse_barred(hub, subjects, conn=conn)
        waits = user.has_code and by == "password"
        made = NewSession(
            token=digest_of(token),
            user_id=user.id,
            form_token=new_token(),
            waits_for_code=waits,
            made_at=now,
            until=now + (CODE_WITHIN if waits else LONGEST),
            address=browser.address[:64],
            browser=browser.name[:300],
            provider_session=provider_session,
        )
        hub.store.sessions.add(conn, made)
        for subject, _ in subjects[:1]:
            hub.store.log_in_failures.forget(conn, subject)
        if not waits:
            _arrive(hub, conn, user, browser, by=by)
    return Entered(token, user, waits)


def _as_now(hub: Hub, conn: Connection, user: User, kept: str | None) -> User:
    """Return a user as it is by now, locked: what ends all sessions ends a log-in that is under way too. Raises WrongLogIn."""
    found = hub.store.users.get(user.id, conn=conn)
    if found is None or found.disabled_at is not None:
        raise WrongLogIn
    if kept is not None and hub.store.users.proofs(user.id, conn=conn).password != kept:
        raise WrongLogIn
    return found


def give_code(hub: Hub, session: OpenSession, code: str, browser: Browser) -> Entered:
    """Finish a log-in by its second factor: a new session takes the waiting one's place. Raises WrongCode or TooManyTries."""
    user, now, token = session.user, hub.now(), new_token()
    subjects = [(digest("code", user.name), FREE_BY_ACCOUNT)]
    _refuse_barred(hub, subjects)
    with hub.store.database.write() as conn:
        proofs = hub.store.users.proofs(user.id, conn=conn)
        _refuse_barred(hub, subjects, conn=conn)  # again, now that those before are through
        left = codes.spend(proofs, code, now=now)
        if left is not None and hub.store.sessions.end(conn, session.id, user_id=user.id):
            hub.store.users.prove(conn, user.id, totp_step=left.totp_step, recovery=list(left.recovery))
            made = NewSession(
                token=digest_of(token),
                user_id=user.id,
                form_token=new_token(),
                waits_for_code=False,
                made_at=now,
                until=now + LONGEST,
                address=browser.address[:64],
                browser=browser.name[:300],
            )
            hub.store.sessions.add(conn, made)
            hub.store.log_in_failures.forget(conn, subjects[0][0])
            _arrive(hub, conn, user, browser, by="password and code")
            return Entered(token, user, waits_for_code=False)
        _count_in(hub, conn, subjects, user.name)
    raise WrongCode


def session_of(hub: Hub, token: str) -> OpenSession | None:
    """Return the session of a cookie, None if it is over; its last use is noted now and then."""
    found = hub.store.sessions.get(digest_of(token))
    now = hub.now()
    if found is None or found.is_over(now):
        return None
    if now - found.seen_at > TOUCHED_AFTER:
        hub.store.sessions.touch(found.id, now=now)
    return found


def key_of(hub: Hub, text: str) -> ApiKey | None:
    """Return the API key of a text, None if it is none, is over, or its owner may not come in any more."""
    found = hub.store.keys.get(digest_of(text)) if text.startswith(KEY_PREFIX) else None
    now = hub.now()
    if found is None or found.user.disabled_at is not None or (found.until is not None and found.until <= now):
        return None
    if found.used_at is None or now - found.used_at > TOUCHED_AFTER:
        hub.store.keys.used(found.id, now=now)
    return found


def log_out(hub: Hub, session: OpenSession) -> None:
    """End a session."""
    with hub.store.database.write() as conn:
        hub.store.sessions.end(conn, session.id, user_id=session.user.id)
        entry = AuditEntry("log out", session.user.name, session.user.name)
        hub.store.audit.note_in(conn, entry, now=hub.now())


def _arrive(hub: Hub, conn: Connection, user: User, browser: Browser, *, by: str) -> None:
    hub.store.users.seen(conn, user.id, now=hub.now())
    entry = AuditEntry("log in", user.name, user.name, {"by": by, "address": browser.address})
    hub.store.audit.note_in(conn, entry, now=hub.now())


def _subjects(hub: Hub, name: str, user: User | None, browser: Browser) -> list[tuple[str, int]]:
    """Return what failures are counted for, each with how many are free.

    One who guesses an account's password from elsewhere must not bar its owner: the owner's own address is counted apart.
    """
    now = hub.now()
    here = _network(browser.address)
    known = user is not None and any(
        _network(one.address) == here and not one.is_over(now) and not one.waits_for_code
        for one in hub.store.sessions.of_user(user.id)
    )
    account = digest("account", name, here if known else "")
    return [(account, FREE_BY_ACCOUNT), (digest("address", here), FREE_BY_ADDRESS)]


def _network(address: str) -> str:
    """Return what one caller has of addresses: an IPv4 address, of IPv6 the whole /64 that a line is given."""
    try:
        found = ip_address(address.strip().strip("[]").partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return str(found)


def _refuse_barred(hub: Hub, subjects: Sequence[tuple[str, int]], *, conn: Connection | None = None) -> None:
    until = hub.store.log_in_failures.barred_until([one for one, _ in subjects], now=hub.now(), conn=conn)
    if until is not None:
        raise TooManyTries(_seconds(until - hub.now()))


def _count(hub: Hub, subjects: list[tuple[str, int]], name: str) -> None:
    """Count a failure. Raises TooManyTries if the bar came down while it was under way: it must not tell right from wrong."""
    with hub.store.database.write() as conn:
        _refuse_barred(hub, subjects, conn=conn)
        _count_in(hub, conn, subjects, name)


def _count_in(hub: Hub, conn: Connection, subjects: Sequence[tuple[str, int]], name: str) -> None:
    """Count a failure; it is audited if it was for an account that there is."""
    for subject, free in subjects:
        hub.store.log_in_failures.count(conn, subject, free=free, now=hub.now())
    if name:
        hub.store.audit.note_in(conn, AuditEntry("log in failed", name, name), now=hub.now())


def _seconds(span: timedelta) -> int:
    return max(int(span.total_seconds()) + 1, 1)


def sweep(hub: Hub) -> None:
    """Take away sessions that are over, and failures that are too old to count."""
    now: datetime = hub.now()
    hub.store.sessions.sweep(now=now)
    hub.store.log_in_failures.sweep(now=now)
