"""Due deliveries to destinations: claim, freeze, send, settle; a doubt is resolved before anything is sent twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

from hub.config.failpoint import reached
from hub.config.logs import LateLogger
from hub.core.errors import (
    ConnectorError,
    LeaseLost,
    QuotaExhausted,
    RateLimited,
    Unauthorised,
    Uncertain,
)
from hub.core.ledger import Lane
from hub.core.model import Delivery
from hub.core.retry import (
    ConnectionStanding,
    admits,
    after_batch,
    asked_for,
    begin_probe,
    judge,
    parked_until,
)
from hub.flow.bugs import Bug, tell
from hub.flow.calls import calling
from hub.flow.converse.selves import meet
from hub.flow.decide.evened import link_tickets
from hub.flow.deliver.claim import claim_batch
from hub.flow.deliver.contract import Outcomes, misfit_of
from hub.flow.deliver.doubts import Worked, idempotency_of, keep_doubt, resolve_doubts
from hub.flow.deliver.outcomes import PAUSE, is_closed_door, settle_one
from hub.flow.deliver.outlets import close_claim, open_outlet, outlet_context
from hub.flow.erase.forgotten import NO_READER, end_forgotten, forgotten, lost_its_ticket, needless
from hub.flow.intake.poll import usable_destination
from hub.flow.lanes import outlet_works, place_of_outlet, ring_outlets
from hub.flow.lease import kept
from hub.runtime import Hub
from hub.sdk.connectors import Destination, Outcome
from hub.store.ledger.deliveries import Claim, Settlement

log = LateLogger(__name__)
FAILED = "a plugin failed to deliver"
SHORTEST_PAUSE = timedelta(seconds=1)


def deliver(hub: Hub, destination: str, *, slice_s: float = 5.0) -> int:
    """Send what is due at one destination until nothing is due or the time slice ends; return how many were settled."""
    end = monotonic() + slice_s
    done = 0
    if Lane.of_outlet(destination).work == "deliver" and outlet_works(hub, destination):
        meet(hub, destination, usable_destination(hub, destination))
    while monotonic() < end and not hub.stopping.is_set():
        sent = deliver_batch(hub, destination)
        if not sent:
            return done
        done += sent
    hub.bell.ring("deliver", destination)
    return done


def deliver_batch(hub: Hub, name: str) -> int:
    """Claim, send and settle one batch; 0 if nothing is due or nothing may be sent: unknown, off, paused, broken (off), held."""
    destination = open_outlet(hub, name) if outlet_works(hub, name) and not hub.store.hold.get() else None
    if destination is None:
        return 0
    standing = hub.store.connections.standing(name)
    if not may_send(hub, name, standing):
        return 0
    probing = standing.state in ("open", "half-open")
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
    try:
        close_claim(hub, claim, settlements)
    except LeaseLost:
        log.warning("a batch lost its lease before it was settled", destination=name, rows=len(settlements))
    reached("deliver.settled")
    counts: Counter[str] = Counter(one.state for one in settlements)
    log.info("a batch was sent", destination=name, **counts)
    if opened := _opened(claim, settlements):
        ring_outlets(hub, link_tickets(hub, opened))
    return len(claim.deliveries)


def _opened(claim: Claim, settlements: Sequence[Settlement]) -> dict[str, str]:
    """Return the links of the tickets that a claim has opened, by the signal that asked for them."""
    if claim.operation != "create":
        return {}
    urls = {one.id: one.ref.url for one in settlements if one.state == "delivered" and one.ref and one.ref.url}
    return {one.signal_key: urls[one.id] for one in claim.deliveries if one.signal_key and one.id in urls}


def one_record(_object: str, _operation: str) -> int:
    """Return the size of a probe."""
    return 1


def may_send(hub: Hub, name: str, standing: ConnectionStanding) -> bool:
    """Return True if a batch may be claimed now: no pause, a closed breaker or our turn to probe, and a pace that lets it out."""
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


def learn(hub: Hub, name: str, standing: ConnectionStanding, errors: Sequence[ConnectorError | None]) -> None:
    """Let the breaker and the pause know how a batch went; if all is well and was well nothing is written."""
    verdict = judge(errors)
    if standing != ConnectionStanding() or verdict == "down":
        reason = next((str(error) for error in errors if error is not None), "")
        step = partial(after_batch, verdict=verdict, now=hub.now(), reason=reason)
        hub.store.connections.change(name, step, now=hub.now())
    pause_if_asked(hub, name, errors)


def work(hub: Hub, destination: Destination[Any], claim: Claim, *, began: datetime) -> Worked:
    """Work on each delivery of a claim that `began` then: doubtful ones are resolved first, the rest is sent."""
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
        kind, _ = idempotency_of(hub, destination, claim)
        again = [one.id for one in ready if one.first_sent_at != began]
        if kind == "lookup" and again and not claim.doubtful:
            hub.store.resends.begin_anew(again, now=hub.now())
        suspects = hub.store.resends.after_bugs([one.id for one in ready]) if claim.doubtful else frozenset[int]()
        reached("deliver.sending")
        outcomes = send_apart(hub, destination, claim.destination, ready, suspects=suspects)
        reached("deliver.sent")
        settled = (set_aside(suspects, _settled(hub, delivery, outcomes[delivery.id])) for delivery in ready)
        worked.settlements.extend(map(keep_doubt, settled) if claim.doubtful and kind == "native" else settled)
        worked.errors.extend(outcome.error for outcome in outcomes.values())
    return worked


def _settled(hub: Hub, delivery: Delivery, outcome: Outcome) -> Settlement:
    if lost_its_ticket(hub, delivery, outcome.error):
        return Settlement(delivery.id, "discarded", error={"message": NO_READER})
    return settle_one(hub, delivery, outcome)


def overtaken(hub: Hub, claim: Claim, *, began: datetime) -> list[Settlement]:
    """End those claimed rows that were sent before and have a record that was written again since.

    A dead letter holds nothing back, so a newer payload may have landed before a person lets the older one go on.
    """
    again = [one.id for one in claim.deliveries if one.first_sent_at != began]
    late = hub.store.resends.overtaken(again) if again else frozenset[int]()
    return [Settlement(id_, "superseded", burns=False) for id_ in sorted(late)]


def without(claim: Claim, ended: Sequence[Settlement]) -> Claim:
    """Return the claim without those of its deliveries that have ended."""
    ids = {one.id for one in ended}
    return claim._replace(deliveries=tuple(one for one in claim.deliveries if one.id not in ids))


def send_apart(
    hub: Hub, destination: Destination[Any], name: str, batch: Sequence[Delivery], *, suspects: frozenset[int]
) -> dict[int, Outcome]:
    """Send a batch, those that met a bug before each by itself: so the one that causes it costs the others nothing."""
    together = [one for one in batch if one.id not in suspects]
    outcomes = send(hub, destination, name, together) if together else {}
    for delivery in batch:
        if delivery.id in suspects:
            outcomes |= send(hub, destination, name, [delivery])
    return outcomes


def set_aside(suspects: frozenset[int], settlement: Settlement) -> Settlement:
    """Leave a delivery that met a bug again, by itself, to a person: it may have been done, and would meet it each time."""
    again = (settlement.error or {}).get("code") == "bug" and settlement.id in suspects
    return settlement._replace(state="review", due_at=None) if again else settlement


def send(hub: Hub, destination: Destination[Any], name: str, batch: Sequence[Delivery]) -> dict[int, Outcome]:
    """Return one outcome a delivery, whatever the plugin does: an error that it raises counts for those without an outcome.

    A bug leaves them in doubt: some may have landed before it.
    """
    outcomes, raised = _given(hub, destination, name, batch)
    for delivery in batch:
        if delivery.id not in outcomes:
            outcomes[delivery.id] = Outcome(delivery.id, error=raised)
    return {id_: _told(hub, name, outcome) for id_, outcome in outcomes.items()}


def _given(
    hub: Hub, destination: Destination[Any], name: str, batch: Sequence[Delivery]
) -> tuple[dict[int, Outcome], ConnectorError]:
    """Return the outcomes that a plugin gave for these deliveries, and what counts for those that have none."""
    ids = [one.id for one in batch]
    outcomes = Outcomes(ids)
    try:
        with calling(hub, place_of_outlet(name)):
            for one in destination.deliver(outlet_context(hub, name), list(batch)):
                outcomes.take(one)
    except ConnectorError as error:
        return outcomes.given, error
    except BaseException as error:  # noqa: BLE001 - told, and kept as a doubt
        return outcomes.given, in_doubt_by(tell(hub, name, error, event=FAILED, deliveries=ids))
    if outcomes.misfit is not None:
        return outcomes.given, in_doubt_by(tell(hub, name, outcomes.misfit, event=FAILED, deliveries=ids))
    return outcomes.given, Uncertain("the plugin gave no outcome for this record")


def in_doubt_by(bug: Bug) -> Uncertain:
    """Return a bug, told already, as the doubt that it leaves."""
    return Uncertain(f"a bug of the connector: {bug}", code="bug")


def _told(hub: Hub, name: str, outcome: Outcome) -> Outcome:
    """Return an outcome that may be stored; one that the engine cannot use is a bug."""
    given = outcome.error
    tell_bug = partial(tell, hub, name, event=FAILED, deliveries=[outcome.delivery_id])
    if (misfit := misfit_of(outcome)) is not None:
        return Outcome(outcome.delivery_id, error=in_doubt_by(tell_bug(misfit)))
    if given is None:
        return outcome
    if isinstance(given.__cause__, Exception) and given.code == "bug":
        tell_bug(given.__cause__)
    hub.redact(name, given)
    return outcome


def pause_if_asked(hub: Hub, name: str, errors: Sequence[ConnectorError | None]) -> None:
    """Pause the connection after refused credentials, a closed door or exceeded limits: the next batch would fare no better."""
    for error in errors:
        until = _paused_until(hub.now(), error)
        if until is not None:
            if isinstance(error, Unauthorised):
                lane = Lane.of_outlet(name)
                hub.doubt("sources" if lane.work == "reply" else "destinations", lane.name)
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
