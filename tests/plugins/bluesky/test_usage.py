"""What a PDS tells of its rate window, through a pace as the engine makes one."""

from __future__ import annotations

from hub import Limit, Usage
from hub.queue.pace import LocalPaces
from plugins.bluesky.config import BlueskyOptions
from plugins.bluesky.source import BlueskySource


def test_the_reset_is_in_seconds_since_1970_read_by_the_servers_clock() -> None:
    paces = LocalPaces(lambda: 0.0)
    source = BlueskySource(BlueskyOptions.model_construct())
    headers = {
        "date": "Tue, 15 Sep 2026 08:00:00 GMT",
        "ratelimit-limit": "3000",
        "ratelimit-remaining": "2990",
        "ratelimit-reset": "1789459260",
        "ratelimit-policy": "3000;w=300",
    }
    paces.open("sky", usage=source.usage).tell(200, headers)
    assert paces.usages() == {"sky": Usage(10, 3000, 60.0)}


def test_3000_requests_in_five_minutes_are_declared() -> None:
    assert BlueskySource.limits == (Limit(3000, 300),)
