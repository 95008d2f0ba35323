"""A browser without a socket: asks an ASGI application, keeps cookies, sends forms as a page would."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx

from hub.runtime import Hub
from hub.web.app import WebApp
from tests.hubs import Made

ORIGIN = "http://127.0.0.1:8600"
_TOKEN = re.compile(r'name="token" value="([\w-]+)"')


class _Kept:
    """The application of the session: to make its routes and templates takes longer than most tests."""

    app: ClassVar[WebApp | None] = None

    @classmethod
    def serve(cls, hub: Hub) -> WebApp:
        """Serve this hub, with the one application that there is."""
        app = cls.app = cls.app or WebApp(hub)
        if app.serving.hub is not hub:
            app.serve(hub)
        return app


class Browser:
    """Looks at a hub's pages; every call runs in an event loop of its own."""

    def __init__(self, made: Made) -> None:
        self.app = _Kept.serve(made.hub)
        self.cookies = httpx.Cookies()

    def get(self, path: str, *, base: str = ORIGIN, **headers: str) -> httpx.Response:
        """An answer to GET."""
        return self.ask("GET", path, base=base, headers=headers)

    def json(self, path: str) -> Any:
        """What the API says, where it says 200."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def press(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Send a form of a page, with the page's token and the browser's origin."""
        found = _TOKEN.search(self.get(page).text)
        assert found, f"{page} has no form"
        return self.post(action, {"token": found[1], **fields})

    def post(self, path: str, fields: Mapping[str, str], *, origin: str | None = ORIGIN) -> httpx.Response:
        """Send a form."""
        headers = {"origin": origin} if origin is not None else {}
        return self.ask("POST", path, headers=headers, data=dict(fields))

    def ask(self, method: str, path: str, *, base: str = ORIGIN, **given: Any) -> httpx.Response:
        """One request."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=base, cookies=self.cookies) as client:
                answer = await client.request(method, path, **given)
                self.cookies.update(client.cookies)
                return answer

        return asyncio.run(send())
