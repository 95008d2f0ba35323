"""What a person changes of the own account: password, second factor, sessions, choices."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import available_timezones

from msgspec.structs import replace

from hub.core.access import Actor, NotAllowed, demand
from hub.core.accounts import BadAccount, User, check_password
from hub.flow.accounts import codes
from hub.flow.accounts.entrance import WrongCode, prove
from hub.flow.accounts.passwords import hash_password
from hub.flow.accounts.tokens import recovery_digest
from hub.flow.actions.doing import doing
from hub.flow.views.users import own
from hub.runtime import Hub

LANGUAGES = ("en", "fr")


class WrongPassword(BadAccount):
    """This is not your password."""


def choose_password(hub: Hub, actor: Actor, old: str, new: str, *, session: int | None = None) -> None:
    """Change the own password; all other sessions end. Raises WrongPassword, BadAccount."""
    demand(actor, "me.choose_password")
    user = own(hub, actor)
    _prove(hub, user, old)
    check_password(new, name=user.name)
    kept = hash_password(new)
    with doing(hub, actor, "me.choose_password") as act:
        hub.store.users.prove(act.conn, user.id, password=kept)
        ended = hub.store.sessions.end_all(act.conn, user.id, beside=session)
        act.note("password", user.name, sessions_ended=ended)


def set_up_code(
    hub: Hub, actor: Actor, secret: str, code: str, *, password: str = "", session: int | None = None
) -> list[str]:
    """Let an authenticator be the second factor from now on; returns recovery codes, which are shown once.

    `code` proves that the authenticator has the secret; `password` is asked for where it takes another one's place, as it is to
    take that one away. All other sessions end. Raises WrongCode, WrongPassword, TooManyTries.
    """
    demand(actor, "me.set_up_code")
    user = own(hub, actor)
    if not codes.is_secret(secret):
        raise WrongCode
    if user.has_code:
        _prove(hub, user, password)
    step = codes.step_of(secret, code, now=hub.now())
    if step is None:
        raise WrongCode
    fresh = codes.new_recovery_codes()
    kept = [recovery_digest(one) for one in fresh]
    with doing(hub, actor, "me.set_up_code") as act:
        hub.store.users.prove(act.conn, user.id, totp=secret, totp_step=step, recovery=kept)
        ended = hub.store.sessions.end_all(act.conn, user.id, beside=session)
        act.note("second factor", user.name, sessions_ended=ended)
    return fresh


def renew_recovery(hub: Hub, actor: Actor, password: str) -> list[str]:
    """Return new recovery codes; the old ones work no more. Raises WrongPassword."""
    demand(actor, "me.renew_recovery")
    user = own(hub, actor)
    _prove(hub, user, password)
    fresh = codes.new_recovery_codes()
    with doing(hub, actor, "me.renew_recovery") as act:
        hub.store.users.prove(act.conn, user.id, recovery=[recovery_digest(one) for one in fresh])
        act.note("recovery codes", user.name)
    return fresh


def drop_code(hub: Hub, actor: Actor, password: str) -> None:
    """Log in without a second factor from now on. Raises WrongPassword, and NotAllowed if the role must have one."""
    demand(actor, "me.drop_code")
    user = own(hub, actor)
    if user.role in hub.settings.accounts.second_factor:
        raise NotAllowed(f"{user.role} must have a second factor here (accounts.second_factor)")
    _prove(hub, user, password)
    with doing(hub, actor, "me.drop_code") as act:
        hub.store.users.prove(act.conn, user.id, totp=None, totp_step=None, recovery=[])
        act.note("second factor off", user.name)


def end_session(hub: Hub, actor: Actor, number: int) -> bool:
    """End one of the own sessions; False if it is over already."""
    demand(actor, "me.end_session")
    user = own(hub, actor)
    with doing(hub, actor, "me.end_session") as act:
        done = hub.store.sessions.end(act.conn, number, user_id=user.id)
        if done:
            act.note("session ended", user.name, session=number)
    return done


def end_others(hub: Hub, actor: Actor, session: int | None) -> int:
    """End all own sessions but this one; returns how many."""
    demand(actor, "me.end_others")
    user = own(hub, actor)
    with doing(hub, actor, "me.end_others") as act:
        done = hub.store.sessions.end_all(act.conn, user.id, beside=session)
        if done:
            act.note("sessions ended", user.name, count=done)
    return done


def choose(hub: Hub, actor: Actor, choices: Mapping[str, object], *, full_name: str | None = None) -> User:
    """Change the own name in full, language, zone, and if single keys are commands. Raises BadAccount."""
    demand(actor, "me.choose")
    user = own(hub, actor)
    wanted = _choices(choices)
    with doing(hub, actor, "me.choose") as act:
        user = hub.store.users.get(user.id, conn=act.conn) or user  # what others changed in between stays
        kept = {**user.choices, **wanted}
        named = replace(user, choices=kept, full_name=(full_name or "").strip()[:100] or user.full_name)
        changed = hub.store.users.change(act.conn, named)
        if changed != user:
            act.note("choices", user.name, **kept)
    return changed


def _prove(hub: Hub, user: User, password: str) -> None:
    if not prove(hub, user, password):
        raise WrongPassword


def _choices(given: Mapping[str, object]) -> dict[str, object]:
    """Return the choices that there are. Raises BadAccount for a language or a zone that there is none of."""
    if (language := given.get("language")) not in (None, *LANGUAGES):
        raise BadAccount(f"there is no {language!r}: the console speaks {', '.join(LANGUAGES)}")
    if (zone := given.get("zone")) and zone not in available_timezones():
        raise BadAccount(f"{zone!r} is no time zone: write it as Europe/Paris")
    return {name: given[name] for name in ("language", "zone", "keys") if given.get(name) is not None}
