"""The pages that are looked at."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from hub.core.ledger import STATES
from hub.flow.views import pages as view
from hub.runtime import Hub
from hub.web.api import Key
from hub.web.console.render import Renderer, link
from hub.web.counters import Counters
from hub.web.query import DeliveryQuery, FailedQuery, Number, Paged, SignalQuery

SAID = {
    "again": "It is due again, under the same key.",
    "discarded": "It is discarded; the note is kept.",
    "unchanged": "Nothing was changed: it is in another state by now.",
}

BULK = {"dead": ("retry", "discard"), "review": ("discard",)} | dict.fromkeys(
    ("retry", "parked", "blocked"), ("retry",)
)
"""What may be done to all of a state at once; what waits for approval is let go one by one."""


def make_pages(hub: Hub, counters: Counters, renderer: Renderer) -> APIRouter:
    """The routes of the pages."""
    pages = APIRouter(include_in_schema=False, default_response_class=Response)

    @pages.get("/")
    def signals(request: Request, query: Annotated[SignalQuery, Query()]) -> Response:
        """Signals as they arrive."""
        rows = view.signals(hub, query.wanted(hub.settings.hub.uncertain_below))
        values = {"rows": rows, "query": query, "older": older_link("/", rows, query)}
        return renderer.show(request, "signals.html", {**values, "totals": counters(), "health": view.health(hub)})

    @pages.get("/signals/{key}")
    def signal(request: Request, key: Key) -> Response:
        """One signal, whole."""
        row = known(view.signal(hub, key), "There is no signal with this key, or more than one key begins so.")
        return renderer.show(request, "signal.html", {"signal": row})

    @pages.get("/deliveries")
    def deliveries(request: Request, query: Annotated[DeliveryQuery, Query()]) -> Response:
        """What lands where."""
        rows = view.deliveries(hub, **query.wanted())
        names = sorted({*hub.settings.destinations, *counters()["deliveries"]})
        values = {"rows": rows, "query": query, "older": older_link("/deliveries", rows, query)}
        choices = {
            "states": STATES,
            "destinations": names,
            "health": view.health(hub),
            "bulk": BULK.get(query.state or "", ()),
        }
        return renderer.show(request, "deliveries.html", {**values, **choices})

    @pages.get("/deliveries/{number}")
    def delivery(request: Request, number: Number, said: str = "") -> Response:
        """One delivery, whole, with what a person may do about it."""
        row = known(view.delivery(hub, number), "There is no such delivery.")
        return renderer.show(request, "delivery.html", {"row": row, "said": SAID.get(said, "")})

    @pages.get("/failed")
    def failed(request: Request, query: Annotated[FailedQuery, Query()]) -> Response:
        """Raw items that could not be translated."""
        rows = view.failed(hub, limit=query.limit, before=query.before)
        older = older_link("/failed", rows, query)
        said = {"again": "It is taken up again.", "all": "All of them are taken up again."}.get(query.said, "")
        return renderer.show(request, "failed.html", {"rows": rows, "older": older, "said": said})

    @pages.get("/failed/{number}")
    def raw(request: Request, number: Number) -> Response:
        """One raw item, as it came."""
        item = known(view.raw(hub, number), "There is no such raw item, or it was erased.")
        return renderer.show(request, "raw.html", {"raw": item})

    return pages


def known(value: dict[str, Any] | None, missing: str) -> dict[str, Any]:
    """What was found; 404 where it was not."""
    if value is None:
        raise HTTPException(404, missing)
    return value


def older_link(path: str, rows: list[dict[str, Any]], query: Paged | FailedQuery) -> str:
    """Where the page goes on; "" at the end."""
    if len(rows) < query.limit:
        return ""
    kept = query.model_dump(exclude_defaults=True, exclude={"before", "after", "said", "count"})
    return link(path, **kept, before=min(row["id"] for row in rows))
