"""What a person may do on the page: retry and discard deliveries, take raw items up again. Each answers with a redirect."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from hub.flow.back.reply import discard as give_up
from hub.runtime import Hub
from hub.web.counters import Counters
from hub.web.forms import Forms
from hub.web.query import Number

LONGEST_NOTE = 500
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
        note = forms.read(request, form).get("note", "").strip()[:LONGEST_NOTE]
        if not note:
            raise HTTPException(400, "Say why: the note is kept with the delivery.")
        done = give_up(hub, [number], note=note.replace("\x00", ""))
        return back(f"/deliveries/{number}?said={'discarded' if done else 'unchanged'}")

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


def retry_delivery(hub: Hub, number: int) -> bool:
    """As `hub deliveries retry`: due now, under the same key; False where its state does not allow it."""
    row = hub.store.outbox.get(number)
    if row is None:
        raise HTTPException(404, "There is no such delivery.")
    if not hub.store.outbox.retry([number], now=hub.now()):
        return False
    hub.store.connections.resume(row["destination"], now=hub.now())
    hub.bell.ring("deliver", row["destination"])
    return True


def retry_raws(hub: Hub, ids: list[int] | None) -> None:
    """As `hub signals retry`."""
    hub.store.inbox.retry(ids, now=hub.now())
    hub.bell.ring("process")
