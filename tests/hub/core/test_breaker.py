"""The breaker of a connection: what a batch tells, when it opens, who may probe."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

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
from hub.core.retry import (
    FAILURES,
    LONGEST_OPEN,
    PROBE_FOR,
    BatchVerdict,
    ConnectionStanding,
    ConnectionState,
    admits,
    after_batch,
    begin_probe,
    judge,
)
from tests.hub.core.given import NOW


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def after_all(standing: ConnectionStanding, *verdicts: BatchVerdict, now: datetime = NOW) -> ConnectionStanding:
    for verdict in verdicts:
        standing = after_batch(standing, verdict, now=now, reason="down")
    return standing


OPEN = after_all(ConnectionStanding(), *["down"] * FAILURES)
PAUSED = ConnectionStanding("paused", "quota", NOW + seconds(60), failures=3)


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([], "silent"),
        ([None], "up"),
        ([Unavailable()], "down"),
        ([Unavailable(), Uncertain("timed out", code="timeout")], "down"),
        ([Unavailable(), None], "up"),
        ([Unavailable(), Rejected("too long")], "up"),
        ([Retryable("locked")], "up"),
        ([RateLimited()], "up"),
        ([QuotaExhausted()], "up"),
        ([Unauthorised()], "up"),
        ([RateLimited(code="paced")], "silent"),
        ([Rejected("not allowed", code="egress")], "silent"),
        ([Rejected("the window is over", code="reply_rules")], "silent"),
        ([Rejected("it cannot reply", code="no_reply")], "silent"),
        ([ConnectorError("bug")], "silent"),
        ([Unavailable(), RateLimited(code="paced")], "silent"),
    ],
)
def test_only_a_whole_batch_without_an_answer_speaks_against_a_connection(
    errors: list[ConnectorError | None], verdict: BatchVerdict
) -> None:
    assert judge(errors) == verdict


def test_failures_in_a_row_open_it_and_say_why() -> None:
    assert after_all(ConnectionStanding(), *["down"] * (FAILURES - 1)).state == "ok"
    assert (
        ConnectionStanding("open", "5 batches in a row failed: down", NOW + seconds(30), failures=5, openings=1) == OPEN
    )


@pytest.mark.parametrize("between", ["up", "silent"])
def test_an_answer_between_failures_starts_the_count_anew_and_silence_does_not(between: BatchVerdict) -> None:
    standing = after_all(ConnectionStanding(), "down", "down", "down", "down", between, "down")
    assert standing.state == ("ok" if between == "up" else "open")


@pytest.mark.parametrize(
    ("state", "until", "admitted"),
    [
        ("ok", None, "all"),
        ("paused", NOW + seconds(1), "none"),
        ("paused", NOW, "all"),
        ("open", NOW + seconds(1), "none"),
        ("open", NOW, "probe"),
        ("half-open", NOW + seconds(1), "none"),
        ("half-open", NOW - seconds(1), "probe"),
    ],
)
def test_what_is_admitted_depends_on_state_and_time(
    state: ConnectionState, until: datetime | None, admitted: str
) -> None:
    assert admits(ConnectionStanding(state, until=until), NOW) == admitted


def test_one_worker_probes_and_the_next_only_when_it_never_came_back() -> None:
    later = NOW + seconds(30)
    probing = begin_probe(OPEN, later)
    assert (probing.state, probing.until) == ("half-open", later + PROBE_FOR)
    assert begin_probe(probing, later + seconds(1)) == probing
    assert begin_probe(probing, later + PROBE_FOR).until == later + 2 * PROBE_FOR


@pytest.mark.parametrize("standing", [ConnectionStanding(), PAUSED, OPEN])
def test_nothing_is_probed_that_is_not_due_for_it(standing: ConnectionStanding) -> None:
    assert begin_probe(standing, NOW) == standing


def test_an_answer_to_the_probe_closes_it_for_good() -> None:
    assert after_batch(begin_probe(OPEN, NOW + seconds(30)), "up", now=NOW + seconds(31)) == ConnectionStanding()


def test_a_probe_that_asked_nobody_may_be_repeated_at_once() -> None:
    later = NOW + seconds(30)
    assert admits(after_batch(begin_probe(OPEN, later), "silent", now=later), later) == "probe"


def test_each_failed_probe_doubles_the_wait_up_to_a_quarter_of_an_hour() -> None:
    standing, now, waits = OPEN, NOW, []
    for _ in range(7):
        assert standing.until is not None
        waits.append((standing.until - now).total_seconds())
        now = standing.until
        standing = after_all(begin_probe(standing, now), "down", now=now)
    assert waits == [30, 60, 120, 240, 480, 900, 900]


def test_a_late_failure_of_another_worker_does_not_open_it_wider() -> None:
    assert after_all(OPEN, "down").until == OPEN.until


def test_an_answer_does_not_end_a_pause_that_somebody_asked_for() -> None:
    assert after_all(PAUSED, "up") == ConnectionStanding("paused", "quota", PAUSED.until)
    assert after_all(PAUSED, "up", now=NOW + seconds(61)) == ConnectionStanding()


def test_a_pause_that_is_longer_than_the_breaker_stays_as_long() -> None:
    paused = ConnectionStanding("paused", "quota", NOW + timedelta(hours=1), failures=FAILURES - 1)
    assert after_all(paused, "down").until == NOW + timedelta(hours=1)


@given(st.lists(st.tuples(st.sampled_from(["up", "down", "silent"]), st.integers(0, 2000)), max_size=60))
def test_whatever_happens_it_is_never_shut_for_longer_than_it_should_and_an_answer_opens_the_way(
    happened: list[tuple[BatchVerdict, int]],
) -> None:
    standing, now = ConnectionStanding(), NOW
    for verdict, pause in happened:
        now += seconds(pause)
        standing = after_batch(begin_probe(standing, now), verdict, now=now)
        assert standing.until is None or standing.until - now <= max(LONGEST_OPEN, PROBE_FOR)
    assert admits(after_batch(standing, "up", now=now), now) == "all"


@given(st.integers(1, 40))
def test_openings_never_come_sooner_after_each_other(probes: int) -> None:
    standing, now, waits = OPEN, NOW, []
    for _ in range(probes):
        assert standing.until is not None
        waits.append(standing.until - now)
        now = standing.until
        standing = after_all(begin_probe(standing, now), "down", now=now)
    assert all(one <= other for one, other in pairwise(waits))
