"""What an outcome means for the ledger: the state that follows, and the error as it is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub.config.logs import LateLogger
from hub.core.errors import ConnectorError, Rejected
from hub.core.ledger import State, settle
from hub.core.model import Delivery
from hub.core.retry import SCHEDULE, Block, RetryDecision, decide
from hub.runtime import Hub
from hub.sdk.connectors import Outcome
from hub.store.ledger.deliveries import Settlement

log = LateLogger(__name__)

PAUSE = timedelta(minutes=5)


def settle_one(hub: Hub, delivery: Delivery, outcome: Outcome) -> Settlement:
    """Return the ledger's next state for one outcome."""
    if outcome.error is None:
        log.debug("delivered", delivery=delivery.id, signal=delivery.signal_key, object=delivery.object)
        left = (
            {"note": f"only a person can remove what is left there: {', '.join(outcome.left)}"}
            if outcome.left
            else None
        )
        return Settlement(delivery.id, "delivered", ref=outcome.ref, error=left, moved=outcome.moved)
    decision = decide_about(hub, delivery, outcome.error)
    settled = settle(decision)
    state, due_at = settled.state, hub.now() + PAUSE if settled.state == "blocked" else settled.due_at
    if state == "uncertain":
        state, due_at = in_doubt(hub, delivery)
    log.warning(
        "not delivered",
        delivery=delivery.id,
        signal=delivery.signal_key,
        object=delivery.object,
        state=state,
        **named(outcome.error),
    )
    error = describe_error(outcome.error)
    if delivery.operation == "tombstone" and outcome.error.details:
        # The answer may quote what the hub has forgotten already: nothing could find it here any more.
        error |= {"message": f"{outcome.error.in_our_words()} (an answer about what is erased is not kept)"}
        del error["details"]
    return Settlement(delivery.id, state, due_at, outcome.ref, error, settled.burns_attempt)


def named(error: ConnectorError) -> dict[str, str]:
    """Return what a log may say of an error: a vendor's own words may quote a person's, so they stand in the ledger only."""
    field = error.field if isinstance(error, Rejected) else None
    found = {"error": type(error).__name__, "code": error.code, "field": field}
    return {name: value for name, value in found.items() if value}


def in_doubt(hub: Hub, delivery: Delivery) -> tuple[State, datetime]:
    """Return when a doubt is looked into: at once the first time, then ever more slowly; in the end a person decides.

    A vendor that drops every connection would else be asked without end and without a pause.
    """
    wait = 0 if delivery.attempt <= 1 else SCHEDULE[min(delivery.attempt, len(SCHEDULE)) - 1]
    return "review" if delivery.attempt >= len(SCHEDULE) else "uncertain", hub.now() + timedelta(seconds=wait)


def decide_about(hub: Hub, delivery: Delivery, error: ConnectorError) -> RetryDecision:
    """Decide about an error; if our own rules forbid the way out, the configuration is at fault, not the record."""
    if is_closed_door(error):
        return Block(str(error))
    return decide(error, attempt=delivery.attempt, now=hub.now(), jitter=hub.jitter())


def is_closed_door(error: ConnectorError | None) -> bool:
    """Return True if the guard refused to let the request out (`hub.sdk.http`, code "egress")."""
    return isinstance(error, Rejected) and error.code == "egress"


def describe_error(error: ConnectorError) -> dict[str, Any]:
    """Return an error as the ledger keeps it: class, code, message, field, and the vendor's answer."""
    field = error.field if isinstance(error, Rejected) else None
    found = {
        "class": type(error).__name__,
        "code": error.code,
        "message": str(error),
        "field": field,
        "details": error.details,
    }
    return {name: value for name, value in found.items() if value}
