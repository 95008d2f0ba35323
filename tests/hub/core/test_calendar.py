"""Parts of a time in a zone, as CEL's definition counts them."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.grammar.calendar import METHODS, wrong_zone
from hub.core.route import compile_rules
from hub.core.spec import Rule

SUNDAY = "2026-06-07T23:30:05.123Z"  # in Paris a Monday
NEW_YEAR = "2026-12-31T23:30:00Z"


def holds(condition: str, at: str = SUNDAY) -> bool:
    facts: dict[str, Any] = {"signal": {"published_at": at}}
    return compile_rules([Rule("r", (condition,))]).matches(facts) == ("r",)


@pytest.mark.parametrize(
    ("part", "in_utc", "in_paris"),
    [
        ("getFullYear", 2026, 2026),
        ("getMonth", 5, 5),
        ("getDate", 7, 8),
        ("getDayOfMonth", 6, 7),
        ("getDayOfWeek", 0, 1),
        ("getDayOfYear", 157, 158),
        ("getHours", 23, 1),
        ("getMinutes", 30, 30),
        ("getSeconds", 5, 5),
        ("getMilliseconds", 123, 123),
    ],
)
def test_each_part_is_counted_in_the_zone(part: str, in_utc: int, in_paris: int) -> None:
    assert holds(f"timestamp(signal.published_at).{part}() == {in_utc}")
    assert holds(f"timestamp(signal.published_at).{part}('UTC') == {in_utc}")
    assert holds(f"timestamp(signal.published_at).{part}('Europe/Paris') == {in_paris}")


def test_the_table_names_each_part() -> None:
    assert len(METHODS) == 10


@pytest.mark.parametrize(("zone", "hour"), [("+02:00", 1), ("-02:30", 21), ("05:45", 5), ("America/New_York", 18)])
def test_an_offset_is_a_zone(zone: str, hour: int) -> None:
    assert holds(f"timestamp(signal.published_at).getHours('{zone}') == {hour}", NEW_YEAR)


def test_a_day_of_changing_clocks_has_its_own_offset() -> None:
    assert holds("timestamp(signal.published_at).getHours('Europe/Paris') == 1", "2026-03-29T00:59:00Z")
    assert holds("timestamp(signal.published_at).getHours('Europe/Paris') == 3", "2026-03-29T01:00:00Z")


def test_both_forms_stand_in_one_condition() -> None:
    at = "timestamp(signal.published_at)"
    assert holds(f"{at}.getHours() == 23 && {at}.getHours('Europe/Paris') == 1")


@pytest.mark.parametrize("zone", ["Europe/Pariss", "CEST", "Paris", "", "+2", "../etc/passwd"])
def test_a_zone_that_does_not_exist_is_told_with_a_way_out(zone: str) -> None:
    told = wrong_zone(zone)
    assert told is not None
    assert told[1]
