"""The web process: the inbound door beside a FastAPI application with health, API and console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from fastapi import FastAPI, Response
from fastapi.staticfiles import StaticFiles

from hub.core.errors import HubError
from hub.flow.views import pages as view
from hub.runtime import Hub
from hub.web import api as json_api
from hub.web.console.actions import make_actions
from hub.web.console.pages import make_pages
from hub.web.console.render import FOLDER, Renderer
from hub.web.counters import Counters
from hub.web.failures import answer_failures
from hub.web.forms import Forms
from hub.web.inbound import PREFIX, InboundDoor, Receive, Scope, Send
from hub.web.metrics import make_metrics
from hub.web.shield import Shield

ALIVE = timedelta(seconds=45)


class WebApp:
    """An ASGI application: `/in/...` goes to the bare door, all else through the shield to FastAPI (with the lifespan)."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.door = InboundDoor(hub)
        self.api = Shield(make_api(hub, self.door), hub.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to its door."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self.door(scope, receive, send)
        else:
            await self.api(scope, receive, send)


def make_api(hub: Hub, door: InboundDoor) -> FastAPI:
    """Health, API and console."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        door.writer.open()
        yield
        await asyncio.to_thread(door.writer.close)

    api = FastAPI(title="Hubbub", lifespan=lifespan, docs_url=None, redoc_url=None)

    @api.get("/healthz")
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @api.get("/readyz")
    def readyz(response: Response) -> dict[str, Any]:
        """The database can be read; who else is alive is told, not judged."""
        try:
            beats = hub.store.connections.beats(since=hub.now() - ALIVE)
        except HubError as error:
            response.status_code = 503
            return {"status": "unavailable", "reason": str(error)}
        return {"status": "ok", "alive": [beat["name"] for beat in beats]}

    add_pages(api, hub)
    return api


def add_pages(api: FastAPI, hub: Hub) -> None:
    """The JSON API, the console and its files."""
    counters = Counters(partial(view.totals, hub))
    forms = Forms(hub.settings.public_url)
    renderer = Renderer(forms)
    api.include_router(json_api.make_api(hub, counters))
    api.include_router(make_metrics(hub, counters))
    api.include_router(make_pages(hub, counters, renderer))
    api.include_router(make_actions(hub, counters, forms))
    api.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    answer_failures(api, renderer)
