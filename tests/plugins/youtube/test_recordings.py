"""Comments and refusals that the real API sent; what is expected is read from the raw JSON by other paths."""

from __future__ import annotations

import json
import lzma
from datetime import UTC, datetime
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from hub import RawItem, Rejected, Translated, author_key, signal_key
from hub.sdk.doc import Doc
from hub.testkit.fakes import FakeClock, FakeHttp, answer, context
from plugins.youtube.source import YoutubeSource
from plugins.youtube.translate import item_of, payload_of, translate
from tests.material import objects_in, shared

RECEIVED = datetime(2026, 1, 2, tzinfo=UTC)
FILE = "recordings/payloads/youtube.jsonl.xz"
CHANNEL = "UC_x5XG1OV2P6uZZ5FSM9Ttw"
Json = dict[str, Any]


@cache
def documents(path: Path) -> dict[str, Any]:
    lines = map(json.loads, lzma.decompress(path.read_bytes()).splitlines())
    return {line["path"].removeprefix("testdata/"): json.loads(line["text"]) for line in lines}


def recorded(name: str) -> Any:
    return documents(shared(FILE))[name]


def comments() -> list[Json]:
    found = [one for document in documents(shared(FILE)).values() for one in objects_in(document)]
    return [one for one in found if one.get("kind") == "youtube#comment"]


def feed(comment: Json) -> Translated:
    payload = payload_of(Doc(comment), "")
    item = item_of(payload)
    found = translate(RawItem("y", "youtube", payload, RECEIVED, item.external_id, revision=item.revision))
    assert isinstance(found, Translated)
    return found


def test_there_are_comments_of_every_sort() -> None:
    found = comments()
    assert len(found) >= 15
    assert {"parentId" in one["snippet"] for one in found} == {True, False}


def test_every_comment_is_a_signal_with_its_words_its_author_and_its_time() -> None:
    for comment in comments():
        said, (signal,) = comment["snippet"], feed(comment).signals
        assert signal.key == signal_key("youtube", comment["id"])
        assert signal.author_key == author_key("youtube", said["authorChannelId"]["value"])
        assert signal.published_at.isoformat()[:19] == said["publishedAt"][:19]
        assert signal.text.split() == unescape(said["textOriginal"]).split()


def test_what_viewers_see_says_the_same_as_what_was_typed() -> None:
    for comment in comments():
        shown = {name: value for name, value in comment["snippet"].items() if name != "textOriginal"}
        seen = feed({**comment, "snippet": shown}).signals[0].text
        assert seen.split() == comment["snippet"]["textOriginal"].split()


def test_a_reply_belongs_to_its_thread_and_its_id_begins_with_that_threads() -> None:
    replies = [one for one in comments() if "parentId" in one["snippet"]]
    for reply in replies:
        parent = reply["snippet"]["parentId"]
        assert feed(reply).signals[0].in_reply_to == signal_key("youtube", parent)
        assert reply["id"].partition(".")[0] == parent


def pulled(http: FakeHttp) -> list[RawItem]:
    source = YoutubeSource(YoutubeSource.Options.model_validate({"api_key": "k", "channels": [CHANNEL]}))
    ctx = context(http, clock=FakeClock(datetime(2019, 6, 24, tzinfo=UTC)))
    return [item for page in source.pull(ctx, None) for item in page.items]


def test_a_recorded_page_of_threads_is_pulled() -> None:
    page = recorded("apidata/comment_threads/comment_threads_by_channel.json")
    newest = page["items"][0]["id"]
    assert [item.external_id for item in pulled(FakeHttp([answer(200, page)]))] == [newest]


def test_a_recorded_refusal_is_told_in_its_words() -> None:
    refusal = recorded("apidata/error_permission_resp.json")
    with pytest.raises(Rejected, match="does not have permission"):
        pulled(FakeHttp([answer(403, refusal)]))
