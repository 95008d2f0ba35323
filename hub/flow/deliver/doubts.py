"""Deliveries in doubt: looked up, sent again under their key, or left to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hub.core.errors import (
    ConnectorError,
    HubError,
    QuotaExhausted,
    RateLimited,
    Retryable,
    Unauthorised,
    Unavailable,
)
from hub.core.ledger import LookUp, Recognition, Resend, State, resolve
from hub.core.model import Delivery
from hub.core.retry import asked_for
from hub.flow.bugs import tell
from hub.flow.deliver.contract import misfit_of_ref
from hub.flow.deliver.outcomes import describe_error, is_closed_door
from hub.flow.deliver.outlets import outlet_context
from hub.runtime import Hub
from hub.sdk import connectors
from hub.sdk.connectors import Destination
from hub.store.ledger.deliveries import Claim, Settlement

LOOK_AGAIN = timedelta(seconds=30)
_FOR_ALL = (Unavailable, RateLimited, QuotaExhausted, Unauthorised)
"""Errors of a look-up that the next one would meet too."""

_MAY_BE_THERE = frozenset({"Retryable", "RateLimited", "Unavailable"})
"""Errors after which it is in doubt what an earlier attempt did."""


class Worked(NamedTuple):
    """What became of a claim, and how each call went (None: well)."""

    settlements: list[Settlement]
    errors: list[ConnectorError | None]


def resolve_doubts(
    hub: Hub, destination: Destination[Any], claim: Claim, gone: frozenset[int]
) -> tuple[Sequence[Delivery], Worked]:
    """Return the deliveries of a claim to send (again), and what became of the others; those that are `gone` are looked for.

    If a look-up gets no answer, or all look-ups are refused, the others are not asked for either.
    """
    kind, worked = idempotency_of(hub, destination, claim), Worked([], [])
    # What is gone is not repeated even if the destination would recognise it: its words are no longer here.
    seek: Recognition = ("lookup", LOOK_AGAIN) if kind[0] == "native" else kind
    again: list[Delivery] = []
    for delivery in claim.deliveries:
        last = worked.errors[-1] if worked.errors else None
        if last is not None and (isinstance(last, _FOR_ALL) or is_closed_door(last)):
            worked.settlements.append(still_in_doubt(hub, delivery, last))
        elif doubt := resolve_doubt(
            hub, destination, delivery, seek if delivery.id in gone else kind, errors=worked.errors
        ):
            worked.settlements.append(doubt)
        else:
            again.append(delivery)
    return again, worked


def keep_doubt(settlement: Settlement) -> Settlement:
    """Keep a doubt after an error: an earlier attempt may have done it, and a key is forgotten after its window."""
    states: Mapping[State, State] = {"retry": "uncertain", "blocked": "uncertain", "parked": "uncertain"}
    given_up = settlement.state == "dead" and (settlement.error or {}).get("class") in _MAY_BE_THERE
    return settlement._replace(state="review" if given_up else states.get(settlement.state, settlement.state))


def resolve_doubt(
    hub: Hub,
    destination: Destination[Any],
    delivery: Delivery,
    kind: Recognition,
    *,
    errors: list[ConnectorError | None],
) -> Settlement | None:
    """Decide about a delivery in doubt; None: send it (again). How a look-up went is added to `errors`."""
    sent_at = delivery.first_sent_at or hub.now()
    step = resolve(kind, first_sent_at=sent_at, now=hub.now())
    if isinstance(step, Resend):
        return None
    if isinstance(step, LookUp):
        if step.at > hub.now():
            return Settlement(delivery.id, "uncertain", step.at, burns=False)
        return _look_up(hub, destination, delivery, errors)
    return Settlement(
        delivery.id,
        "review",
        error={"message": "in doubt: it may have been done, and the hub cannot tell"},
        burns=False,
    )


def _look_up(
    hub: Hub, destination: Destination[Any], delivery: Delivery, errors: list[ConnectorError | None]
) -> Settlement | None:
    try:
        ref = destination.lookup(outlet_context(hub, delivery.destination), delivery)
    except ConnectorError as error:
        hub.redact(delivery.destination, error)
        errors.append(error)
        if isinstance(error, Retryable | QuotaExhausted | Unauthorised) or is_closed_door(error):
            return still_in_doubt(hub, delivery, error)
        return Settlement(delivery.id, "review", error=describe_error(error), burns=False)
    except BaseException as error:  # noqa: BLE001 - told, and left to a person
        bug = tell(hub, delivery.destination, error, event="a plugin failed to look up", delivery=delivery.id)
        return Settlement(delivery.id, "review", error=describe_error(bug), burns=False)
    if (misfit := misfit_of_ref(ref)) is not None:
        bug = tell(hub, delivery.destination, misfit, event="a plugin failed to look up", delivery=delivery.id)
        return Settlement(delivery.id, "review", error=describe_error(bug), burns=False)
    errors.append(None)
    if ref is None:
        hub.store.resends.begin_anew([delivery.id], now=hub.now())
    return None if ref is None else Settlement(delivery.id, "delivered", ref=ref)


def still_in_doubt(hub: Hub, delivery: Delivery, error: ConnectorError) -> Settlement:
    """Try the look-up again later; no attempt is burnt."""
    again = _again_at(hub.now(), error)
    return Settlement(delivery.id, "uncertain", again, error=describe_error(error), burns=False)


def _again_at(now: datetime, error: HubError) -> datetime:
    wait = asked_for(getattr(error, "retry_after", None))
    return now + (timedelta(seconds=wait) if wait else LOOK_AGAIN)


def idempotency_of(hub: Hub, destination: Destination[Any], claim: Claim) -> Recognition:
    """Return a destination's idempotency class in the core's words; if its plugin fails to tell, it recognises nothing."""
    try:
        found = destination.idempotency_of(claim.object, claim.operation)
    except BaseException as error:  # noqa: BLE001 - told; a doubt is left to a person then
        tell(hub, claim.destination, error, event="a plugin failed to tell its idempotency", object=claim.object)
        return ("none", None)
    match found:
        case connectors.Upsert():
            return ("upsert", None)
        case connectors.Native(window):
            return ("native", window)
        case connectors.Lookup(lag):
            return ("lookup", lag)
        case _:
            return ("none", None)
