"""The arithmetic of a pace, driven by a vendor that is simulated, and the guard that keeps to it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.core.errors import RateLimited
from hub.sdk.http import open_guard
from hub.sdk.http.pace import (
    COOLING_S,
    LEAP,
    SLOWEST,
    STEP,
    STEP_CALLS,
    UNBOUND_S,
    Pace,
    Slot,
    Stand,
    look,
    next_at,
    note,
    observed,
    rate_of,
    refuse,
    reserve,
)
from hub.sdk.rates import Usage
from hub.testkit.fakes import answer
from hub.testkit.server import LocalServer

T0 = 1_800_000_000.0
FOREVER = 1e9


class Vendor:
    """A bucket of calls that refills; it answers 429 with Retry-After when it is empty. Time moves by waiting only."""

    def __init__(self, rate: float, bucket: float | None = None, *, retry_after: float | None = 1.0) -> None:
        self.rate, self.bucket = rate, max(rate, 1.0) if bucket is None else bucket
        self.tokens, self.filled = self.bucket, T0
        self.retry_after = retry_after
        self.ok = self.refused = 0

    def take(self, now: float) -> bool:
        self.tokens = min(self.bucket, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        self.ok += 1
        return True


def drive(vendor: Vendor, *, seconds: float, stand: Stand | None = None, call_s: float = 0.01) -> Stand:
    """Somebody who always has something to send, over so many seconds."""
    now, stand = T0, stand or Stand()
    while now < T0 + seconds:
        stand, wait = reserve(stand, now, longest=FOREVER)
        now += wait + call_s
        if not vendor.take(now):
            stand = refuse(stand, now, retry_after=vendor.retry_after)
    return stand


def sent(calls: int, *, every: float) -> tuple[Stand, float]:
    """A stand after calls at a steady rate, and the time of the last one."""
    stand, now = Stand(), T0
    for number in range(calls):
        now = T0 + number * every
        stand, wait = reserve(stand, now, longest=0)
        assert wait == 0
    return stand, now


def test_without_a_refusal_nobody_waits() -> None:
    stand, now = sent(500, every=0.01)
    assert (rate_of(stand, now), next_at(stand, now)) == (0.0, 0.0)


def test_after_a_refusal_nothing_leaves_before_retry_after_and_then_at_half_the_rate() -> None:
    stand, now = sent(51, every=0.1)
    stand = refuse(stand, now, retry_after=7)
    assert stand.rate == pytest.approx(5, rel=0.1)
    stand, first = reserve(stand, now, longest=FOREVER)
    stand, second = reserve(stand, now, longest=FOREVER)
    assert (first, second - first) == (pytest.approx(7), pytest.approx(1 / stand.rate))


def test_a_burst_of_a_moment_counts_as_what_left_in_two_seconds() -> None:
    stand, now = sent(9, every=0.01)
    assert observed(stand, now) == pytest.approx(4, rel=0.01)


def test_refusals_of_what_was_on_its_way_cut_once() -> None:
    stand, now = sent(51, every=0.1)
    cut = refuse(stand, now, retry_after=None)
    again = refuse(refuse(cut, now + 0.3, retry_after=None), now + 0.6, retry_after=3)
    assert (again.rate, again.hold) == (cut.rate, now + 3.6)


def test_a_refusal_after_the_cooling_cuts_again() -> None:
    stand, now = sent(51, every=0.1)
    cut = refuse(stand, now, retry_after=None)
    assert refuse(cut, now + COOLING_S, retry_after=None).rate <= cut.rate / 2


def test_without_anything_to_measure_the_rate_starts_at_one_in_two_seconds() -> None:
    assert refuse(Stand(), T0, retry_after=None).rate == 0.5


def test_endless_refusals_slow_down_to_one_call_in_half_a_minute() -> None:
    vendor = Vendor(rate=0, bucket=0, retry_after=None)
    stand = drive(vendor, seconds=3600)
    assert stand.rate == SLOWEST
    assert vendor.refused < 130


@pytest.mark.parametrize("rate", [0.5, 1, 4, 10, 50])
def test_of_a_vendors_calls_at_most_one_in_a_hundred_is_refused_and_more_than_half_are_used(rate: float) -> None:
    vendor = Vendor(rate)
    drive(vendor, seconds=4 * 3600 / rate, call_s=0.001)
    assert vendor.refused / (vendor.ok + vendor.refused) <= 0.01
    assert vendor.ok >= 0.55 * 4 * 3600


def test_a_vendor_that_recovers_is_used_again_within_two_hours() -> None:
    vendor = Vendor(rate=10)
    slow = Stand(rate=SLOWEST, ceiling=2 * SLOWEST, step_at=T0, bound_at=T0)
    assert drive(vendor, seconds=2 * 3600, stand=slow).rate > 4


@pytest.mark.parametrize(("ceiling", "factor"), [(4.0, STEP), (1.0, LEAP)])
def test_it_grows_in_small_steps_below_what_was_refused_and_leaps_above(ceiling: float, factor: float) -> None:
    now = T0 + 100
    stand = Stand(rate=2.0, ceiling=ceiling, step_at=T0, step_calls=STEP_CALLS, bound_at=now)
    assert reserve(stand, now, longest=0)[0].rate == 2.0 * factor


@pytest.mark.parametrize("missing", [{"step_at": T0 + 99}, {"step_calls": STEP_CALLS - 1}])
def test_it_does_not_grow_before_enough_seconds_and_calls(missing: Mapping[str, float]) -> None:
    now = T0 + 100
    wanted = {"step_at": T0, "step_calls": STEP_CALLS, **missing}
    stand = Stand(rate=2.0, ceiling=4.0, bound_at=now, **wanted)  # type: ignore[arg-type]  # a count and a time
    assert reserve(stand, now, longest=0)[0].rate == 2.0


def test_a_pace_that_nobody_had_to_wait_for_is_dropped() -> None:
    stand = refuse(*sent(51, every=0.1), retry_after=None)
    later = stand.hold + UNBOUND_S + 10
    assert reserve(stand, later, longest=0)[0].rate == 0.0


def test_a_pace_that_somebody_stays_away_for_is_not_dropped() -> None:
    stand = Stand(rate=0.1, ceiling=10, step_at=T0, bound_at=T0)
    for second in range(600):
        stand, wait = look(stand, T0 + second)
        if not wait:
            stand, _ = reserve(stand, T0 + second, longest=0)
    assert 0.1 <= rate_of(stand, T0 + 600) < 0.2


@pytest.mark.parametrize(("calls", "ceiling"), [(3, 0.0), (30, pytest.approx(14.5, rel=0.01))])
def test_after_few_calls_it_is_not_known_how_much_is_allowed(calls: int, ceiling: float) -> None:
    assert refuse(*sent(calls, every=0.01), retry_after=None).ceiling == ceiling


def test_where_the_slot_is_too_far_none_is_taken() -> None:
    stand = Stand(rate=0.1, free_at=T0 + 8)
    after, wait = reserve(stand, T0, longest=2)
    assert (wait, after.free_at) == (8, T0 + 8)


@pytest.mark.parametrize(
    ("usage", "rate", "hold"),
    [
        (Usage(950, 1000, 100), 0.5, 0.0),
        (Usage(1000, 1000, 100), 0.0, T0 + 100),
        (Usage(2000, 1000, 1e9), 0.0, T0 + 3600),
        (Usage(890, 1000, 100), 0.0, 0.0),
        (Usage(999, 1000, None), 0.0, 0.0),
        (Usage(950, 1000, 0), 50.0, 0.0),
    ],
)
def test_the_last_tenth_of_a_window_is_spread_over_the_time_to_its_reset(
    usage: Usage, rate: float, hold: float
) -> None:
    stand = note(Stand(), T0, usage)
    assert (stand.spread, stand.hold) == (rate, hold)


def test_a_spread_ends_with_its_window() -> None:
    stand = note(Stand(), T0, Usage(950, 1000, 100))
    assert (rate_of(stand, T0 + 99), rate_of(stand, T0 + 100)) == (0.5, 0.0)


def test_spreading_meets_the_window_without_a_refusal() -> None:
    left, now, stand = 90, T0, Stand()
    while now < T0 + 60 and left >= 0:
        stand, wait = reserve(stand, now, longest=FOREVER)
        now += wait + 0.01
        left -= 1
        stand = note(stand, now, Usage(1000 - left, 1000, T0 + 60 - now))
    assert left >= 0


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.floats(0, 50)),
            st.tuples(st.just("refuse"), st.floats(0, 1e6)),
            st.tuples(st.just("note"), st.floats(0, 1e6)),
        ),
        max_size=80,
    )
)
@example([("note", 82983.0), ("send", 0.0), ("refuse", 0.0), ("send", 0.0)])
def test_whatever_comes_slots_keep_their_distance_and_nothing_leaves_before_it_may(
    happened: list[tuple[str, float]],
) -> None:
    stand, now, last = Stand(), T0, 0.0
    for what, number in happened:
        now += 0.05
        if what == "refuse":
            stand = refuse(stand, now, retry_after=number)
        elif what == "note":
            stand = note(stand, now, Usage(int(number) % 1001, 1000, number))
        else:
            rate = rate_of(stand, now)
            stand, wait = reserve(stand, now, longest=FOREVER)
            assert now + wait >= max(last, stand.hold)
            assert not rate or stand.rate == 0 or stand.free_at - (now + wait) <= 1 / SLOWEST + 3700
            last = now + wait
    assert len(stand.left) <= 6


# ---------------------------------------------------------------------------------------------------------- the guard


class Script(Pace):
    """Gives out slots from a list, the last one for ever; remembers what it was asked and told."""

    def __init__(self, *slots: Slot, ahead: float = 0.0) -> None:
        self.slots, self.distance = list(slots), ahead
        self.asked: list[float] = []
        self.told: list[tuple[int, str | None]] = []

    def reserve(self, longest: float) -> Slot:
        self.asked.append(longest)
        return self.slots.pop(0) if len(self.slots) > 1 else self.slots[0]

    def ahead(self) -> float:
        return self.distance

    def tell(self, status: int, headers: Mapping[str, str]) -> None:
        self.told.append((status, headers.get("retry-after")))


def through(pace: Pace, script: object = None, *, method: str = "POST") -> tuple[int, list[float], int]:
    """One request through a guard with this pace: its status (0: refused), what was slept, requests that arrived."""
    slept: list[float] = []
    made = script or (lambda _: answer(200))
    with LocalServer(made) as server, open_guard(allow_private=True, sleep=slept.append) as guard:  # type: ignore[arg-type]
        guard.pace = pace
        try:
            status = guard.send(method, server.url).status
        except RateLimited as error:
            assert error.code == "paced"
            status = 0
    return status, slept, len(server.requests)


NOW = Slot(0.0, kept=True)


@pytest.mark.parametrize(
    ("slots", "outcome"),
    [
        ([NOW], (200, [], 1)),
        ([Slot(1.5, kept=True)], (200, [1.5], 1)),
        ([Slot(0.5, kept=False), Slot(1.0, kept=True)], (200, [0.5, 1.0], 1)),
        ([Slot(2.5, kept=False)], (0, [], 0)),
        ([Slot(1.5, kept=False), Slot(1.0, kept=False)], (0, [1.5], 0)),
    ],
)
def test_a_request_waits_its_turn_for_two_seconds_in_all_or_does_not_leave(
    slots: list[Slot], outcome: tuple[int, list[float], int]
) -> None:
    assert through(Script(*slots)) == outcome


def test_the_error_says_how_long_and_that_nothing_left() -> None:
    with open_guard(allow_private=True) as guard:
        guard.pace = Script(Slot(40.0, kept=False))
        with pytest.raises(RateLimited, match=r"not sent, its turn is in 40\.0 s") as caught:
            guard.send("POST", "http://127.0.0.1:9/x")
    assert caught.value.retry_after == 40.0
    assert guard.calls == {}


def test_the_pace_is_told_of_each_answer() -> None:
    pace = Script(NOW)
    through(pace, lambda _: answer(429, headers={"retry-after": "3"}))
    assert pace.told == [(429, "3")]


def test_repeats_and_redirects_wait_their_turn_too() -> None:
    pace = Script(NOW)
    steps = [answer(503), answer(302, headers={"location": "/b"}), answer(200)]
    status, _, arrived = through(pace, lambda _: steps.pop(0), method="GET")
    assert (status, arrived, len(pace.asked), [one for one, _ in pace.told]) == (200, 3, 3, [503, 302, 200])


@pytest.mark.parametrize(("ahead", "early"), [(0.0, 0.0), (2.0, 0.0), (2.1, 2.1), (900.0, 900.0)])
def test_a_guard_is_too_early_where_it_would_not_wait_itself(ahead: float, early: float) -> None:
    with open_guard() as guard:
        guard.pace = Script(NOW, ahead=ahead)
        assert guard.too_early() == early


def test_without_a_pace_no_guard_is_too_early() -> None:
    with open_guard() as guard:
        assert guard.too_early() == 0.0
