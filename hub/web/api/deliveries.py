"""Deliveries."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub.flow.views import deliveries as view
from hub.web.api.answers import found, page
from hub.web.asker import actor
from hub.web.query import DeliveryQuery, Number
from hub.web.serving import Serving


def add_routes(api: APIRouter, serving: Serving) -> None:
    """Add the routes of deliveries."""

    @api.get("/deliveries")
    def deliveries(request: Request, query: Annotated[DeliveryQuery, Query()]) -> Response:
        """Return a page of deliveries."""
        return page("deliveries", view.page(serving.hub, actor(request), **query.wanted()), query)

    @api.get("/deliveries/{number}")
    def delivery(request: Request, number: Number) -> Response:
        """Return one delivery, whole."""
        return found(view.one(serving.hub, actor(request), number), f"there is no delivery {number}")
