"""What an instance tells of its rate window."""

from __future__ import annotations

from hub import Limit, Usage
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.source import MastodonSource

SOURCE = MastodonSource(MastodonOptions.model_validate({"instance": "https://m.example", "hashtags": ["acme"]}))


def test_the_reset_is_an_iso_time_read_by_the_servers_clock() -> None:
    headers = {
        "date": "Tue, 15 Sep 2026 08:01:00 GMT",
        "x-ratelimit-limit": "300",
        "x-ratelimit-remaining": "12",
        "x-ratelimit-reset": "2026-09-15T08:05:00.000000Z",
    }
    assert SOURCE.usage(headers) == Usage(288, 300, 240.0)


def test_without_the_headers_nothing_is_known() -> None:
    assert SOURCE.usage({"date": "Tue, 15 Sep 2026 08:01:00 GMT"}) is None


def test_300_requests_in_five_minutes_are_declared() -> None:
    assert SOURCE.limits == (Limit(300, 300),)
