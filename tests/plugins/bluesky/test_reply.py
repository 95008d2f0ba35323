"""Answers on Bluesky: the record, its key, whom we may answer, and what is written twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from atproto_client.models.utils import get_model_as_dict
from hypothesis import given
from hypothesis import strategies as st

from hub import Context, RawItem, Rejected, Reply, Signal, Translated, Unavailable, Uncertain
from hub.testkit.contracts.replies import Trouble
from hub.testkit.fakes import START, FakeHttp, MemoryState, SentRequest, context
from hub.testkit.server import Failure
from plugins.bluesky.reply import LENGTH, facets, handles_in, record_key
from plugins.bluesky.source import BlueskySource
from tests.plugins.bluesky.town import ANN, BOB, POST, BlueskyTown
from tests.plugins.bluesky.xrpc import DID


def source(**options: Any) -> BlueskySource:
    given_ = {"service": "https://pds.test", "handle": "brand.test", "app_password": "app-pass", **options}
    return BlueskySource(BlueskySource.Options.model_validate(given_))


@pytest.fixture
def town() -> BlueskyTown:
    return BlueskyTown()


@pytest.fixture
def ctx(town: BlueskyTown) -> Context:
    def ask(method: str, url: str, headers: Any, content: bytes | None) -> Any:
        found = town.serve(SentRequest(method, url, headers, content))
        return Uncertain("the connection broke") if found is Failure.RESET else found

    return context(FakeHttp(ask), clock=town.clock, state=MemoryState(), connection="sky")


def reply_to(town: BlueskyTown, uri: str, text: str = "On it.", **more: Any) -> Reply:
    """An answer to a post that a search found."""
    raw = RawItem("sky", "bluesky", json.dumps(town.view(uri)).encode(), START, uri)
    found = source().translate(raw)
    assert isinstance(found, Translated)
    return msgspec.structs.replace(Reply("key-1", text, found.signals[0], found.authors[0], raw), **more)


def mention(town: BlueskyTown, **record: Any) -> str:
    return town.say(ANN, "@brand.test help", mention=DID, **record)


def written(town: BlueskyTown) -> dict[str, Any]:
    """The last record that we sent."""
    record: dict[str, Any] = town.written[-1]["record"]
    return record


def refs(record: dict[str, Any]) -> dict[str, Any]:
    """What a record answers."""
    answered: dict[str, Any] = record["reply"]
    return answered


# ----------------------------------------------------------------------------------------------------------- the record


def test_an_answer_names_the_post_as_parent_and_root(town: BlueskyTown, ctx: Context) -> None:
    uri = mention(town, langs=["de-AT"])
    ref = source().reply(ctx, reply_to(town, uri))
    record = written(town)
    assert refs(record) == {"root": town.ref(uri), "parent": town.ref(uri)}
    assert (record["$type"], record["text"], record["langs"]) == (POST, "On it.", ["de-AT"])
    assert record["createdAt"].endswith("Z")
    assert ref.url == f"https://bsky.app/profile/{DID}/post/{ref.id.rpartition('/')[2]}"


def test_an_answer_deep_in_a_thread_keeps_its_root(town: BlueskyTown, ctx: Context) -> None:
    root = town.say(BOB, "a thread")
    middle = town.say(BOB, "more", reply={"root": town.ref(root), "parent": town.ref(root)})
    uri = mention(town, reply={"root": town.ref(root), "parent": town.ref(middle)})
    source().reply(ctx, reply_to(town, uri))
    assert refs(written(town)) == {"root": town.ref(root), "parent": town.ref(uri)}


def test_a_root_that_is_gone_is_still_named(town: BlueskyTown, ctx: Context) -> None:
    root = town.say(BOB, "a thread")
    named = town.ref(root)
    uri = mention(town, reply={"root": named, "parent": named})
    town.records.pop(root)
    source().reply(ctx, reply_to(town, uri))
    assert refs(written(town))["root"] == named


@pytest.mark.parametrize("broken", [{"uri": 5}, {"uri": "x"}, {}, {"uri": "at://did:plc:ann"}])
def test_a_broken_root_does_not_stop_an_answer(town: BlueskyTown, ctx: Context, broken: dict[str, Any]) -> None:
    uri = mention(town, reply={"root": broken, "parent": broken})
    source().reply(ctx, reply_to(town, uri))
    assert refs(written(town))["root"] == town.ref(uri)


@pytest.mark.parametrize("label", [True, False])
def test_a_bot_labels_itself_where_it_is_asked_to(town: BlueskyTown, ctx: Context, label: bool) -> None:
    source(bot_label=label).reply(ctx, reply_to(town, mention(town)))
    labels = written(town).get("labels", {})
    assert [one["val"] for one in labels.get("values", [])] == (["bot"] if label else [])


def test_mentions_are_resolved_and_the_author_is_known(town: BlueskyTown, ctx: Context) -> None:
    text = "é😀 @ann.test and @Bob.test and @nobody.test"
    source().reply(ctx, reply_to(town, mention(town), text))
    found = written(town)["facets"]
    assert [one["features"][0]["did"] for one in found] == [ANN, BOB]
    data = text.encode()
    spans = [data[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode() for one in found]
    assert spans == ["@ann.test", "@Bob.test"]
    assert town.calls["resolveHandle"] == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("é😀 see https://x.example/a(b)?c=d#e.", [("link", "https://x.example/a(b)?c=d#e")]),
        ("(https://x.example)", [("link", "https://x.example")]),
        ("https://ü.example/ß, ok", [("link", "https://ü.example/ß")]),
        ("https://x.example/@ann.test", [("link", "https://x.example/@ann.test")]),
        ("mail ann@ann.test", []),
        ("#Hilfe, #2026 #c3po! a#b", [("tag", "Hilfe"), ("tag", "c3po")]),
        ("＃日本語。", [("tag", "日本語")]),
        ("#" + "x" * 65, []),
        ("@ann.test!", [("mention", ANN)]),
        ("@ann.test @ann.test", [("mention", ANN), ("mention", ANN)]),
        ("https://", []),
        ("# @ #!", []),
    ],
)
def test_links_mentions_and_tags_are_facets(text: str, found: list[tuple[str, str]]) -> None:
    features = [get_model_as_dict(one)["features"][0] for one in facets(text, {"ann.test": ANN})]
    kinds = [one["$type"].rpartition("#")[2] for one in features]
    values = [one.get("uri") or one.get("tag") or one.get("did") for one in features]
    assert list(zip(kinds, values, strict=True)) == found


@given(st.text(alphabet="aé😀 @#.:/()x1👩\u200d", max_size=60))
def test_facets_lie_inside_the_text_and_apart(text: str) -> None:
    data, end = text.encode(), 0
    for one in facets(text, dict.fromkeys(handles_in(text), ANN)):
        start, stop = one.index.byte_start, one.index.byte_end
        assert end <= start < stop <= len(data)
        data[start:stop].decode()
        end = stop


@pytest.mark.parametrize(
    ("text", "length"),
    [("", 0), ("é" * 300, 300), ("👩‍👩‍👧‍👦", 3), ("👩‍👩‍👧‍👦" * 120, 300), ("a👍🏽b", 3), ("x" * 30_000, 30_000)],
)
def test_length_counts_graphemes_and_bytes(text: str, length: int) -> None:
    assert LENGTH.of(text) == length


def test_a_text_that_is_too_long_is_not_sent(town: BlueskyTown, ctx: Context) -> None:
    with pytest.raises(Rejected, match="301 characters, Bluesky takes 300"):
        source().reply(ctx, reply_to(town, mention(town), "x" * 301))
    assert town.written == []


# -------------------------------------------------------------------------------------------------------- whom we answer


def quoting(town: BlueskyTown, uri: str) -> dict[str, Any]:
    return {"embed": {"$type": "app.bsky.embed.record", "record": town.ref(uri)}}


def with_media(town: BlueskyTown, uri: str) -> dict[str, Any]:
    return {"embed": {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": town.ref(uri)}}}


def answering(town: BlueskyTown, uri: str) -> dict[str, Any]:
    return {"reply": {"root": town.ref(uri), "parent": town.ref(uri)}}


@pytest.mark.parametrize("how", [quoting, with_media, answering])
def test_who_quotes_or_answers_us_is_answered(
    town: BlueskyTown, ctx: Context, how: Callable[[BlueskyTown, str], dict[str, Any]]
) -> None:
    uri = town.say(ANN, "hm", **how(town, town.say(DID, "our news")))
    assert source().reply(ctx, reply_to(town, uri)).id in town.records


def test_who_did_not_call_us_is_not_answered(town: BlueskyTown, ctx: Context) -> None:
    uri = town.say(ANN, "acme is awful", **quoting(town, town.say(BOB, "x")))
    with pytest.raises(Rejected, match="neither mentions") as caught:
        source().reply(ctx, reply_to(town, uri))
    assert (caught.value.code, town.written) == ("not_tagged", [])


def test_who_did_not_call_us_is_answered_where_the_options_say_so(town: BlueskyTown, ctx: Context) -> None:
    uri = town.say(ANN, "acme is awful")
    assert source(reply_to_all=True).reply(ctx, reply_to(town, uri)).id in town.records


@pytest.mark.parametrize(("connection", "answered"), [("sky", True), ("another", False)])
def test_a_notification_to_this_account_is_a_call(
    town: BlueskyTown, ctx: Context, connection: str, answered: bool
) -> None:
    uri = town.say(ANN, "deep in our thread")
    payload = json.dumps({**town.view(uri), "reason": "reply"}).encode()
    reply = reply_to(town, uri, raw=RawItem(connection, "bluesky", payload, START, uri))
    if answered:
        assert source().reply(ctx, reply).id in town.records
    else:
        with pytest.raises(Rejected, match="neither mentions"):
            source().reply(ctx, reply)


def test_a_thread_gate_is_respected(town: BlueskyTown, ctx: Context) -> None:
    uri = mention(town)
    town.gated.add(uri)
    with pytest.raises(Rejected, match="does not let us answer") as caught:
        source(reply_to_all=True).reply(ctx, reply_to(town, uri))
    assert (caught.value.code, town.written) == ("gate", [])


def test_a_post_that_a_block_hides_is_not_called_gone(town: BlueskyTown, ctx: Context) -> None:
    reply = reply_to(town, mention(town))
    town.blocks.add(ANN)
    with pytest.raises(Rejected, match="blocks us") as caught:
        source().reply(ctx, reply)
    assert (caught.value.code, town.written) == ("blocked", [])


def test_a_block_by_whoever_began_the_thread_is_respected(town: BlueskyTown, ctx: Context) -> None:
    root = town.say(BOB, "a thread")
    uri = mention(town, reply={"root": town.ref(root), "parent": town.ref(root)})
    town.blocks.add(BOB)
    with pytest.raises(Rejected, match="first post blocks us"):
        source().reply(ctx, reply_to(town, uri))
    assert town.written == []


@pytest.mark.parametrize("mark", [{"blockedBy": True}, {"blocking": "at://x"}])
def test_a_block_that_the_view_shows_is_respected(town: BlueskyTown, ctx: Context, mark: dict[str, Any]) -> None:
    uri = mention(town)
    reply = reply_to(town, uri)
    shown = town.view(uri)
    shown["author"]["viewer"] = mark
    town.view = lambda _uri: shown  # type: ignore[method-assign]  # the fake's own answer
    with pytest.raises(Rejected, match="blocks the other"):
        source().reply(ctx, reply)


@pytest.mark.parametrize("uri", ["", "x", "at://ann.test/app.bsky.feed.post/1", "at://did:plc:ann/../x"])
def test_what_is_no_post_is_not_asked_for(town: BlueskyTown, ctx: Context, uri: str) -> None:
    signal = Signal("bluesky:x", "bluesky", uri, "post", "", None, START, START)
    with pytest.raises(Rejected, match="gone"):
        source().reply(ctx, Reply("key-1", "On it.", signal))
    assert town.calls["getPosts"] == town.calls["getRecord"] == 0


def test_the_account_of_the_post_may_be_gone_altogether(town: BlueskyTown, ctx: Context) -> None:
    reply = reply_to(town, mention(town))
    town.away[ANN] = ("InvalidRequest", "Profile not found")
    with pytest.raises(Rejected, match="the post is gone"):
        source().reply(ctx, reply)


# -------------------------------------------------------------------------------------------------------- once, and only once


@given(st.text(max_size=40))
def test_a_key_makes_one_valid_tid(key: str) -> None:
    tid = record_key(key.encode("utf-8", "replace").decode())
    assert tid == record_key(key.encode("utf-8", "replace").decode())
    assert len(tid) == 13
    assert tid[0] in "234567abcdefghij"
    assert set(tid) <= set("234567abcdefghijklmnopqrstuvwxyz")
    assert "3j" < tid < "3m"  # 2023 and 2024


def test_a_repeat_leaves_the_record_untouched(town: BlueskyTown, ctx: Context) -> None:
    reply = reply_to(town, mention(town))
    first = source().reply(ctx, reply)
    kept = dict(town.records[first.id])
    town.clock.advance(86_400)
    again = msgspec.structs.replace(reply, attempt=2, first_sent_at=START)
    assert source().reply(ctx, again) == source().find_reply(ctx, again) == first
    assert (town.records[first.id], len(town.written)) == (kept, 1)


def test_a_first_attempt_that_finds_its_key_taken_takes_the_post_that_is_there(town: BlueskyTown, ctx: Context) -> None:
    reply = reply_to(town, mention(town))
    first = source().reply(ctx, reply)
    kept = dict(town.records[first.id])
    assert source().reply(ctx, reply) == first
    assert town.records[first.id] == kept


def test_an_error_of_the_server_without_a_post_is_tried_again(town: BlueskyTown, ctx: Context) -> None:
    town.fail("createRecord", 500)
    with pytest.raises(Unavailable):
        source().reply(ctx, reply_to(town, mention(town)))


def test_no_answer_leaves_a_doubt_not_a_failure(town: BlueskyTown, ctx: Context) -> None:
    town.trouble(Trouble.LOST)
    with pytest.raises(Uncertain):
        source().reply(ctx, reply_to(town, mention(town)))


def test_a_key_that_belongs_to_another_answer_is_never_taken_for_ours(town: BlueskyTown, ctx: Context) -> None:
    source().reply(ctx, reply_to(town, mention(town)))
    with pytest.raises(Rejected, match="another post"):
        source().find_reply(ctx, reply_to(town, mention(town)))


def test_a_session_that_has_run_out_is_renewed_before_the_answer_is_written(town: BlueskyTown, ctx: Context) -> None:
    source().reply(ctx, reply_to(town, mention(town)))
    town.valid.clear()
    reply = reply_to(town, mention(town), key="key-2")
    assert source().reply(ctx, reply).id in town.records
    assert town.calls["createSession"] == 2
