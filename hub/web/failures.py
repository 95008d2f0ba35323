"""What went wrong, said as the asker reads it: JSON under /api and at the health doors, a page elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from hub.core.access import NotAllowed
from hub.core.errors import HubError, Overtaken, StoreUnavailable
from hub.web.console.render import Renderer
from hub.web.forms import RefusedForm

log = structlog.get_logger(__name__)
RETRY_AFTER_S = 5


def answer_failures(api: FastAPI, renderer: Renderer) -> None:
    """Register the handlers."""

    def say(request: Request, status: int, reason: str) -> Response:
        if request.url.path.startswith("/api/"):
            return Response(msgspec.json.encode({"error": reason}), status, media_type="application/json")
        values = {"title": HTTPStatus(status).phrase, "reason": reason}
        return renderer.show(request, "error.html", values, status=status)

    def refused(request: Request, error: Exception) -> Response:
        return say(request, 403, (type(error).__doc__ or "").strip())

    def forbidden(request: Request, error: Exception) -> Response:
        return say(request, 403, str(error))

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = {404: "There is no such page.", 405: "This address takes no such request."}
        plain = error.detail == HTTPStatus(error.status_code).phrase
        response = say(
            request, error.status_code, known.get(error.status_code, error.detail) if plain else error.detail
        )
        response.headers.update(error.headers or {})
        return response

    def wrong(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return say(request, 400, "; ".join(map(_told, error.errors())))

    def unavailable(request: Request, error: Exception) -> Response:
        log.warning("it could not be done now", path=request.url.path, error=str(error))
        response = say(request, 503, str(error))
        response.headers["retry-after"] = str(RETRY_AFTER_S)
        return response

    def failed(request: Request, error: Exception) -> Response:
        log.error("the page could not be made", path=request.url.path, error=str(error))
        return say(request, 500, str(error))

    handlers: dict[type[Exception], Callable[[Request, Exception], Response]] = {
        RefusedForm: refused,
        NotAllowed: forbidden,
        HTTPException: http,
        RequestValidationError: wrong,
        StoreUnavailable: unavailable,
        Overtaken: unavailable,
        HubError: failed,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _told(error: dict[str, object]) -> str:
    """Return one of pydantic's errors: the parameter and what is wrong with it."""
    loc = error.get("loc")
    place = [str(part) for part in loc if part not in {"query", "path", "body"}] if isinstance(loc, tuple) else []
    message = str(error.get("msg", "")).removeprefix("Value error, ")
    known = "this parameter is unknown" if error.get("type") == "extra_forbidden" else message
    return f"{'.'.join(place)}: {known}" if place else known
