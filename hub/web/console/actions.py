"""What a person may do on the page: deliveries, replies and raw items that failed. Each answers with a redirect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from hub.flow.actions import deliveries, replies, signals
from hub.flow.actions.deliveries import Letters
from hub.flow.views.deliveries import one as known_delivery
from hub.web.asker import actor
from hub.web.console.render import link
from hub.web.query import DeliveryQuery, Number
from hub.web.serving import Serving

LONGEST_NOTE = 500
Form = Annotated[bytes, Body(media_type="application/x-www-form-urlencoded")]


def make_actions(serving: Serving) -> APIRouter:
    """Make the routes of the buttons."""
    routes = APIRouter(include_in_schema=False, default_response_class=Response)
    add_of_deliveries(routes, serving)
    add_of_many(routes, serving)
    add_of_replies(routes, serving)
    add_of_signals(routes, serving)
    return routes


def add_of_deliveries(routes: APIRouter, serving: Serving) -> None:
    """Add the buttons of one delivery."""

    @routes.post("/deliveries/{number}/retry")
    def retry(request: Request, number: Number, form: Form = b"") -> Response:
        """Make a delivery due again, and end its connection's pause."""
        serving.forms.read(request, form)
        _demand_delivery(serving, request, number)
        done = deliveries.retry(serving.hub, actor(request), Letters(), ids=[number])
        return _back(serving, f"/deliveries/{number}?said={'again' if done else 'unchanged'}")

    @routes.post("/deliveries/{number}/discard")
    def discard(request: Request, number: Number, form: Form = b"") -> Response:
        """Give a delivery up for good, with a note."""
        note = note_of(serving.forms.read(request, form))
        _demand_delivery(serving, request, number)
        done = deliveries.discard(serving.hub, actor(request), Letters(), note=note, ids=[number])
        return _back(serving, f"/deliveries/{number}?said={'discarded' if done else 'unchanged'}")


def add_of_many(routes: APIRouter, serving: Serving) -> None:
    """Add the buttons of all deliveries of a state."""

    @routes.post("/deliveries/retry")
    def retry_matching(request: Request, form: Form = b"") -> Response:
        """Make all that match due again."""
        wanted = matching(serving.forms.read(request, form))
        done = deliveries.retry(serving.hub, actor(request), wanted)
        return _back(serving, link("/deliveries", destination=wanted.destination, said="retried", count=done))

    @routes.post("/deliveries/discard")
    def discard_matching(request: Request, form: Form = b"") -> Response:
        """Give all that match up for good, with a note."""
        fields = serving.forms.read(request, form)
        wanted = matching(fields)
        done = deliveries.discard(serving.hub, actor(request), wanted, note=note_of(fields))
        return _back(serving, link("/deliveries", destination=wanted.destination, said="discarded", count=done))


def add_of_replies(routes: APIRouter, serving: Serving) -> None:
    """Add the buttons of a reply that waits for approval."""

    def answer(number: int, said: str) -> Response:
        return _back(serving, f"/deliveries/{number}?said={said}")

    @routes.post("/replies/{number}/approve")
    def approve(request: Request, number: Number, form: Form = b"") -> Response:
        """Let a reply out."""
        serving.forms.read(request, form)
        _demand_delivery(serving, request, number)
        try:
            replies.approve(serving.hub, actor(request), [number])
        except replies.NotWaiting:  # another had the word first
            return answer(number, "unchanged")
        return answer(number, "approved")

    @routes.post("/replies/{number}/refuse")
    def refuse(request: Request, number: Number, form: Form = b"") -> Response:
        """Refuse a reply, with a note that its agent reads."""
        note = note_of(serving.forms.read(request, form))
        _demand_delivery(serving, request, number)
        try:
            replies.refuse(serving.hub, actor(request), [number], note=note)
        except replies.NotWaiting:
            return answer(number, "unchanged")
        return answer(number, "refused")


def add_of_signals(routes: APIRouter, serving: Serving) -> None:
    """Add the buttons of raw items that failed."""

    @routes.post("/failed/{number}/retry")
    def retry_raw(request: Request, number: Number, form: Form = b"") -> Response:
        """Take a raw item up again."""
        serving.forms.read(request, form)
        signals.retry(serving.hub, actor(request), [number])
        return _back(serving, "/failed?said=again")

    @routes.post("/failed/retry")
    def retry_all(request: Request, form: Form = b"") -> Response:
        """Take all of them up again."""
        serving.forms.read(request, form)
        signals.retry(serving.hub, actor(request))
        return _back(serving, "/failed?said=all")


def matching(fields: Mapping[str, str]) -> Letters:
    """Return the deliveries that a form names: a state always, so that it means no more than the page shows."""
    try:
        query = DeliveryQuery(state=fields.get("state"), destination=fields.get("destination"))  # type: ignore[arg-type]  # checked there
    except ValidationError:
        raise HTTPException(400, "There is no such state or destination.") from None
    if query.state is None:
        raise HTTPException(400, "Choose a state first.")
    return Letters(state=query.state, destination=query.destination)


def note_of(fields: Mapping[str, str]) -> str:
    """Return the note of a form; 400 without one."""
    note = fields.get("note", "").replace("\x00", "").strip()[:LONGEST_NOTE]
    if not note:
        raise HTTPException(400, "Say why: the note is kept with the delivery.")
    return note


def _back(serving: Serving, path: str) -> Response:
    serving.count_again()
    return RedirectResponse(path, 303)


def _demand_delivery(serving: Serving, request: Request, number: int) -> None:
    if known_delivery(serving.hub, actor(request), number) is None:
        raise HTTPException(404, "There is no such delivery.")
