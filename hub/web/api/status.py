"""How the hub does."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hub.flow.views import health
from hub.web.api.answers import answer
from hub.web.asker import actor
from hub.web.serving import Serving


def add_routes(api: APIRouter, serving: Serving) -> None:
    """Add the route of the status."""

    @api.get("/status")
    def status(request: Request) -> Response:
        """Return counters, pauses, failing sources, processes alive."""
        return answer({**serving.counters(actor(request)), **health.health(serving.hub, actor(request))})
