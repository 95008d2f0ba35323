"""The web process: the inbound door beside a FastAPI application with health, API and console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from fastapi import Depends, FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.requests import ClientDisconnect

from hub.runtime import Hub
from hub.web import api as json_api
from hub.web.asker import entry
from hub.web.bodies import Receive
from hub.web.complaints import Complaints
from hub.web.console.actions import make_actions
from hub.web.console.admin import make_admin
from hub.web.console.entrance import make_entrance
from hub.web.console.own import make_demo, make_own
from hub.web.console.pages import make_pages
from hub.web.console.provider import make_provider
from hub.web.console.render import FOLDER, Renderer
from hub.web.failures import RETRY_AFTER_S, answer_failures
from hub.web.inbound import PREFIX, InboundDoor, Scope, Send
from hub.web.limits import USUAL, Limits
from hub.web.metrics import make_metrics
from hub.web.serving import Serving
from hub.web.shield import Shield, no_users


class WebApp:
    """An ASGI application: `/in/...` goes to the bare door, all else through the shield to FastAPI (with the lifespan)."""

    def __init__(self, hub: Hub, *, limits: Limits = USUAL, complaints: Complaints | None = None) -> None:
        self.limits = limits
        self.complaints = complaints or Complaints()
        self.serving = Serving(hub)
        self.door = InboundDoor(hub, limits)
        self.pages = make_api(self.serving, self._open, self._close)
        self.api = shielded(self.pages, self.serving)

    def serve(self, hub: Hub) -> None:
        """Serve this hub from now on: what is made of routes and templates stays, all that is the hub's is made for it."""
        self.serving.serve(hub)
        self.door = InboundDoor(hub, self.limits)
        self.api = shielded(self.pages, self.serving)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to its door."""
        try:
            if scope["type"] == "http" and scope["path"].startswith(PREFIX):
                await self.door(scope, receive, send)
            else:
                await self.api(scope, receive, send)
        except ClientDisconnect:
            self.complaints.tell("a caller went away in the middle of its request", path=scope.get("path", ""))

    def _open(self) -> None:
        self.door.open()

    def _close(self) -> None:
        self.door.close()
        self.serving.provider.close()


def shielded(pages: FastAPI, serving: Serving) -> Shield:
    """Put the shield of this hub's addresses around the pages."""
    settings = serving.hub.settings
    # `local` is this machine only, however many could log in.
    has_users = serving.has_users if settings.web.console != "local" else no_users
    return Shield(
        pages,
        host=settings.web.host,
        public_url=settings.public_url,
        readers=settings.console_for,
        has_users=has_users,
    )


def make_api(serving: Serving, open_: Callable[[], None], close: Callable[[], None]) -> FastAPI:
    """Make health, API and console; `open_` is called before the first request, `close` after the last."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        open_()
        yield
        await asyncio.to_thread(close)

    api = FastAPI(title="Hubbub", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @api.get("/healthz")
    def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @api.get("/readyz")
    def readyz(response: Response, *, accept: str | None = None) -> dict[str, Any]:
        """Say if posts can be stored and are processed, 503 if not; `?accept` judges the first only, for load balancers."""
        found = serving.readiness()
        if not (found.processes if accept is None else found.accepts):
            response.status_code = 503
            response.headers["retry-after"] = str(RETRY_AFTER_S)
        told: dict[str, Any] = msgspec.to_builtins(found)
        return {"status": found.status, "accepts": found.accepts, "processes": found.processes, **told}

    add_pages(api, serving)
    return api


def add_description(api: FastAPI, behind: Sequence[Any]) -> None:
    """Add the API's description, behind the log-in as all else."""

    @api.get("/openapi.json", include_in_schema=False, dependencies=behind)
    def openapi() -> JSONResponse:
        """Return the description in OpenAPI's form."""
        return JSONResponse(api.openapi())


def add_pages(api: FastAPI, serving: Serving) -> None:
    """Add the JSON API, the console and its files."""
    renderer = Renderer(serving)
    behind = [Depends(entry(serving))]
    for routes in (
        json_api.make_api(serving),
        make_metrics(serving),
        make_pages(serving, renderer),
        make_actions(serving),
        make_own(serving, renderer),
        make_demo(serving),
        make_admin(serving, renderer),
    ):
        api.include_router(routes, dependencies=behind)
    api.include_router(make_entrance(serving, renderer))
    api.include_router(make_provider(serving))
    add_description(api, behind)
    api.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    answer_failures(api, renderer)
