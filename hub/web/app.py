"""The web process: the inbound door beside a FastAPI application with health, API and console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI, Response

from hub.core.errors import HubError
from hub.runtime import Hub
from hub.web.inbound import PREFIX, InboundDoor, Receive, Scope, Send

ALIVE = timedelta(seconds=45)


class WebApp:
    """An ASGI application: `/in/...` goes to the bare door, all else to FastAPI (with the process's lifespan)."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.door = InboundDoor(hub)
        self.api = make_api(hub, self.door)

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

    return api
