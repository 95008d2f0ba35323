"""The pages that are looked at."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from hub.core.ledger import STATES
from hub.flow.views import connectors, health
from hub.flow.views import deliveries as delivery_view
from hub.flow.views import signals as signal_view
from hub.web.api.answers import Key
from hub.web.asker import actor
from hub.web.console.render import Renderer, link
from hub.web.query import DeliveryQuery, FailedQuery, Number, Paged, SignalQuery
from hub.web.serving import Serving

SAID = {
    "again": "It is due again, under the same key.",
    "discarded": "It is discarded; the note is kept.",
    "approved": "It is approved, and is posted next.",
    "refused": "It is refused; its agent reads the note.",
    "unchanged": "Nothing was changed: it is in another state by now.",
}

BULK = {"dead": ("retry", "discard"), "review": ("discard",)} | dict.fromkeys(
    ("retry", "parked", "blocked"), ("retry",)
)
"""What may be done to all of a state at once; what waits for approval is let go one by one."""


def make_pages(serving: Serving, renderer: Renderer) -> APIRouter:
    """Make the routes of the pages."""
    pages = APIRouter(include_in_schema=False, default_response_class=Response)

    @pages.get("/")
    def signals(request: Request, query: Annotated[SignalQuery, Query()]) -> Response:
        """Show signals as they arrive."""
        rows = signal_view.page(serving.hub, actor(request), query.wanted(serving.hub.settings.hub.uncertain_below))
        values = {"rows": rows, "query": query, "older": older_link("/", rows, query)}
        return renderer.show(
            request, "signals.html", {**values, **_state(serving, request), "totals": serving.counters(actor(request))}
        )

    @pages.get("/signals/{key}")
    def signal(request: Request, key: Key) -> Response:
        """Show one signal, whole."""
        row = known(
            signal_view.one(serving.hub, actor(request), key),
            "There is no signal with this key, or more than one key begins so.",
        )
        return renderer.show(request, "signal.html", {"signal": row})

    @pages.get("/deliveries")
    def deliveries(request: Request, query: Annotated[DeliveryQuery, Query()]) -> Response:
        """Show what lands where."""
        rows = delivery_view.page(serving.hub, actor(request), **query.wanted())
        names = sorted(
            {*connectors.destinations(serving.hub, actor(request)), *serving.counters(actor(request))["deliveries"]}
        )
        values = {"rows": rows, "query": query, "older": older_link("/deliveries", rows, query)}
        choices = {
            "states": STATES,
            "destinations": names,
            **_state(serving, request),
            "bulk": BULK.get(query.state or "", ()),
        }
        return renderer.show(request, "deliveries.html", {**values, **choices})

    @pages.get("/deliveries/{number}")
    def delivery(request: Request, number: Number, said: str = "") -> Response:
        """Show one delivery, whole, with what a person may do about it."""
        row = known(delivery_view.one(serving.hub, actor(request), number), "There is no such delivery.")
        return renderer.show(request, "delivery.html", {"row": row, "said": SAID.get(said, "")})

    @pages.get("/failed")
    def failed(request: Request, query: Annotated[FailedQuery, Query()]) -> Response:
        """Show raw items that could not be translated."""
        rows = signal_view.failed(serving.hub, actor(request), limit=query.limit, before=query.before)
        older = older_link("/failed", rows, query)
        said = {"again": "It is taken up again.", "all": "All of them are taken up again."}.get(query.said, "")
        return renderer.show(request, "failed.html", {"rows": rows, "older": older, "said": said})

    @pages.get("/failed/{number}")
    def raw(request: Request, number: Number) -> Response:
        """Show one raw item, as it came."""
        item = known(
            signal_view.raw(serving.hub, actor(request), number), "There is no such raw item, or it was erased."
        )
        return renderer.show(request, "raw.html", {"raw": item})

    return pages


def _state(serving: Serving, request: Request) -> dict[str, Any]:
    """Return what every listing says of the hub."""
    return {"health": health.health(serving.hub, actor(request))}


def known(value: dict[str, Any] | None, missing: str) -> dict[str, Any]:
    """Return what was found; 404 if it was not."""
    if value is None:
        raise HTTPException(404, missing)
    return value


def older_link(path: str, rows: list[dict[str, Any]], query: Paged | FailedQuery) -> str:
    """Return where the page goes on; "" at the end."""
    if len(rows) < query.limit:
        return ""
    kept = query.model_dump(exclude_defaults=True, exclude={"before", "after", "said", "count"})
    return link(path, **kept, before=min(row["id"] for row in rows))
