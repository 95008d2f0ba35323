"""Who asks: a person by a session's cookie, a program by a key, or, as long as there are no users, this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastapi import HTTPException, Request
from starlette.requests import HTTPConnection

from hub.core.access import API, CONSOLE, Actor, Door, NotAllowed
from hub.core.accounts import OpenSession, User
from hub.core.errors import HubError
from hub.flow.accounts.entrance import Browser, key_of, session_of
from hub.web.caller import caller_of
from hub.web.serving import Serving

PROGRAMS = ("/api/", "/metrics", "/openapi.json")
"""Where a program asks: it hears 401 instead of being led to the log-in."""
SECOND_FACTOR = "/me/second-factor"


class LogInFirst(HubError):
    """This page is for people who are logged in."""


class CodeFirst(HubError):
    """The log-in waits for the second factor's code."""


class SetUpFirst(HubError):
    """This role must have a second factor: set one up first."""


class Asker(NamedTuple):
    """The one that asks; `user` and `session` are None for this machine as long as there are no users, `session` for a program.

    `people` are those of the demo that one may be instead.
    """

    actor: Actor
    user: User | None = None
    session: OpenSession | None = None
    people: tuple[User, ...] = ()


def asker(request: HTTPConnection) -> Asker:
    """Return who asks. A route that calls this stands behind `entry`."""
    found: Asker = request.state.asker
    return found


def actor(request: HTTPConnection) -> Actor:
    """Return who asks, as actions and views take it."""
    return asker(request).actor


def entry(serving: Serving) -> Callable[[Request], None]:
    """Return the dependency of all routes that are not for everybody: it finds out who asks, or refuses."""

    def enter(request: Request) -> None:
        found = request.state.asker = _find(serving, request)
        if found.session is not None:
            request.state.form_token = found.session.form_token

    return enter


def _find(serving: Serving, request: Request) -> Asker:
    is_program = request.url.path.startswith(PROGRAMS)
    if key := _bearer(request):
        return _by_key(serving, key)
    if session := known_session(serving, request):
        _demand_whole(serving, session, request.url.path, is_program=is_program)
        return Asker(session.user.actor(_door(is_program)), session.user, session)
    if people := serving.people(request.scope):
        wanted = request.cookies.get(serving.cookies.persona, "")
        user = next((one for one in people if one.name == wanted), people[0])
        return Asker(user.actor(_door(is_program)), user, None, people)
    if serving.has_users():
        if is_program:
            raise HTTPException(401, "send an API key: Authorization: Bearer hub_...", {"www-authenticate": "Bearer"})
        raise LogInFirst
    return Asker(API if is_program else CONSOLE)


def _by_key(serving: Serving, text: str) -> Asker:
    found = key_of(serving.hub, text)
    if found is None:
        challenge = 'Bearer error="invalid_token"'
        raise HTTPException(401, "this API key is unknown, revoked or over", {"www-authenticate": challenge})
    return Asker(found.user.actor("api", frozenset(found.scopes)), found.user)


def _door(is_program: bool) -> Door:
    return "api" if is_program else "console"


def known_session(serving: Serving, request: HTTPConnection) -> OpenSession | None:
    """Return the session of a request's cookie, None without one that is open."""
    token = request.cookies.get(serving.cookies.session, "")
    return session_of(serving.hub, token) if token else None


def _demand_whole(serving: Serving, session: OpenSession, path: str, *, is_program: bool) -> None:
    """Raise if a second factor is still to come, or still to be set up."""
    if session.waits_for_code:
        raise CodeFirst
    user = session.user
    by_password = user.issuer is None or user.has_password  # a link gives one to those of a provider too
    must = by_password and user.role in serving.hub.settings.accounts.second_factor
    if must and not user.has_code and path != SECOND_FACTOR:
        if is_program:
            raise NotAllowed(str(SetUpFirst()))
        raise SetUpFirst


def _bearer(request: Request) -> str:
    """Return the API key that a program sends; "" if it sends none."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def browser_of(serving: Serving, request: Request) -> Browser:
    """Return where a person logs in from: what passes on an address that cannot be trusted counts itself."""
    peer = request.client.host if request.client else "unknown"
    return Browser(caller_of(request.scope, serving.proxies) or peer, request.headers.get("user-agent", ""))
