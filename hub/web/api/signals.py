"""Signals and why they became what they became."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub.flow.views import explain as explained
from hub.flow.views import signals as view
from hub.web.api.answers import Key, found, page
from hub.web.asker import actor
from hub.web.query import SignalQuery
from hub.web.serving import Serving


def add_routes(api: APIRouter, serving: Serving) -> None:
    """Add the routes of signals."""

    @api.get("/signals")
    def signals(request: Request, query: Annotated[SignalQuery, Query()]) -> Response:
        """Return a page of signals; `next` goes on in the same direction, null at the end."""
        wanted = query.wanted(serving.hub.settings.hub.uncertain_below)
        return page("signals", view.page(serving.hub, actor(request), wanted), query)

    @api.get("/signals/{key}")
    def signal(request: Request, key: Key) -> Response:
        """Return one signal, whole."""
        return found(view.one(serving.hub, actor(request), key), view.NO_SUCH.format(key))

    @api.get("/explain/{key}")
    def explain(request: Request, key: Key) -> Response:
        """Tell why a signal became these records, and why not others; as `hub explain --json`."""
        return found(explained.explain(serving.hub, actor(request), key), view.NO_SUCH.format(key))
