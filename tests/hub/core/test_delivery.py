"""The life of a delivery."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.core.delivery import (
    DUE,
    OPEN,
    STATES,
    TRANSITIONS,
    Delivered,
    ForbiddenTransition,
    Idempotency,
    LookUp,
    Resend,
    Review,
    Settled,
    check_transition,
    resolve,
    settle,
)
from hub.core.retry import Block, Decision, Doubt, GiveUp, Park, RetryAt
from tests.hub.core.given import NOW

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("outcome", "settled"),
    [
        (Delivered(), Settled("delivered")),
        (RetryAt(NOW, "down"), Settled("retry", NOW, error="down")),
        (Park(NOW, "quota"), Settled("parked", NOW, burns_attempt=False, error="quota")),
        (Block("no"), Settled("blocked", burns_attempt=False, error="no")),
        (GiveUp("no"), Settled("dead", error="no")),
        (Doubt("timed out"), Settled("uncertain", error="timed out")),
    ],
)
def test_each_outcome_settles_a_leased_delivery(outcome: Delivered | Decision, settled: Settled) -> None:
    assert settle(outcome) == settled
    check_transition("leased", settled.state)


@pytest.mark.parametrize(
    ("idempotency", "sent", "step"),
    [
        (("upsert", None), NOW - 100 * HOUR, Resend()),
        (("native", 2 * HOUR), NOW - HOUR, Resend()),
        (("native", 2 * HOUR), NOW - 2 * HOUR, LookUp(NOW)),
        (("lookup", 2 * HOUR), NOW - HOUR, LookUp(NOW + HOUR)),
        (("lookup", 2 * HOUR), NOW - 3 * HOUR, LookUp(NOW)),
        (("lookup", None), NOW, LookUp(NOW)),
        (("none", None), NOW, Review()),
    ],
)
def test_a_doubt_is_resolved_by_what_the_destination_can_tell(
    idempotency: Idempotency, sent: object, step: object
) -> None:
    assert resolve(idempotency, first_sent_at=sent, now=NOW) == step


@pytest.mark.parametrize(
    ("old", "new"),
    [("delivered", "pending"), ("superseded", "leased"), ("uncertain", "superseded"), ("dead", "delivered")],
)
def test_a_transition_outside_the_table_is_refused(old: str, new: str) -> None:
    with pytest.raises(ForbiddenTransition, match=f"from {old} to {new}"):
        check_transition(old, new)


def test_only_what_waits_or_is_about_to_be_sent_can_be_superseded() -> None:
    waits = ["pending", "leased", "retry", "blocked", "parked", "review"]
    assert [state for state in STATES if "superseded" in TRANSITIONS[state]] == waits


def test_every_state_is_reached_from_pending() -> None:
    reached, waiting = {"pending"}, ["pending"]
    while waiting:
        fresh = TRANSITIONS[waiting.pop()] - reached
        reached |= fresh
        waiting += fresh
    assert reached == set(STATES) == set(TRANSITIONS)


def test_what_is_open_or_due_can_be_leased_or_ended() -> None:
    assert all(TRANSITIONS[state] for state in OPEN)
    assert all("leased" in TRANSITIONS[state] for state in DUE)
    assert all(not TRANSITIONS[state] for state in set(STATES) - OPEN - {"dead"})
