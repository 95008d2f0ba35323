"""What a person may do on the page: retry and discard deliveries, take raw items up again. Each answers with a redirect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from hub.flow.actions import deliveries as letters
from hub.flow.actions.deliveries import Letters
from hub.runtime import Hub
from hub.web.console.render import link
from hub.web.counters import Counters
from hub.web.forms import Forms
from hub.web.query import DeliveryQuery, Number

LONGEST_NOTE = 500
ACTOR = "console"  # the page knows no users
Form = Annotated[bytes, Body(media_type="application/x-www-form-urlencoded")]


def make_actions(hub: Hub, counters: Counters, forms: Forms) -> APIRouter:
    """The routes of the buttons."""
    actions = APIRouter(include_in_schema=False, default_response_class=Response)

    def back(path: str) -> Response:
        counters(fresh=True)
        return RedirectResponse(path, 303)

    @actions.post("/deliveries/{number}/retry")
    def retry(request: Request, number: Number, form: Form = b"") -> Response:
        """Make a delivery due again, and end its connection's pause."""
        forms.read(request, form)
        done = retry_delivery(hub, number)
        return back(f"/deliveries/{number}?said={'again' if done else 'unchanged'}")

    @actions.post("/deliveries/{number}/discard")
    def discard(request: Request, number: Number, form: Form = b"") -> Response:
        """Give a delivery up for good, with a note."""
        note = note_of(forms.read(request, form))
        done = discard_letters(hub, Letters(), note, ids=[number])
        return back(f"/deliveries/{number}?said={'discarded' if done else 'unchanged'}")

    @actions.post("/deliveries/retry")
    def retry_matching(request: Request, form: Form = b"") -> Response:
        """Make all that match due again."""
        wanted = matching(forms.read(request, form))
        done = letters.retry(hub, letters.retryable(hub, wanted), actor=ACTOR, wanted=wanted)
        return back(link("/deliveries", destination=wanted.destination, said="retried", count=done))

    @actions.post("/deliveries/discard")
    def discard_matching(request: Request, form: Form = b"") -> Response:
        """Give all that match up for good, with a note."""
        fields = forms.read(request, form)
        wanted = matching(fields)
        done = discard_letters(hub, wanted, note_of(fields))
        return back(link("/deliveries", destination=wanted.destination, said="discarded", count=done))

    @actions.post("/failed/{number}/retry")
    def retry_raw(request: Request, number: Number, form: Form = b"") -> Response:
        """Take a raw item up again."""
        forms.read(request, form)
        retry_raws(hub, [number])
        return back("/failed?said=again")

    @actions.post("/failed/retry")
    def retry_all(request: Request, form: Form = b"") -> Response:
        """Take all of them up again."""
        forms.read(request, form)
        retry_raws(hub, None)
        return back("/failed?said=all")

    return actions


def matching(fields: Mapping[str, str]) -> Letters:
    """The deliveries that a form names: a state always, so that nobody means more than the page shows."""
    try:
        query = DeliveryQuery(state=fields.get("state"), destination=fields.get("destination"))  # type: ignore[arg-type]  # checked there
    except ValidationError:
        raise HTTPException(400, "There is no such state or destination.") from None
    if query.state is None:
        raise HTTPException(400, "Choose a state first.")
    return Letters(state=query.state, destination=query.destination)


def note_of(fields: Mapping[str, str]) -> str:
    """The note of a form; 400 without one."""
    note = fields.get("note", "").replace("\x00", "").strip()[:LONGEST_NOTE]
    if not note:
        raise HTTPException(400, "Say why: the note is kept with the delivery.")
    return note


def discard_letters(hub: Hub, wanted: Letters, note: str, *, ids: list[int] | None = None) -> int:
    """As `hub deliveries discard`."""
    rows = letters.discardable(hub, wanted, ids=ids)
    return letters.discard(hub, rows, actor=ACTOR, note_=note, wanted=wanted)


def retry_delivery(hub: Hub, number: int) -> bool:
    """As `hub deliveries retry`: due now, under the same key; False where its state does not allow it."""
    if hub.store.outbox.get(number) is None:
        raise HTTPException(404, "There is no such delivery.")
    rows = letters.retryable(hub, Letters(), ids=[number])
    return bool(letters.retry(hub, rows, actor=ACTOR, wanted=Letters()))


def retry_raws(hub: Hub, ids: list[int] | None) -> None:
    """As `hub signals retry`."""
    hub.store.inbox.retry(ids, now=hub.now())
    hub.bell.ring("process")
