"""The own account: password, second factor, sessions, choices, API keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.accounts import KEY_SCOPES, BadAccount
from hub.core.errors import HubError
from hub.flow.accounts import codes
from hub.flow.accounts.entrance import WrongCode
from hub.flow.actions import keys, me
from hub.flow.views import users
from hub.web.asker import SECOND_FACTOR, actor, asker
from hub.web.console.entrance import typed_twice
from hub.web.console.render import Renderer
from hub.web.query import Number
from hub.web.serving import Serving

Form = Annotated[bytes, Body(media_type="application/x-www-form-urlencoded")]
SAID = {
    "password": "Your password is changed. Your other sessions have ended.",
    "session": "The session is ended.",
    "sessions": "All your other sessions are ended.",
    "choices": "Your choices are kept.",
    "revoked": "The key is revoked: it opens nothing any more.",
    "code-off": "You log in without a second factor from now on.",
}
LIVES = {"30": 30, "90": 90, "365": 365}
"""How many days a key may live, as the form names them."""


def make_demo(serving: Serving) -> APIRouter:
    """Make the route by which one is another person of the demo."""
    routes = APIRouter(include_in_schema=False, default_response_class=Response)

    @routes.post("/demo/be")
    def be(request: Request, form: Form = b"") -> Response:
        """Be another person of the demo from now on."""
        name = serving.forms.read(request, form).get("name", "")
        if name not in [one.name for one in asker(request).people]:
            raise HTTPException(404, "There is no such person in this demo.")
        response = RedirectResponse("/", 303)
        response.set_cookie(serving.cookies.persona, name, httponly=True, samesite="strict", path="/")
        return response

    return routes


def make_own(serving: Serving, renderer: Renderer) -> APIRouter:
    """Make the routes of the own account."""
    routes = APIRouter(prefix="/me", include_in_schema=False, default_response_class=Response)
    add_page(routes, serving, renderer)
    add_sessions(routes, serving)
    add_second_factor(routes, serving, renderer)
    add_keys(routes, serving, renderer)
    return routes


def add_page(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add the page, password and choices."""

    def page(request: Request, *, status: int = 200, **more: Any) -> Response:
        return renderer.show(request, "own.html", {**own_values(serving, request), **more}, status=status)

    @routes.get("")
    def show(request: Request, said: str = "") -> Response:
        """Show the own account."""
        return page(request, said=SAID.get(said, ""))

    @routes.post("/password")
    def choose_password(request: Request, form: Form = b"") -> Response:
        """Change the password."""
        fields = serving.forms.read(request, form)
        try:
            chosen = typed_twice(fields)
            old = fields.get("old", "")
            me.choose_password(serving.hub, actor(request), old, chosen, session=_session(request))
        except BadAccount as error:
            return page(request, status=422, password_error=str(error))
        return _back("password")

    @routes.post("/choices")
    def choose(request: Request, form: Form = b"") -> Response:
        """Keep language, zone and keys."""
        fields = serving.forms.read(request, form)
        wanted = {"language": fields.get("language"), "zone": fields.get("zone") or None, "keys": "keys" in fields}
        try:
            me.choose(serving.hub, actor(request), wanted, full_name=fields.get("full_name"))
        except BadAccount as error:
            return page(request, status=422, choices_error=str(error))
        return _back("choices")


def add_sessions(routes: APIRouter, serving: Serving) -> None:
    """Add the buttons of sessions."""

    @routes.post("/sessions/{number}/end")
    def end(request: Request, number: Number, form: Form = b"") -> Response:
        """End one session."""
        serving.forms.read(request, form)
        me.end_session(serving.hub, actor(request), number)
        return _back("session")

    @routes.post("/sessions/end")
    def end_others(request: Request, form: Form = b"") -> Response:
        """End all other sessions."""
        serving.forms.read(request, form)
        me.end_others(serving.hub, actor(request), _session(request))
        return _back("sessions")


def add_second_factor(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add what sets a second factor up, and what takes it away."""

    def page(request: Request, secret: str, *, status: int = 200, **more: Any) -> Response:
        user = users.own(serving.hub, actor(request))
        place = urlsplit(serving.hub.settings.public_url).hostname or "hub"
        address = codes.address_of(secret, name=user.name, place=place)
        values = {"user": user, "secret": secret, "address": address, "picture": codes.picture_of(address)}
        return renderer.show(request, "second_factor.html", {**values, **more}, status=status)

    @routes.get(SECOND_FACTOR.removeprefix("/me"))
    def show(request: Request) -> Response:
        """Show a new secret as a picture and as text."""
        return page(request, codes.new_secret())

    @routes.post(SECOND_FACTOR.removeprefix("/me"))
    def set_up(request: Request, form: Form = b"") -> Response:
        """Take the authenticator that has the secret, and show recovery codes once."""
        fields = serving.forms.read(request, form)
        secret = fields.get("secret", "")
        try:
            given = fields.get("code", "")
            password, here = fields.get("password", ""), _session(request)
            fresh = me.set_up_code(serving.hub, actor(request), secret, given, password=password, session=here)
        except (WrongCode, BadAccount) as error:
            again = secret if codes.is_secret(secret) else codes.new_secret()
            return page(request, again, status=422, error=str(error))
        return renderer.show(request, "recovery.html", {"codes": fresh})

    @routes.post("/recovery")
    def renew(request: Request, form: Form = b"") -> Response:
        """Show new recovery codes once."""
        fields = serving.forms.read(request, form)
        fresh = me.renew_recovery(serving.hub, actor(request), fields.get("password", ""))
        return renderer.show(request, "recovery.html", {"codes": fresh})

    @routes.post(f"{SECOND_FACTOR.removeprefix('/me')}/off")
    def drop(request: Request, form: Form = b"") -> Response:
        """Take the second factor away."""
        fields = serving.forms.read(request, form)
        me.drop_code(serving.hub, actor(request), fields.get("password", ""))
        return _back("code-off")


def add_keys(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add what makes and revokes keys."""

    @routes.post("/keys")
    def make(request: Request, form: Form = b"") -> Response:
        """Make a key, and show it once."""
        fields = serving.forms.read_all(request, form)
        named, scopes = dict(fields), [value for name, value in fields if name == "scope"]
        days = LIVES.get(named.get("days", ""))
        until: datetime | None = serving.hub.now() + timedelta(days=days) if days else None
        try:
            text = keys.make(serving.hub, actor(request), named.get("name", ""), scopes, until=until)
        except HubError as error:
            values = {**own_values(serving, request), "keys_error": str(error)}
            return renderer.show(request, "own.html", values, status=422)
        return renderer.show(request, "key.html", {"key": text, "name": named["name"]})

    @routes.post("/keys/{number}/revoke")
    def revoke(request: Request, number: Number, form: Form = b"") -> Response:
        """Revoke a key."""
        serving.forms.read(request, form)
        keys.revoke(serving.hub, actor(request), number)
        return _back("revoked")


def own_values(serving: Serving, request: Request) -> dict[str, Any]:
    """Return what the page of the own account shows."""
    asking = actor(request)
    user = users.own(serving.hub, asking)
    return {
        "user": user,
        "sessions": users.sessions(serving.hub, asking),
        "here": _session(request),
        "keys": users.keys(serving.hub, asking),
        "scopes": [one for one in KEY_SCOPES if one != "admin" or user.role == "admin"],
        "languages": me.LANGUAGES,
        "must_have_code": user.role in serving.hub.settings.accounts.second_factor,
    }


def _session(request: Request) -> int | None:
    session = asker(request).session
    return session.id if session else None


def _back(said: str) -> Response:
    return RedirectResponse(f"/me?said={said}", 303)
