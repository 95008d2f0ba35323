"""Every post of the recorded answers, fed on its own; what is expected is read from the raw JSON by other paths."""

from __future__ import annotations

import json
import lzma
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hub import Ignored, RawItem, Translated, TranslationError, author_key, signal_key
from plugins.bluesky.translate import translate
from tests.material import objects_in, shared

RECEIVED = datetime(2026, 1, 2, tzinfo=UTC)
FILES = {
    "recordings/payloads/bluesky.jsonl": 1,
    "recordings/payloads/bluesky_appview.jsonl.xz": 230,
    "recordings/payloads/granary_mappings.jsonl": 6,
}


@cache
def documents(path: Path) -> list[tuple[str, Any]]:
    content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    named = [(line["name"], line["text"]) for line in map(json.loads, content.splitlines())]
    wanted = [(name, text) for name, text in named if "granary" not in path.name or ".bsky" in name]
    return [(name, json.loads(text)) for name, text in wanted]


def signed(item: dict[str, Any]) -> dict[str, Any] | None:
    """The record of an item that is a post itself or wraps one in `post`; None where it is neither."""
    item = item["post"] if isinstance(item.get("post"), dict) else item
    found = item.get("record", item.get("value"))
    is_post = isinstance(found, dict) and str(found.get("$type")).startswith("app.bsky.feed.") and "text" in found
    return found if is_post and "uri" in item else None


def posts(relative: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, item) for name, document in documents(shared(relative)) for item in objects_in(document) if signed(item)
    ]


def feed(item: dict[str, Any]) -> Translated | Ignored:
    payload = json.dumps(item).encode()
    return translate(RawItem(source="b", plugin="bluesky", payload=payload, received_at=RECEIVED, external_id="x"))


@pytest.mark.parametrize(("relative", "least"), FILES.items())
def test_each_recorded_post_keeps_key_author_text_time_and_url(relative: str, least: int) -> None:
    found = posts(relative)
    assert len(found) >= least
    for name, item in found:
        view, record = item.get("post", item), signed(item)
        assert record is not None
        result = feed(item)
        assert isinstance(result, Translated), name
        signal = result.signals[0]
        did = view["author"]["did"] if "author" in view else view["uri"].split("/")[2]
        rkey = view["uri"].split("/")[-1]
        assert signal.key == signal_key("bluesky", view["uri"]), name
        assert signal.author_key == author_key("bluesky", did), name
        assert signal.text == record["text"], name
        created = datetime.fromisoformat(record["createdAt"])
        assert signal.published_at == (created if created.tzinfo else created.replace(tzinfo=UTC)), name
        assert signal.url == f"https://bsky.app/profile/{did}/post/{rkey}", name


@pytest.mark.parametrize("relative", FILES)
def test_each_recorded_post_keeps_its_thread_counts_and_author(relative: str) -> None:
    for name, item in posts(relative):
        view, record = item.get("post", item), signed(item) or {}
        result = feed(item)
        assert isinstance(result, Translated)
        signal = result.signals[0]
        parent, root = (record.get("reply", {}).get(end, {}).get("uri") for end in ("parent", "root"))
        assert signal.in_reply_to == (signal_key("bluesky", parent) if parent else None), name
        assert signal.conversation_key == (signal_key("bluesky", root) if root else None), name
        assert (signal.kind == "reply") is ("reply" in record), name
        assert signal.counts.likes == view.get("likeCount"), name
        assert signal.lang == (record.get("langs") or [None])[0], name
        if "author" in view:
            author = next(one for one in result.authors if one.native_id == view["author"]["did"])
            assert (author.handle, author.display_name) == (view["author"]["handle"], view["author"].get("displayName"))


def test_recorded_images_keep_their_descriptions() -> None:
    alts = 0
    for _, item in posts("recordings/payloads/bluesky_appview.jsonl.xz"):
        images = item.get("embed", {}).get("images", [])
        result = feed(item)
        assert isinstance(result, Translated)
        found = [(media.url, media.alt) for media in result.signals[0].media if media.kind == "image"]
        if images:
            assert found == [(image["fullsize"], image["alt"]) for image in images]
            alts += len(images)
    assert alts >= 18


def test_recorded_notifications_of_people_become_signals_and_no_others() -> None:
    reasons: dict[str, set[str]] = {}
    for _, document in documents(shared("recordings/payloads/bluesky_appview.jsonl.xz")):
        for item in objects_in(document):
            if isinstance(item.get("reason"), str):
                reasons.setdefault(item["reason"], set()).add(type(feed(item)).__name__)
    assert {reason for reason, kinds in reasons.items() if kinds == {"Translated"}} == {"mention", "reply", "quote"}
    assert {"like", "repost", "follow", "verified"} <= {r for r, kinds in reasons.items() if kinds == {"Ignored"}}


def test_recorded_reposts_stand_beside_the_post() -> None:
    items = [item for _, item in posts("recordings/payloads/bluesky_appview.jsonl.xz") if "post" in item]
    reposts = [item for item in items if "Repost" in str(item.get("reason"))]
    assert len(reposts) >= 8
    for item in reposts:
        result = feed(item)
        assert isinstance(result, Translated)
        assert [signal.kind == "repost" for signal in result.signals] == [False, True]


def test_whatever_stands_in_the_recordings_is_read_ignored_or_refused() -> None:
    for relative in FILES:
        for _, document in documents(shared(relative)):
            for item in objects_in(document):
                try:
                    result = feed(item)
                except TranslationError:
                    continue
                assert isinstance(result, Translated | Ignored)
