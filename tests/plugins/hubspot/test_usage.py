"""What HubSpot tells of its two windows: ten seconds, and the day."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hub import Usage
from plugins.hubspot.destination import HubSpotDestination, tighter

WINDOW = {
    "x-hubspot-ratelimit-max": "190",
    "x-hubspot-ratelimit-remaining": "171",
    "x-hubspot-ratelimit-interval-milliseconds": "10000",
}
DAY = {"x-hubspot-ratelimit-daily": "250000"}


@pytest.mark.parametrize(
    ("headers", "usage"),
    [
        (WINDOW, Usage(19, 190, 10.0)),
        ({**WINDOW, **DAY, "x-hubspot-ratelimit-daily-remaining": "249000"}, Usage(19, 190, 10.0)),
        ({**WINDOW, **DAY, "x-hubspot-ratelimit-daily-remaining": "12500"}, Usage(237_500, 250_000)),
        ({**DAY, "x-hubspot-ratelimit-daily-remaining": "0"}, Usage(250_000, 250_000)),
        ({**WINDOW, "x-hubspot-ratelimit-remaining": "?"}, None),
        ({}, None),
    ],
)
def test_the_window_of_which_more_is_used_counts(headers: Mapping[str, str], usage: Usage | None) -> None:
    assert tighter(headers) == usage


def test_the_smallest_plans_limit_is_declared() -> None:
    assert [(one.calls, one.per) for one in HubSpotDestination.limits] == [(100, 10)]
