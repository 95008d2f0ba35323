"""Silence against a source's own rhythm."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.flow.monitor.silence import is_silent, usual_pause
from hub.store.monitor.figures import SLOT, slot_of

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
FLOOR = timedelta(minutes=30)


def slots(times: Iterable[datetime]) -> list[int]:
    return sorted({slot_of(at) for at in times})


def every(step: timedelta, begin: datetime, end: datetime) -> list[datetime]:
    return [begin + step * number for number in range((end - begin) // step + 1)]


def office(begin: datetime, end: datetime) -> list[datetime]:
    """Something each quarter of an hour from nine to five on weekdays."""
    times = every(timedelta(minutes=15), begin, end)
    return [at for at in times if at.weekday() < 5 and 9 <= at.hour < 17]


def silent(times: list[datetime], now: datetime, floor: timedelta = FLOOR) -> bool:
    return is_silent(slots(times), times[-1], now, floor=floor)


STEADY = every(timedelta(minutes=10), MONDAY, MONDAY + timedelta(days=7))
OFFICE = office(MONDAY - timedelta(days=7), MONDAY + timedelta(days=4, hours=17))  # to Friday's evening
CASES = {
    "half an hour of a steady source": (STEADY, STEADY[-1] + timedelta(minutes=29), False),
    "an hour of a steady source": (STEADY, STEADY[-1] + timedelta(hours=1), True),
    "ten days of a steady source": (STEADY, STEADY[-1] + timedelta(days=10), True),
    "a night": (office(MONDAY - timedelta(days=7), MONDAY + timedelta(hours=17)), MONDAY + timedelta(hours=30), False),
    "a weekend": (OFFICE, MONDAY + timedelta(days=6, hours=20), False),
    "Monday before nine": (OFFICE, MONDAY + timedelta(days=7, hours=8, minutes=55), False),
    "Monday at eleven": (OFFICE, MONDAY + timedelta(days=7, hours=11), True),
    "a Tuesday without a word": (OFFICE, MONDAY + timedelta(days=8, hours=12), True),
}


@pytest.mark.parametrize("case", CASES)
def test_silence_is_judged_by_the_hour_of_the_week(case: str) -> None:
    times, now, expected = CASES[case]
    assert silent(times, now) is expected


def test_a_source_with_few_items_is_never_silent() -> None:
    times = every(timedelta(hours=12), MONDAY, MONDAY + timedelta(days=7))
    assert not silent(times, MONDAY + timedelta(days=30))


def test_a_source_of_yesterday_is_not_judged_yet() -> None:
    times = every(timedelta(minutes=10), MONDAY, MONDAY + timedelta(days=1))
    assert not silent(times, MONDAY + timedelta(days=1, hours=6))


def test_nothing_is_silent_before_the_floor() -> None:
    assert not silent(STEADY, STEADY[-1] + timedelta(hours=5), floor=timedelta(hours=6))


def test_one_long_pause_of_a_hundred_does_not_stretch_the_rhythm() -> None:
    assert usual_pause([*range(199), 5000]) == SLOT


@given(st.lists(st.integers(0, 3000), unique=True, max_size=200), st.integers(0, 20_000))
def test_any_history_gives_a_verdict(numbers: list[int], minutes: int) -> None:
    times = [MONDAY + SLOT * number for number in sorted(numbers)] or [MONDAY]
    assert silent(times, times[-1] + timedelta(minutes=minutes)) in (True, False)
