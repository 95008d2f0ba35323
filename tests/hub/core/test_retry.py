"""What is decided about an error."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import (
    ConnectorError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.core.retry import SCHEDULE, Block, Doubt, GiveUp, Park, RetryAt, RetryDecision, decide
from tests.hub.core.given import NOW


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (Unavailable("down"), RetryAt(NOW + after(5), "down")),
        (QuotaExhausted("full", until=NOW + after(60)), Park(NOW + after(60), "full")),
        (QuotaExhausted("full"), Park(NOW + after(3600), "full")),
        (QuotaExhausted("full", until=NOW - after(60)), Park(NOW + after(30), "full")),
        (Unauthorised("no"), Block("no")),
        (Rejected("too long", field="Text__c"), GiveUp("Text__c: too long")),
        (Rejected("no"), GiveUp("no")),
        (Uncertain("timed out"), Doubt("timed out")),
        (ConnectorError("odd"), Doubt("bug: ConnectorError: odd")),
        (KeyError("id"), Doubt("bug: KeyError: 'id'")),
    ],
)
def test_each_error_has_its_decision(error: Exception, decision: RetryDecision) -> None:
    assert decide(error, attempt=1, now=NOW) == decision


def test_eight_attempts_follow_the_schedule_and_the_last_gives_up() -> None:
    waits = [decide(Unavailable("down"), attempt=attempt, now=NOW) for attempt in range(1, len(SCHEDULE) + 1)]
    assert [wait.at - NOW for wait in waits[:-1] if isinstance(wait, RetryAt)] == [after(s) for s in SCHEDULE[1:]]
    assert waits[-1] == GiveUp("gave up after 8 attempts: down")


@pytest.mark.parametrize(("asked", "wait"), [(60, 60), (1, 5), (10**9, 86400), (float("inf"), 86400)])
def test_retry_after_is_a_floor_with_a_cap(asked: float, wait: float) -> None:
    assert decide(Unavailable("slow", retry_after=asked), attempt=1, now=NOW) == RetryAt(NOW + after(wait), "slow")


@pytest.mark.parametrize("asked", [0, -5, float("nan"), None])
def test_a_retry_after_that_says_nothing_changes_nothing(asked: float | None) -> None:
    assert decide(Unavailable("slow", retry_after=asked), attempt=1, now=NOW) == RetryAt(NOW + after(5), "slow")


@pytest.mark.parametrize(
    ("asked", "wait"),
    [(60, 60), (0.2, 1), (0, 1), (-5, 1), (None, 1), (float("nan"), 1), (1e9, 86400), (float("inf"), 86400)],
)
def test_a_refused_call_waits_as_long_as_the_vendor_says_and_burns_nothing(asked: float | None, wait: float) -> None:
    error = RateLimited("slow", retry_after=asked)
    assert decide(error, attempt=1, now=NOW, jitter=-1) == Park(NOW + after(wait), "slow")


@given(st.floats(allow_nan=False), st.floats(0, 1e7), st.integers(1, 10_000))
def test_refused_calls_never_end_in_a_dead_letter_and_spread_over_a_fifth(
    jitter: float, asked: float, attempt: int
) -> None:
    made = decide(RateLimited("x", retry_after=asked), attempt=attempt, now=NOW, jitter=jitter)
    assert isinstance(made, Park)
    floor = min(max(asked, 1.0), 86_400.0)
    assert floor - 1e-6 <= (made.until - NOW).total_seconds() <= floor * 1.2 + 1e-6


@given(st.floats(-3, 3), st.floats(0, 86_400), st.integers(1, 7))
def test_no_retry_comes_before_retry_after_nor_strays_from_the_schedule(
    jitter: float, asked: float, attempt: int
) -> None:
    made = decide(Retryable("x", retry_after=asked), attempt=attempt, now=NOW, jitter=jitter)
    assert isinstance(made, RetryAt)
    wait, planned = (made.at - NOW).total_seconds(), SCHEDULE[attempt]
    assert wait >= asked - 1e-6
    assert planned * 0.8 - 1e-6 <= wait <= max(planned * 1.2, asked) + 1e-6
