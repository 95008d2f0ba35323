"""The JSON API: signals, explanations, deliveries, status. Errors are {"error": why}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Path, Query, Response

from hub.flow.views import pages as view
from hub.flow.views.explain import explain as explained
from hub.runtime import Hub
from hub.web.counters import Counters
from hub.web.query import NO_CONTROLS, DeliveryQuery, Number, Paged, SignalQuery

Key = Annotated[str, Path(max_length=96, pattern=NO_CONTROLS)]


def make_api(hub: Hub, counters: Counters) -> APIRouter:
    """The routes under /api."""
    api = APIRouter(prefix="/api", default_response_class=Response)

    @api.get("/signals")
    def signals(query: Annotated[SignalQuery, Query()]) -> Response:
        """A page of signals; `next` goes on in the same direction, null at the end."""
        return page("signals", view.signals(hub, query.wanted(hub.settings.hub.uncertain_below)), query)

    @api.get("/signals/{key}")
    def signal(key: Key) -> Response:
        """One signal, whole."""
        return found(view.signal(hub, key), f"no signal, or more than one, has a key that begins with '{key}'")

    @api.get("/explain/{key}")
    def explain(key: Key) -> Response:
        """Why a signal became these records, and why not others; as `hub explain --json`."""
        return found(explained(hub, key), f"no signal, or more than one, has a key that begins with '{key}'")

    @api.get("/deliveries")
    def deliveries(query: Annotated[DeliveryQuery, Query()]) -> Response:
        """A page of deliveries."""
        return page("deliveries", view.deliveries(hub, **query.wanted()), query)

    @api.get("/deliveries/{number}")
    def delivery(number: Number) -> Response:
        """One delivery, whole."""
        return found(view.delivery(hub, number), f"there is no delivery {number}")

    @api.get("/status")
    def status() -> Response:
        """Counters, pauses, failing sources, processes alive."""
        return answer({**counters(), **view.health(hub)})

    return api


def answer(value: Any) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def found(value: Any, missing: str) -> Response:
    """A value as JSON; 404 where there is none."""
    if value is None:
        raise HTTPException(404, missing)
    return answer(value)


def page(name: str, rows: Sequence[dict[str, Any]], query: Paged) -> Response:
    """A page and where it goes on: `next` is the value of `before` (or `after`) for the next request."""
    more = rows[-1]["id"] if len(rows) == query.limit else None
    return answer({name: rows, "next": more})
