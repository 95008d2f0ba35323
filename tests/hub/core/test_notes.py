"""Notes: what agents read."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.grammar.words import network_name
from hub.core.notes import reply_note

PAGE = "http://hub/deliveries/3"


@pytest.mark.parametrize(
    ("state", "error", "post", "text"),
    [
        ("delivered", None, "https://m.example/1", "Posted on Mastodon: https://m.example/1"),
        ("delivered", None, None, "Posted on Mastodon."),
        ("dead", {"message": "too long"}, None, "Not posted on Mastodon: too long"),
        ("discarded", {"note": "rude"}, None, "Not posted on Mastodon, refused in the hub: rude"),
        (
            "approval",
            {"message": "waits for approval"},
            None,
            f"Not posted on Mastodon yet. Waits for approval in the hub: {PAGE}",
        ),
        ("retry", {"message": "down"}, None, ""),
        ("dead", None, None, "Not posted on Mastodon: no reason was given"),
    ],
)
def test_agents_read_what_became_of_a_reply(state: str, error: Any, post: str | None, text: str) -> None:
    assert reply_note("mastodon", state=state, error=error, links=(post, PAGE)) == text


def test_networks_are_written_as_people_write_them() -> None:
    assert [network_name(one) for one in ("bluesky", "youtube", "app_store", "rss")] == [
        "Bluesky",
        "YouTube",
        "the App Store",
        "the feed",
    ]
