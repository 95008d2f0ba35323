"""All statuses and mentions that real instances sent to Mastodon.py's tests, nested ones too, each as an item of its own.

Expected values are read from the raw JSON by the documentation's paths; the text is stripped by the standard library.
"""

from __future__ import annotations

import json
import lzma
import re
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from hub import Ignored, RawItem, Translated, author_key, signal_key
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.source import MastodonSource
from plugins.mastodon.translate import translate
from tests.material import objects_in, shared

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@cache
def entities() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with lzma.open(shared("recordings/mastodon.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            for exchange in json.loads(line)["interactions"]:
                body = exchange["response"]["body"]
                if isinstance(body, str) and body[:1] in ("[", "{"):
                    found += objects_in(json.loads(body))
    return found


def statuses() -> list[dict[str, Any]]:
    return [entity for entity in entities() if {"uri", "content", "account", "visibility"} <= entity.keys()]


def notifications() -> list[dict[str, Any]]:
    return [entity for entity in entities() if {"type", "account", "id"} <= entity.keys() and "uri" not in entity]


class Stripper(HTMLParser):
    """Keeps what stands between the tags, with a dash for each item of a list."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "li":
            self.words.append("-")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def stripped(html: str) -> str:
    stripper = Stripper()
    stripper.feed(html)
    stripper.close()
    return "".join("".join(stripper.words).split())


def read(entity: dict[str, Any]) -> Any:
    return translate(RawItem("m", "mastodon", json.dumps(entity).encode(), NOW, "x"))


def test_there_are_as_many_statuses_as_the_recordings_hold() -> None:
    assert len(statuses()) >= 356


def test_every_status_gives_one_signal_with_its_author() -> None:
    for status in statuses():
        found = read(status)
        assert isinstance(found, Translated)
        assert (len(found.signals), len(found.authors), len(found.tombstones)) == (1, 1, 0)
        assert found.signals[0].author_key == found.authors[0].key


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("key", lambda status: signal_key("mastodon", status["uri"])),
        ("native_id", lambda status: status["uri"]),
        ("author_key", lambda status: author_key("mastodon", status["account"].get("uri") or status["account"]["url"])),
        ("published_at", lambda status: datetime.fromisoformat(status["created_at"])),
        ("url", lambda status: status["url"]),
        ("lang", lambda status: status["language"] or None),
        ("title", lambda status: status["spoiler_text"] or None),
        ("hashtags", lambda status: tuple(tag["name"] for tag in status["tags"])),
        ("state", lambda status: "edited" if status.get("edited_at") else "live"),
        ("visibility", lambda status: status["visibility"].replace("private", "followers")),
    ],
)
def test_a_field_of_every_status_is_what_the_json_says(field: str, expected: Any) -> None:
    for status in statuses():
        assert getattr(read(status).signals[0], field) == expected(status), status["uri"]


def test_the_text_of_every_status_is_its_content_without_the_tags() -> None:
    for status in statuses():
        signal = read(status).signals[0]
        line = r'<(p|span) class="quote-inline">.*?</\1>'
        content = re.sub(line, "", status["content"]) if signal.quotes else status["content"]
        assert "".join(signal.text.split()) == stripped(content), status["uri"]


def test_counts_of_every_status_are_those_of_the_json() -> None:
    names = {
        "likes": "favourites_count",
        "replies": "replies_count",
        "shares": "reblogs_count",
        "quotes": "quotes_count",
    }
    for status in statuses():
        counts = read(status).signals[0].counts
        assert {name: getattr(counts, name) for name in names} == {
            name: status.get(path) for name, path in names.items()
        }


def test_every_boost_names_the_boosted_and_every_quote_the_quoted() -> None:
    linked = 0
    for status in statuses():
        inner = status.get("reblog") or (status.get("quote") or {}).get("quoted_status")
        expected = signal_key("mastodon", inner["uri"]) if inner else None
        assert read(status).signals[0].quotes == expected
        linked += inner is not None
    assert linked >= 9


def test_every_mention_is_its_status_and_every_other_notification_is_told_apart() -> None:
    mentions = [entity for entity in notifications() if entity["type"] == "mention"]
    assert len(mentions) >= 8
    for mention in mentions:
        signal = read(mention).signals[0]
        assert (signal.kind, signal.native_id) == ("mention", mention["status"]["uri"])


def test_nothing_that_an_instance_sent_ends_in_another_error() -> None:
    for entity in notifications():
        assert isinstance(read(entity), Translated | Ignored)


def test_what_the_source_keeps_of_a_recorded_page_is_each_entitys_exact_text() -> None:
    page = list({status["id"]: status for status in statuses()}.values())[:20]
    body = json.dumps(page, ensure_ascii=False, indent=1).encode()
    http = FakeHttp([answer(content=body)])
    source = MastodonSource(MastodonOptions(instance="https://m.example", public=True, backfill=20))
    items = [item for found in source.pull(context(http), None) for item in found.items]
    assert [json.loads(item.payload) for item in reversed(items)] == page
    assert all(item.payload in body for item in items)
