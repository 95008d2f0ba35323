"""Due deliveries to destinations: claim, freeze, send, settle; a doubt is resolved before anything is sent twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

import structlog

from hub.config.failpoint import reached
from hub.core.errors import (
    ConnectorError,
    HubError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.core.ledger import Idempotency, LookUp, Resend, State, resolve, settle
from hub.core.model import Delivery
from hub.core.retry import (
    SCHEDULE,
    Block,
    Decision,
    Standing,
    admits,
    after_batch,
    asked_for,
    begin_probe,
    decide,
    judge,
    parked_until,
)
from hub.flow.back.gone.forgotten import end_forgotten, forgotten, needless
from hub.flow.back.reply import close_claim, open_outlet, outlet_context, outlet_works
from hub.flow.bugs import tell
from hub.flow.claim import claim_batch
from hub.flow.lease import kept
from hub.runtime import Hub
from hub.sdk import connectors
from hub.sdk.connectors import Destination, Outcome
from hub.store.deliveries import Claim, Settlement

log = structlog.get_logger(__name__)
PAUSE = timedelta(minutes=5)
SHORTEST_PAUSE = timedelta(seconds=1)
LOOK_AGAIN = timedelta(seconds=30)
_FOR_ALL = (Unavailable, RateLimited, QuotaExhausted, Unauthorised)
"""Errors of a look-up that the next one would meet too."""
_MAY_BE_THERE = frozenset({"Retryable", "RateLimited", "Unavailable"})
"""Errors after which nobody knows what an earlier attempt did."""


def deliver(hub: Hub, destination: str, *, slice_s: float = 5.0) -> int:
    """Send what is due at one destination until nothing is due or the time slice ends; returns how many were settled."""
    end = monotonic() + slice_s
    done = 0
    while monotonic() < end and not hub.stopping.is_set():
        sent = deliver_batch(hub, destination)
        if not sent:
            return done
        done += sent
    hub.bell.ring("deliver", destination)
    return done


class Worked(NamedTuple):
    """What became of a claim, and how each call went (None: well)."""

    settlements: list[Settlement]
    errors: list[ConnectorError | None]


def deliver_batch(hub: Hub, name: str) -> int:
    """Claim, send and settle one batch; 0 where nothing is due, or the destination is unknown, off, paused or broken off."""
    if not outlet_works(hub, name):
        return 0
    standing = hub.store.connections.standing(name)
    if not may_send(hub, name, standing):
        return 0
    destination, probing = open_outlet(hub, name), standing.state in ("open", "half-open")
    began = hub.now()
    probe = partial(hub.store.deliveries.claim, name, size=one_record)
    claim = probe(now=began) if probing else claim_batch(hub, name, destination, now=began)
    if claim is None:
        learn(hub, name, standing, [])
        return 0
    reached("deliver.leased")
    with kept(hub.store.deliveries, claim.token, hub.now):
        settlements, errors = work(hub, destination, claim, began=began)
    learn(hub, name, standing, errors)
    if not close_claim(hub, claim, settlements):
        log.warning("a batch lost its lease before it was settled", destination=name, rows=len(settlements))
    reached("deliver.settled")
    return len(claim.deliveries)


def one_record(_object: str, _operation: str) -> int:
    """The size of a probe."""
    return 1


def may_send(hub: Hub, name: str, standing: Standing) -> bool:
    """Whether a batch may be claimed now: no pause, a closed breaker or our turn to probe, and a pace that lets it out."""
    now = hub.now()
    admitted = admits(standing, now)
    if admitted == "none":
        return False
    if wait := hub.too_early(name):
        if admitted == "all":
            until = now + timedelta(seconds=wait)
            hub.store.connections.pause(name, reason=f"its pace: next in {wait:.0f} s", until=until, now=now)
        return False
    return admitted == "all" or hub.store.connections.change(name, partial(begin_probe, now=now), now=now)


def learn(hub: Hub, name: str, standing: Standing, errors: Sequence[ConnectorError | None]) -> None:
    """Let the breaker and the pause know how a batch went; where all is well and was well nothing is written."""
    verdict = judge(errors)
    if standing != Standing() or verdict == "down":
        reason = next((str(error) for error in errors if error is not None), "")
        step = partial(after_batch, verdict=verdict, now=hub.now(), reason=reason)
        hub.store.connections.change(name, step, now=hub.now())
    pause_if_asked(hub, name, errors)


def work(hub: Hub, destination: Destination[Any], claim: Claim, *, began: datetime) -> Worked:
    """What becomes of each delivery of a claim that `began` then: doubtful ones are resolved first, the rest is sent."""
    ended = [*overtaken(hub, claim, began=began), *needless(hub, claim)]
    claim = without(claim, ended)
    gone = forgotten(hub, claim)
    worked = Worked([], [])
    if claim.doubtful:
        open_, worked = resolve_doubts(hub, destination, claim, gone)
        claim = claim._replace(deliveries=tuple(open_))
    ended += end_forgotten(hub, claim, gone)
    worked.settlements.extend(ended)
    if ready := without(claim, ended).deliveries:
        kind, _ = idempotency_of(destination, claim)
        again = [one.id for one in ready if one.first_sent_at != began]
        if kind == "lookup" and again and not claim.doubtful:
            hub.store.resends.begin_anew(again, now=hub.now())
        reached("deliver.sending")
        outcomes = send(hub, destination, claim.destination, ready)
        reached("deliver.sent")
        settled = (settle_one(hub, delivery, outcomes[delivery.id]) for delivery in ready)
        worked.settlements.extend(map(keep_doubt, settled) if claim.doubtful and kind == "native" else settled)
        worked.errors.extend(outcome.error for outcome in outcomes.values())
    return worked


def overtaken(hub: Hub, claim: Claim, *, began: datetime) -> list[Settlement]:
    """Of claimed rows that were sent before, those whose record was written anew meanwhile: they end here.

    A dead letter holds nothing back, so a newer payload may have landed before a person lets the older one go on.
    """
    again = [one.id for one in claim.deliveries if one.first_sent_at != began]
    late = hub.store.resends.overtaken(again) if again else frozenset[int]()
    return [Settlement(id_, "superseded", burns=False) for id_ in sorted(late)]


def without(claim: Claim, ended: Sequence[Settlement]) -> Claim:
    """The claim without those of its deliveries that have ended."""
    ids = {one.id for one in ended}
    return claim._replace(deliveries=tuple(one for one in claim.deliveries if one.id not in ids))


def resolve_doubts(
    hub: Hub, destination: Destination[Any], claim: Claim, gone: frozenset[int]
) -> tuple[Sequence[Delivery], Worked]:
    """The deliveries of a claim that are sent (again), and what became of the others; those that are `gone` are looked for.

    Where nobody answers a look-up, or all look-ups are refused, the others are not asked for either.
    """
    kind, worked = idempotency_of(destination, claim), Worked([], [])
    # What is gone is not repeated even where the destination would recognise it: its words are no longer here.
    seek: Idempotency = ("lookup", LOOK_AGAIN) if kind[0] == "native" else kind
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


def send(hub: Hub, destination: Destination[Any], name: str, batch: Sequence[Delivery]) -> dict[int, Outcome]:
    """One outcome a delivery, whatever the plugin does: an error that it raises counts for those without an outcome."""
    raised: ConnectorError = Uncertain("the plugin gave no outcome for this record")
    outcomes: dict[int, Outcome] = {}
    try:
        ctx = outlet_context(hub, name)
        outcomes = {one.delivery_id: one for one in destination.deliver(ctx, list(batch))}
    except ConnectorError as error:
        raised = error
    except Exception as error:  # noqa: BLE001 - told, and kept as a dead letter
        raised = tell(hub, name, error, event="a plugin failed to deliver", deliveries=[one.id for one in batch])
    for delivery in batch:
        if delivery.id not in outcomes:
            outcomes[delivery.id] = Outcome(delivery.id, error=raised)
    for outcome in outcomes.values():
        if outcome.error is not None:
            if isinstance(cause := outcome.error.__cause__, Exception) and outcome.error.code == "bug":
                tell(hub, name, cause, event="a plugin failed to deliver", deliveries=[outcome.delivery_id])
            hub.redact(name, outcome.error)
    return outcomes


def settle_one(hub: Hub, delivery: Delivery, outcome: Outcome) -> Settlement:
    """The ledger's next state for one outcome."""
    if outcome.error is None:
        log.info("delivered", delivery=delivery.id, signal=delivery.signal_key, object=delivery.object)
        return Settlement(delivery.id, "delivered", ref=outcome.ref, moved=outcome.moved)
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
        error=str(outcome.error),
    )
    error = describe_error(outcome.error)
    return Settlement(delivery.id, state, due_at, outcome.ref, error, settled.burns_attempt)


def keep_doubt(settlement: Settlement) -> Settlement:
    """A doubt is not ended by an error: an earlier attempt may have done it, and a key is forgotten after its window."""
    states: Mapping[State, State] = {"retry": "uncertain", "blocked": "uncertain", "parked": "uncertain"}
    given_up = settlement.state == "dead" and (settlement.error or {}).get("class") in _MAY_BE_THERE
    return settlement._replace(state="review" if given_up else states.get(settlement.state, settlement.state))


def in_doubt(hub: Hub, delivery: Delivery) -> tuple[State, datetime]:
    """When a doubt is looked into: at once the first time, then ever more slowly; in the end a person decides.

    A vendor that drops every connection would else be asked without end and without a pause.
    """
    wait = 0 if delivery.attempt <= 1 else SCHEDULE[min(delivery.attempt, len(SCHEDULE)) - 1]
    return "review" if delivery.attempt >= len(SCHEDULE) else "uncertain", hub.now() + timedelta(seconds=wait)


def decide_about(hub: Hub, delivery: Delivery, error: ConnectorError) -> Decision:
    """What to do about an error; where our own rules forbid the way out, the configuration is at fault, not the record."""
    if is_closed_door(error):
        return Block(str(error))
    return decide(error, attempt=delivery.attempt, now=hub.now(), jitter=hub.jitter())


def is_closed_door(error: ConnectorError | None) -> bool:
    """Whether the guard refused to let the request out (`hub.sdk.http`, code "egress")."""
    return isinstance(error, Rejected) and error.code == "egress"


def describe_error(error: ConnectorError) -> dict[str, Any]:
    """An error as the ledger keeps it: class, code, message, field, and the vendor's answer."""
    field = error.field if isinstance(error, Rejected) else None
    found = {
        "class": type(error).__name__,
        "code": error.code,
        "message": str(error),
        "field": field,
        "details": error.details,
    }
    return {name: value for name, value in found.items() if value}


def resolve_doubt(
    hub: Hub,
    destination: Destination[Any],
    delivery: Delivery,
    kind: Idempotency,
    *,
    errors: list[ConnectorError | None],
) -> Settlement | None:
    """What to do about a delivery that may have been done; None: send it (again). How a look-up went is added to `errors`."""
    sent_at = delivery.first_sent_at or hub.now()
    step = resolve(kind, first_sent_at=sent_at, now=hub.now())
    if isinstance(step, Resend):
        return None
    if isinstance(step, LookUp):
        if step.at > hub.now():
            return Settlement(delivery.id, "uncertain", step.at, burns=False)
        return _look_up(hub, destination, delivery, errors)
    return Settlement(
        delivery.id, "review", error={"message": "it may have been done, and nobody can tell"}, burns=False
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
    except Exception as error:  # noqa: BLE001 - told, and left to a person
        bug = tell(hub, delivery.destination, error, event="a plugin failed to look up", delivery=delivery.id)
        return Settlement(delivery.id, "review", error=describe_error(bug), burns=False)
    errors.append(None)
    if ref is None:
        hub.store.resends.begin_anew([delivery.id], now=hub.now())
    return None if ref is None else Settlement(delivery.id, "delivered", ref=ref)


def still_in_doubt(hub: Hub, delivery: Delivery, error: ConnectorError) -> Settlement:
    """It could not be looked up now; it is tried again, and no attempt is burnt."""
    again = _again_at(hub.now(), error)
    return Settlement(delivery.id, "uncertain", again, error=describe_error(error), burns=False)


def _again_at(now: datetime, error: HubError) -> datetime:
    wait = asked_for(getattr(error, "retry_after", None))
    return now + (timedelta(seconds=wait) if wait else LOOK_AGAIN)


def pause_if_asked(hub: Hub, name: str, errors: Sequence[ConnectorError | None]) -> None:
    """Refused credentials, a closed door and exceeded limits pause the whole connection: the next batch would fare no better."""
    for error in errors:
        until = _paused_until(hub.now(), error)
        if until is not None:
            hub.store.connections.pause(name, reason=str(error), until=until, now=hub.now())
            return


def _paused_until(now: datetime, error: ConnectorError | None) -> datetime | None:
    if isinstance(error, Unauthorised) or is_closed_door(error):
        return now + PAUSE
    if isinstance(error, RateLimited):
        return now + max(timedelta(seconds=asked_for(error.retry_after)), SHORTEST_PAUSE)
    if isinstance(error, QuotaExhausted):
        return parked_until(error, now)
    return None


def idempotency_of(destination: Destination[Any], claim: Claim) -> Idempotency:
    """A destination's idempotency class in the core's words."""
    found = destination.idempotency_of(claim.object, claim.operation)
    match found:
        case connectors.Upsert():
            return ("upsert", None)
        case connectors.Native(window):
            return ("native", window)
        case connectors.Lookup(lag):
            return ("lookup", lag)
        case _:
            return ("none", None)
