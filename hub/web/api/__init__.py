"""The JSON API: one file a noun. Errors are {"error": why}."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hub.web.api import deliveries, signals, status
from hub.web.serving import Serving


def make_api(serving: Serving) -> APIRouter:
    """Make the routes under /api."""
    api = APIRouter(prefix="/api", default_response_class=Response)
    for noun in (signals, deliveries, status):
        noun.add_routes(api, serving)
    return api
