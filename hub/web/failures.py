"""What went wrong, said as the asker reads it: JSON under /api and at the health doors, a page elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from hub.core.access import NotAllowed
from hub.core.accounts import BadAccount
from hub.core.errors import HubError, Overtaken, StoreUnavailable
from hub.flow.accounts.entrance import TooManyTries, WrongLogIn
from hub.flow.accounts.onetime import DeadLink
from hub.flow.accounts.provider import ProviderTrouble
from hub.flow.actions.keys import UnknownKey
from hub.flow.actions.users import LastAdmin
from hub.flow.views.users import UnknownUser
from hub.web.asker import SECOND_FACTOR, CodeFirst, LogInFirst, SetUpFirst
from hub.web.console.render import Renderer, link
from hub.web.forms import RefusedForm

log = structlog.get_logger(__name__)
RETRY_AFTER_S = 5
Handler = Callable[[Request, Exception], Response]
Say = Callable[[Request, int, str], Response]


SAID: Mapping[type[Exception], int] = {
    NotAllowed: 403,
    WrongLogIn: 401,
    BadAccount: 422,
    LastAdmin: 422,
    TooManyTries: 429,
    DeadLink: 410,
    ProviderTrouble: 502,
    UnknownUser: 404,
    UnknownKey: 404,
}
"""Errors that say themselves what is wrong, with their status."""
LEADS: Mapping[type[Exception], str] = {CodeFirst: "/login/code", SetUpFirst: SECOND_FACTOR}
"""What is still to be done on the way in, and its page."""
KNOWN = {404: "There is no such page.", 405: "This address takes no such request."}


def answer_failures(api: FastAPI, renderer: Renderer) -> None:
    """Register the handlers."""

    def say(request: Request, status: int, reason: str) -> Response:
        if request.url.path.startswith("/api/"):
            return Response(msgspec.json.encode({"error": reason}), status, media_type="application/json")
        values = {"title": HTTPStatus(status).phrase, "reason": reason}
        return renderer.show(request, "error.html", values, status=status)

    for kind, status in SAID.items():
        api.add_exception_handler(kind, _saying(say, status))
    for kind, path in LEADS.items():
        api.add_exception_handler(kind, _leading(path))
    api.add_exception_handler(LogInFirst, log_in_first)
    add_of_requests(api, say)
    add_of_the_hub(api, say)


def _saying(say: Say, status: int) -> Handler:
    return lambda request, error: say(request, status, str(error))


def _leading(path: str) -> Handler:
    return lambda _request, _error: RedirectResponse(path, 303)


def log_in_first(request: Request, _: Exception) -> Response:
    """Lead to the log-in, and after it back to what was asked for."""
    query = f"?{request.url.query}" if request.url.query else ""
    onward = f"{request.url.path}{query}" if request.method == "GET" else ""
    return RedirectResponse(link("/login", next="" if onward == "/" else onward), 303)


def add_of_requests(api: FastAPI, say: Say) -> None:
    """Register what is wrong with a request."""

    @api.exception_handler(RefusedForm)
    def refused(request: Request, error: RefusedForm) -> Response:
        return say(request, 403, (type(error).__doc__ or "").strip())

    @api.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        plain = error.detail == HTTPStatus(error.status_code).phrase
        reason = KNOWN.get(error.status_code, error.detail) if plain else error.detail
        response = say(request, error.status_code, reason)
        response.headers.update(error.headers or {})
        return response

    @api.exception_handler(RequestValidationError)
    def wrong(request: Request, error: RequestValidationError) -> Response:
        return say(request, 400, "; ".join(map(_told, error.errors())))


def add_of_the_hub(api: FastAPI, say: Say) -> None:
    """Register what the hub cannot do, now or at all."""

    def unavailable(request: Request, error: Exception) -> Response:
        log.warning("it could not be done now", path=_logged(request), error=str(error))
        response = say(request, 503, str(error))
        response.headers["retry-after"] = str(RETRY_AFTER_S)
        return response

    api.add_exception_handler(StoreUnavailable, unavailable)
    api.add_exception_handler(Overtaken, unavailable)

    @api.exception_handler(HubError)
    def failed(request: Request, error: HubError) -> Response:
        log.error("the page could not be made", path=_logged(request), error=str(error))
        return say(request, 500, str(error))


def _logged(request: Request) -> str:
    """Return the path for the log, without the token of a link that still works."""
    path = request.url.path
    return "/welcome/..." if path.startswith("/welcome/") else path


def _told(error: dict[str, object]) -> str:
    """Return one of pydantic's errors: the parameter and what is wrong with it."""
    loc = error.get("loc")
    place = [str(part) for part in loc if part not in {"query", "path", "body"}] if isinstance(loc, tuple) else []
    message = str(error.get("msg", "")).removeprefix("Value error, ")
    known = "this parameter is unknown" if error.get("type") == "extra_forbidden" else message
    return f"{'.'.join(place)}: {known}" if place else known
