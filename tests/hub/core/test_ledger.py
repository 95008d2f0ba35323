"""The life of a delivery, and the ledger's words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.core.ledger import (
    AWAITING_PERSON,
    CLOSED,
    DISCARDABLE,
    DUE,
    GIVING_WAY,
    MAYBE_THERE,
    OPEN,
    RETRYABLE,
    RETRYABLE_TOGETHER,
    SETTLED,
    STATES,
    STOPPABLE,
    TRANSITIONS,
    ForbiddenTransition,
    Lane,
    LookUp,
    Need,
    Recognition,
    Resend,
    Review,
    SettledAs,
    State,
    check_transition,
    in_order,
    resolve,
    settle,
)
from hub.core.retry import Block, Doubt, GiveUp, Park, RetryAt, RetryDecision
from tests.hub.core.given import NOW

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("decision", "settled"),
    [
        (RetryAt(NOW, "down"), SettledAs("retry", NOW)),
        (Park(NOW, "quota"), SettledAs("parked", NOW, burns_attempt=False)),
        (Block("no"), SettledAs("blocked", burns_attempt=False)),
        (GiveUp("no"), SettledAs("dead")),
        (Doubt("timed out"), SettledAs("uncertain")),
    ],
)
def test_each_decision_settles_a_leased_delivery(decision: RetryDecision, settled: SettledAs) -> None:
    assert settle(decision) == settled
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
    idempotency: Recognition, sent: object, step: object
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
    waits = ["pending", "approval", "leased", "retry", "blocked", "parked", "review"]
    assert [state for state in STATES if "superseded" in TRANSITIONS[state]] == waits


def test_every_state_is_reached_from_those_in_which_a_delivery_begins() -> None:
    reached, waiting = {"pending", "approval"}, ["pending", "approval"]
    while waiting:
        fresh = TRANSITIONS[waiting.pop()] - reached
        reached |= fresh
        waiting += fresh
    assert reached == set(STATES) == set(TRANSITIONS)


def test_what_is_open_or_due_can_be_leased_or_ended() -> None:
    assert all(TRANSITIONS[state] for state in OPEN)
    assert all("leased" in TRANSITIONS[state] for state in DUE)
    assert all(not TRANSITIONS[state] for state in set(STATES) - OPEN - {"dead"})


def test_the_sets_of_states_are_what_the_ledger_means_by_them() -> None:
    assert {"pending", "retry", "blocked", "parked", "uncertain"} == DUE
    assert {"delivered", "discarded", "superseded"} == CLOSED
    assert CLOSED | {"dead"} == SETTLED
    assert {"leased", "delivered", "uncertain", "review"} == MAYBE_THERE
    assert {"pending", "retry", "blocked", "parked", "review", "approval"} == STOPPABLE
    assert {"retry", "parked", "blocked", "review"} == GIVING_WAY
    assert {"dead", "review", "approval", "blocked"} == DISCARDABLE
    assert {"dead", "retry", "blocked", "parked", "uncertain"} == RETRYABLE_TOGETHER


def test_nothing_that_awaits_a_person_is_due_and_all_of_it_can_be_let_go_or_given_up() -> None:
    assert not AWAITING_PERSON & DUE
    assert AWAITING_PERSON <= RETRYABLE & DISCARDABLE


def test_open_and_ended_are_all_there_is() -> None:
    assert set(STATES) == OPEN | SETTLED
    assert not OPEN & SETTLED


@pytest.mark.parametrize("state", STATES)
def test_what_can_be_given_up_may_go_to_discarded(state: State) -> None:
    assert state not in DISCARDABLE or "discarded" in TRANSITIONS[state]


@pytest.mark.parametrize("text", ["signal:note:lines:abc", "conversation:ticket:lines:a:b", "reply:0f:rt:x"])
def test_a_need_is_read_and_written_alike(text: str) -> None:
    assert str(Need.read(text)) == text


def test_a_key_may_hold_colons() -> None:
    assert Need.read("conversation:ticket:lines:a:b") == Need("conversation", "ticket", "lines:a:b")


@pytest.mark.parametrize("text", ["", "ticket", "a:b", "a::c", ":b:c", "a:b:"])
def test_what_names_no_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no record|not enough values"):
        Need.read(text)


@pytest.mark.parametrize("lane", [Lane("deliver", "crm"), Lane("reply", "crm")])
def test_an_outlet_is_read_as_it_was_written(lane: Lane) -> None:
    assert Lane.of_outlet(str(lane)) == lane


@pytest.mark.parametrize("lane", [Lane("poll", "crm"), Lane("changes", "crm"), Lane("recheck", "crm")])
def test_a_cursor_is_read_as_it_was_written(lane: Lane) -> None:
    assert Lane.of_cursor(str(lane)) == lane


def test_states_come_in_one_order_however_they_are_given() -> None:
    assert (
        in_order({"dead", "pending", "leased"})
        == in_order(["leased", "dead", "pending"])
        == ["pending", "leased", "dead"]
    )
