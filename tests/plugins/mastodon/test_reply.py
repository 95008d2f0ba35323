"""Answers on Mastodon: the text, who sees it, which status is meant, and what a refusal means."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import ConnectorError, Context, RawItem, Rejected, Reply, Translated, Unauthorised, Uncertain
from hub.testkit.contracts.replies import Trouble
from hub.testkit.fakes import START, FakeClock, FakeHttp, MemoryState, answer, context
from plugins.mastodon.config import VISIBILITIES, MastodonOptions
from plugins.mastodon.reply import LENGTH, narrowest
from plugins.mastodon.source import MastodonSource
from tests.plugins.mastodon.town import HOME, TOKEN, MastodonTown


def source(**options: Any) -> MastodonSource:
    given_ = {"instance": HOME, "token": TOKEN, "notifications": True, **options}
    return MastodonSource(MastodonOptions.model_validate(given_))


@pytest.fixture
def town() -> MastodonTown:
    return MastodonTown(FakeClock())


@pytest.fixture
def ctx(town: MastodonTown) -> Context:
    return context(FakeHttp(town.ask), clock=town.clock, state=MemoryState(), connection="masto")


def reply_to(item: dict[str, Any], text: str = "On it.", **more: Any) -> Reply:
    """An answer to the status in a payload."""
    raw = RawItem("masto", "mastodon", json.dumps(item).encode(), START, "1")
    found = source().translate(raw)
    assert isinstance(found, Translated)
    reply = Reply("key-1", text, found.signals[0], found.authors[0], raw)
    return msgspec.structs.replace(reply, **more)


# ------------------------------------------------------------------------------------------------------------- the text


@pytest.mark.parametrize(
    ("text", "posted"),
    [
        ("On it.", "@ann@m.example On it."),
        ("@ann@m.example On it.", "@ann@m.example On it."),
        ("@Ann@M.example On it.", "@Ann@M.example On it."),
        ("Hello @ann@m.example!", "Hello @ann@m.example!"),
        ("@ann, on it.", "@ann@m.example on it."),
        ("@annie on it.", "@ann@m.example @annie on it."),
        ("@ann@m.example.org on it.", "@ann@m.example @ann@m.example.org on it."),
        ("see https://x.example/@ann@m.example", "@ann@m.example see https://x.example/@ann@m.example"),
        ("  On it.\n", "@ann@m.example On it."),
    ],
)
def test_an_answer_begins_with_the_authors_full_address_once(town: MastodonTown, text: str, posted: str) -> None:
    assert source().compose(reply_to(town.say("ann", "help"), text)) == posted


def test_without_an_author_the_raw_item_tells_who_wrote_it(town: MastodonTown) -> None:
    assert source().compose(reply_to(town.say("ann", "help"), author=None)) == "@ann@m.example On it."


@pytest.mark.parametrize("raw", [None, RawItem("masto", "mastodon", b"{", START, "1")])
def test_where_nobody_knows_the_author_the_text_stays_as_it_is(town: MastodonTown, raw: RawItem | None) -> None:
    assert source().compose(reply_to(town.say("ann", "help"), author=None, raw=raw)) == "On it."


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("Hello", 5),
        ("see https://example.com/a/very/long/path?that=counts&little=1 now", 4 + 23 + 4),
        ("(https://example.com/a).", 1 + 23 + 2),
        ("http://a.b", 23),
        ("@ann@a.very.long.host.example hello", 4 + 6),
        ("mail ann@example.com", 20),
        ("👩‍👩‍👧‍👦🇩🇪é", 3),
        ("🇩🇪🇫🇷", 2),
    ],
)
def test_length_counts_as_mastodon_counts(text: str, length: int) -> None:
    assert LENGTH.of(text) == length


@given(st.text(max_size=300))
def test_length_is_never_more_than_code_points_and_a_link_each(text: str) -> None:
    assert 0 <= LENGTH.of(text) <= len(text) + 23 * text.count("://")


def test_a_text_far_beyond_any_limit_is_counted_at_once() -> None:
    assert LENGTH.of("🇩" * 100_000) == 100_000


# ------------------------------------------------------------------------------------------------------- who may see it


@pytest.mark.parametrize("original", ["public", "unlisted", "private", "direct", "mutuals_only", "local"])
@pytest.mark.parametrize("wish", VISIBILITIES)
def test_an_answer_is_never_seen_by_more_than_the_post(
    town: MastodonTown, ctx: Context, original: str, wish: str
) -> None:
    source(reply_visibility=wish).reply(ctx, reply_to(town.say("ann", "@brand help", visibility=original)))
    posted = town.posts[0].form()["visibility"]
    widest = original if original in VISIBILITIES else "direct"
    assert VISIBILITIES.index(posted) == max(VISIBILITIES.index(widest), VISIBILITIES.index(wish))


def test_a_post_that_was_narrowed_since_is_answered_narrowly(town: MastodonTown, ctx: Context) -> None:
    status = town.say("ann", "@brand help")
    reply = reply_to(status)
    town.change(status["id"], visibility="direct")
    source().reply(ctx, reply)
    assert town.posts[0].form()["visibility"] == "direct"


def test_a_visibility_that_nobody_knows_is_direct() -> None:
    assert narrowest("public", "circle") == "direct"


# --------------------------------------------------------------------------------------------------- which post is meant


@pytest.mark.parametrize("shape", ["status", "notification", "conversation"])
def test_the_local_id_comes_from_the_raw_item(town: MastodonTown, ctx: Context, shape: str) -> None:
    status = town.say("ann", "help", uri="https://far.example/notes/9")
    holders = {
        "status": status,
        "notification": {"id": "77", "type": "mention", "account": status["account"], "status": status},
        "conversation": {"id": "78", "accounts": [], "last_status": status},
    }
    source().reply(ctx, reply_to(holders[shape]))
    assert town.posts[0].form()["in_reply_to_id"] == status["id"]
    assert not any("search" in asked for asked in town.asked)


def test_a_local_id_of_another_instance_is_not_taken_for_ours(town: MastodonTown, ctx: Context) -> None:
    ours = town.say("ben", "something else")
    meant = town.say("ann", "help", uri="https://far.example/notes/9")
    source().reply(ctx, reply_to({**meant, "id": ours["id"]}))
    assert town.posts[0].form()["in_reply_to_id"] == meant["id"]


@pytest.mark.parametrize("raw", [None, RawItem("x", "mastodon", b"\xff{", START, "1")])
def test_without_a_raw_item_the_post_is_looked_up_by_its_address(
    town: MastodonTown, ctx: Context, raw: RawItem | None
) -> None:
    meant = town.say("ann", "help", uri="https://far.example/notes/9")
    ref = source().reply(ctx, reply_to(meant, raw=raw))
    assert town.posts[0].form()["in_reply_to_id"] == meant["id"]
    assert [json.loads(one)["uri"] for one in town.answers()] == [ref.id]


def test_an_id_that_would_lead_elsewhere_is_not_asked_for(town: MastodonTown, ctx: Context) -> None:
    meant = town.say("ann", "help", uri="https://far.example/notes/9")
    source().reply(ctx, reply_to({**meant, "id": "../accounts/1"}))
    assert all(".." not in asked for asked in town.asked)


def test_a_boost_is_not_answered(town: MastodonTown) -> None:
    boost = {**town.say("ann", "see"), "reblog": town.say("ben", "news")}
    with pytest.raises(Rejected, match="boost"):
        source().reply(context(FakeHttp(lambda *_: answer(json=boost))), reply_to(boost))


# -------------------------------------------------------------------------------------------------------- once and only once


def test_a_retry_bears_the_same_idempotency_key(town: MastodonTown, ctx: Context) -> None:
    reply = reply_to(town.say("ann", "help"))
    town.trouble(Trouble.CUT)
    with pytest.raises(Uncertain):
        source().reply(ctx, reply)
    source().reply(ctx, msgspec.structs.replace(reply, attempt=2, first_sent_at=town.clock()))
    assert [request.headers["idempotency-key"] for request in town.posts] == ["key-1", "key-1"]


def test_a_server_that_keeps_no_keys_gets_no_second_post(town: MastodonTown, ctx: Context) -> None:
    town.extra["keys_kept_s"] = 0
    reply = reply_to(town.say("ann", "help"), "On it: https://example.com/a?b=1&c=2\n\nYours,  Kim & Co")
    town.trouble(Trouble.LOST)
    with pytest.raises(Uncertain):
        source().reply(ctx, reply)
    ref = source().reply(ctx, msgspec.structs.replace(reply, attempt=2, first_sent_at=town.clock()))
    assert [json.loads(one)["uri"] for one in town.answers()] == [ref.id]


def sent_twice(town: MastodonTown, ctx: Context) -> Reply:
    """A server without keys has the same answer twice already."""
    town.extra["keys_kept_s"] = 0
    reply = reply_to(town.say("ann", "help"))
    source().reply(ctx, reply)
    source().reply(ctx, reply)
    return msgspec.structs.replace(reply, attempt=3, first_sent_at=town.clock() - timedelta(seconds=30))


def test_of_two_answers_with_the_same_words_none_is_guessed(town: MastodonTown, ctx: Context) -> None:
    reply = sent_twice(town, ctx)
    with pytest.raises(Uncertain, match="2 of our answers"):
        source().find_reply(ctx, reply)


def test_in_such_a_doubt_nothing_is_posted_a_third_time(town: MastodonTown, ctx: Context) -> None:
    reply = sent_twice(town, ctx)
    with pytest.raises(Uncertain):
        source().reply(ctx, reply)
    assert len(town.posts) == 2


def test_an_answer_from_before_the_first_attempt_is_not_this_one(town: MastodonTown, ctx: Context) -> None:
    reply = reply_to(town.say("ann", "help"))
    source().reply(ctx, reply)
    town.clock.advance(3600)
    assert source().find_reply(ctx, msgspec.structs.replace(reply, first_sent_at=town.clock())) is None


def many_of_ours(town: MastodonTown, count: int) -> Reply:
    """Our account has posted that much since an attempt that did nothing."""
    reply = reply_to(town.say("ann", "help"), attempt=2, first_sent_at=town.clock())
    for number in range(count):
        town.say("brand", f"news {number}")
    return reply


def test_an_answer_is_looked_for_page_by_page(town: MastodonTown, ctx: Context) -> None:
    reply = many_of_ours(town, 0)
    ref = source().reply(ctx, msgspec.structs.replace(reply, attempt=1))
    many_of_ours(town, 100)
    assert source().find_reply(ctx, reply) == ref


def test_a_list_that_does_not_reach_back_proves_nothing(town: MastodonTown, ctx: Context) -> None:
    town.pages = False
    with pytest.raises(Uncertain, match="reach back"):
        source().find_reply(ctx, many_of_ours(town, 60))


def test_a_short_list_of_a_server_without_paging_is_the_whole(town: MastodonTown, ctx: Context) -> None:
    town.pages = False
    assert source().find_reply(ctx, many_of_ours(town, 5)) is None


@pytest.mark.parametrize("forgets", [True, False])
def test_an_answer_is_found_though_its_post_is_gone_since(town: MastodonTown, ctx: Context, forgets: bool) -> None:
    status = town.say("ann", "help")
    reply = reply_to(status, first_sent_at=town.clock())
    ref = source().reply(ctx, reply)
    town.delete(json.dumps(status).encode())
    if not forgets:  # Mastodon does
        town.change(ref.id.rpartition("/")[2], in_reply_to_id=status["id"])
    assert source().find_reply(ctx, reply) == ref
    assert source().reply(ctx, msgspec.structs.replace(reply, attempt=2)) == ref


def test_a_second_attempt_at_a_post_that_is_gone_is_refused(town: MastodonTown, ctx: Context) -> None:
    status = town.say("ann", "help")
    reply = reply_to(status, first_sent_at=town.clock(), attempt=2)
    town.delete(json.dumps(status).encode())
    with pytest.raises(Rejected, match="gone"):
        source().reply(ctx, reply)


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("status", "said", "error", "match"),
    [
        (500, "", Uncertain, "500"),
        (502, "", Uncertain, "502"),
        (503, "", Uncertain, "503"),
        (404, "The post you are trying to reply to does not appear to exist", Rejected, "gone"),
        (403, "This action is outside the authorized scopes", Rejected, "write:statuses"),
        (403, "This action is not allowed", Rejected, "not allowed"),
        (403, "Your login is currently disabled", Unauthorised, "403"),
        (422, "This method requires an authenticated user", Unauthorised, "authenticated user"),
        (422, "Validation failed: Text character limit of 500 exceeded", Rejected, "limit of 500"),
        (200, "", Uncertain, "names no status"),
    ],
)
def test_a_refused_post_says_what_to_do(
    town: MastodonTown, ctx: Context, status: int, said: str, error: type[ConnectorError], match: str
) -> None:
    def refuse(method: str, *request: Any) -> Any:
        return answer(status, {"error": said}) if method == "POST" else town.ask(method, *request)

    reply = reply_to(town.say("ann", "help"))
    with pytest.raises(error, match=match):
        source().reply(context(FakeHttp(refuse), clock=town.clock), reply)


def test_a_token_that_may_not_search_refuses_the_answer_and_goes_on_listening(town: MastodonTown, ctx: Context) -> None:
    def serve(method: str, url: str, *request: Any) -> Any:
        scope = answer(403, {"error": "This action is outside the authorized scopes"})
        return scope if "search" in url else town.ask(method, url, *request)

    reply = reply_to(town.say("ann", "help", uri="https://far.example/notes/9"), raw=None)
    with pytest.raises(Rejected, match="read:search"):
        source().reply(context(FakeHttp(serve), clock=town.clock), reply)


def test_a_smaller_limit_of_the_instance_is_told_before_anything_is_posted(town: MastodonTown, ctx: Context) -> None:
    town.extra["most_characters"] = 20
    with pytest.raises(Rejected, match="24 characters, the instance takes 20") as caught:
        source().reply(ctx, reply_to(town.say("ann", "help"), "This is too long.!!"))
    assert (caught.value.field, town.posts) == ("text", [])


def test_the_limit_is_asked_for_once_a_day(town: MastodonTown, ctx: Context) -> None:
    for _ in range(3):
        source().reply(ctx, reply_to(town.say("ann", "help")))
    assert sum("instance" in asked for asked in town.asked) == 1
    town.clock.advance(86_400)
    source().reply(ctx, reply_to(town.say("ann", "help")))
    assert sum("instance" in asked for asked in town.asked) == 2


def test_a_server_that_names_no_limit_judges_itself(town: MastodonTown) -> None:
    def serve(method: str, url: str, *request: Any) -> Any:
        return answer(404) if "instance" in url else town.ask(method, url, *request)

    town.extra["most_characters"] = 1000
    reply = reply_to(town.say("ann", "help"), "x" * 499)
    assert source().reply(context(FakeHttp(serve), clock=town.clock), reply).id


def test_without_a_token_nothing_can_be_said(ctx: Context, town: MastodonTown) -> None:
    listener = source(token=None, notifications=False, public=True)
    with pytest.raises(Rejected, match="no token"):
        listener.reply(ctx, reply_to(town.say("ann", "help")))
    assert town.asked == []
