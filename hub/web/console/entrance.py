"""The pages on the way in: log-in, second factor, one-time links; and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi.responses import RedirectResponse

from hub.core.accounts import BadAccount, OpenSession
from hub.core.errors import HubError
from hub.flow.accounts.entrance import Entered, TooManyTries, WrongCode, WrongLogIn, enter, give_code, log_in, log_out
from hub.flow.accounts.onetime import link_of, use_link
from hub.flow.accounts.provider import ProviderTrouble
from hub.web.asker import browser_of, known_session
from hub.web.console.render import Renderer, link
from hub.web.serving import Serving

Form = Annotated[bytes, Body(media_type="application/x-www-form-urlencoded")]
Token = Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$")]


def make_entrance(serving: Serving, renderer: Renderer) -> APIRouter:
    """Make the routes that stand before the log-in."""
    routes = APIRouter(include_in_schema=False, default_response_class=Response)
    add_log_in(routes, serving, renderer)
    add_code(routes, serving, renderer)
    add_welcome(routes, serving, renderer)
    return routes


def add_log_in(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add log-in and log-out."""

    @routes.get("/login")
    def show(request: Request, next: str = "/") -> Response:  # noqa: A002 - the parameter's name in the address
        """Show the log-in; who is logged in already goes on."""
        session = known_session(serving, request)
        if session is not None:
            return _go(link("/login/code", next=own_path(next)) if session.waits_for_code else own_path(next))
        return renderer.show(request, "login.html", log_in_values(serving, own_path(next)))

    @routes.post("/login")
    def come_in(request: Request, form: Form = b"") -> Response:
        """Log in by name and password."""
        fields = serving.forms.read(request, form)
        onward, name = own_path(fields.get("next", "/")), fields.get("name", "")
        try:
            entered = log_in(serving.hub, name, fields.get("password", ""), browser_of(serving, request))
        except (WrongLogIn, TooManyTries) as error:
            values = {**log_in_values(serving, onward), "name": name, "error": str(error)}
            return _refused(renderer.show(request, "login.html", values, status=_status(error)), error)
        return _in(serving, entered, link("/login/code", next=onward) if entered.waits_for_code else onward)

    @routes.post("/logout")
    def leave(request: Request, form: Form = b"") -> Response:
        """End the session."""
        session = known_session(serving, request)
        if session is None:  # a page of another site sends no cookie along: it must not take one away either
            return _go("/login")
        _read(serving, request, form, session)
        log_out(serving.hub, session)
        response = _go(_after(serving, session))
        serving.cookies.take_session(response)
        return response


def add_code(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add the second factor."""

    @routes.get("/login/code")
    def ask(request: Request, next: str = "/") -> Response:  # noqa: A002 - see above
        """Ask for the second factor's code."""
        session = known_session(serving, request)
        if session is None or not session.waits_for_code:
            return _go(link("/login", next=own_path(next)))
        return renderer.show(_as(request, session), "code.html", {"next": own_path(next)})

    @routes.post("/login/code")
    def finish(request: Request, form: Form = b"") -> Response:
        """Finish the log-in."""
        session = known_session(serving, request)
        if session is None or not session.waits_for_code:
            return _go("/login")
        fields = _read(serving, request, form, session)
        onward = own_path(fields.get("next", "/"))
        try:
            entered = give_code(serving.hub, session, fields.get("code", ""), browser_of(serving, request))
        except (WrongCode, TooManyTries) as error:
            values = {"next": onward, "error": str(error)}
            return _refused(renderer.show(request, "code.html", values, status=_status(error)), error)
        return _in(serving, entered, onward)


def add_welcome(routes: APIRouter, serving: Serving, renderer: Renderer) -> None:
    """Add the links that work once: to look at one uses nothing up, since mail programs look at links too."""

    @routes.get("/welcome/{token}")
    def look(request: Request, token: Token) -> Response:
        """Ask for a password, and the first admin for a name."""
        found, user = link_of(serving.hub, token)
        return renderer.show(request, "welcome.html", {"link": found, "user": user, "at": request.url.path})

    @routes.post("/welcome/{token}")
    def choose(request: Request, token: Token, form: Form = b"") -> Response:
        """Choose a password, and come in."""
        fields = serving.forms.read(request, form)
        found, user = link_of(serving.hub, token)
        try:
            chosen = typed_twice(fields)
            named = {"name": fields.get("name", ""), "full_name": fields.get("full_name", "")}
            user = use_link(serving.hub, token, chosen, **named)
        except BadAccount as error:
            values = {"link": found, "user": user, "at": request.url.path, "error": str(error), "fields": fields}
            return renderer.show(request, "welcome.html", values, status=422)
        if user.has_code:  # the link proves less than the second factor
            return _go("/login")
        return _in(serving, enter(serving.hub, user, browser_of(serving, request), by="link"), "/")


def typed_twice(fields: Mapping[str, str]) -> str:
    """Return a new password of a form. Raises BadAccount if it was not typed twice alike."""
    if fields.get("password", "") != fields.get("again", ""):
        raise BadAccount("the two passwords differ: type the same twice")
    return fields.get("password", "")


def log_in_values(serving: Serving, onward: str) -> dict[str, object]:
    """Return what the page of the log-in shows."""
    provider = serving.hub.settings.oidc.title if serving.provider.is_there else ""
    return {"next": onward, "has_users": serving.has_users(), "provider": provider}


def _after(serving: Serving, session: OpenSession | None) -> str:
    """Return where a log-out leads: to the provider, if that is where the person logged in and it ends sessions."""
    if session is None or session.user.issuer is None or not serving.provider.is_there:
        return "/login"
    try:
        return serving.provider.end_address() or "/login"
    except ProviderTrouble:
        return "/login"


def own_path(text: str) -> str:
    """Return a path of this hub to go on to; "/" if it is none: no log-in leads to another site."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return text if is_own and text.isprintable() and "\\" not in text else "/"


def _as(request: Request, session: OpenSession) -> Request:
    """Let forms of this answer carry the token of a session that waits for its second factor."""
    request.state.form_token = session.form_token
    return request


def _read(serving: Serving, request: Request, form: bytes, session: OpenSession) -> dict[str, str]:
    return serving.forms.read(_as(request, session), form)


def _in(serving: Serving, entered: Entered, path: str) -> Response:
    response = _go(path)
    serving.cookies.give_session(response, entered.token)
    return response


def _go(path: str) -> Response:
    return RedirectResponse(path, 303)


def _status(error: HubError) -> int:
    return 429 if isinstance(error, TooManyTries) else 401


def _refused(response: Response, error: HubError) -> Response:
    if isinstance(error, TooManyTries):
        response.headers["retry-after"] = str(error.seconds)
    return response
