"""Rates as people write them, and windows as vendors tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk.http.usage import window_usage
from hub.sdk.rates import Limit, Usage, next_midnight

DATE = "Tue, 15 Sep 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("10/s", Limit(10, 1)),
        ("100/m", Limit(100, 60)),
        ("5000/h", Limit(5000, 3600)),
        ("1/d", Limit(1, 86_400)),
        ("190/10s", Limit(190, 10)),
        (" 300 / 5 m ", Limit(300, 300)),
    ],
)
def test_a_rate_is_read_as_it_is_written(text: str, limit: Limit) -> None:
    assert Limit.parse(text) == limit


@pytest.mark.parametrize(
    "text", ["", "10", "10/", "/s", "0/s", "10/0s", "-1/s", "1.5/s", "10/w", "10 per second", "9" * 20]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a rate is text such as"):
        Limit.parse(text)


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0), (-1, 1)])
def test_a_limit_of_nothing_is_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one call"):
        Limit(*numbers)


@pytest.mark.parametrize(
    ("headers", "usage"),
    [
        ({"ratelimit-limit": "700", "ratelimit-remaining": "699", "ratelimit-reset": "41"}, Usage(1, 700, 41.0)),
        (
            {
                "ratelimit-limit": "3000",
                "ratelimit-remaining": "2990",
                "ratelimit-policy": "3000;w=300",
                "ratelimit-reset": "1789459260",
                "date": DATE,
            },
            Usage(10, 3000, 60.0),
        ),
        ({"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "0"}, Usage(100, 100, None)),
        ({"ratelimit-limit": "100", "ratelimit-remaining": "7", "ratelimit-reset": "1789459260"}, Usage(93, 100, None)),
        ({"ratelimit-limit": "100", "ratelimit-remaining": "120", "ratelimit-reset": "-3"}, Usage(0, 100, 0.0)),
        ({"ratelimit-limit": "100"}, None),
        ({"ratelimit-limit": "0", "ratelimit-remaining": "0"}, None),
        ({"ratelimit-limit": "many", "ratelimit-remaining": "1"}, None),
        ({"ratelimit-limit": "9" * 40, "ratelimit-remaining": "1"}, None),
        ({}, None),
    ],
)
def test_a_window_is_read_in_each_form_of_its_reset(headers: Mapping[str, str], usage: Usage | None) -> None:
    assert window_usage(headers) == usage


def test_a_window_may_have_other_names_and_an_iso_time() -> None:
    headers = {
        "x-ratelimit-limit": "300",
        "x-ratelimit-remaining": "30",
        "date": DATE,
        "x-ratelimit-reset": "2026-09-15T08:05:00.000000Z",
    }
    assert window_usage(headers, "x-ratelimit-") == Usage(270, 300, 300.0)


@given(st.fixed_dictionaries({f"ratelimit-{name}": st.text(max_size=30) for name in ("limit", "remaining", "reset")}))
def test_no_header_breaks_the_reading(headers: dict[str, str]) -> None:
    found = window_usage({**headers, "date": DATE})
    assert found is None or (found.limit > 0 and found.used >= 0)


@pytest.mark.parametrize(
    ("usage", "left", "scarce"),
    [(Usage(900, 1000), 100, False), (Usage(901, 1000), 99, True), (Usage(1100, 1000), 0, True)],
)
def test_less_than_a_tenth_is_scarce(usage: Usage, left: int, *, scarce: bool) -> None:
    assert (usage.left, usage.is_scarce) == (left, scarce)


@pytest.mark.parametrize(
    ("now", "zone", "midnight"),
    [
        ((3, 28, 12), "Europe/Berlin", (3, 28, 23)),
        ((3, 28, 12), "America/New_York", (3, 29, 4)),
        ((3, 8, 9), "America/Los_Angeles", (3, 9, 7)),  # a day of 23 hours
        ((11, 1, 8), "America/Los_Angeles", (11, 2, 8)),  # a day of 25 hours
        ((3, 28, 12), "No/Where", (3, 29, 0)),
        ((3, 28, 12), "../etc", (3, 29, 0)),
        ((3, 28, 12), None, (3, 29, 0)),
    ],
)
def test_the_next_midnight_is_that_of_the_zone(
    now: tuple[int, int, int], zone: str | None, midnight: tuple[int, int, int]
) -> None:
    found = next_midnight(datetime(2026, *now, tzinfo=UTC), zone)
    assert found == datetime(2026, *midnight, tzinfo=UTC)
    assert found.tzinfo is UTC
