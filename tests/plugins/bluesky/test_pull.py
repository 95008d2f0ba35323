"""Polling over real HTTP against a small PDS: sessions, paging, cursors, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import (
    ConnectorError,
    Context,
    HttpResponse,
    Page,
    RateLimited,
    Rejected,
    Translated,
    TranslationError,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeClock, FakeHttp, MemoryState, SentRequest, answer, context
from plugins.bluesky.source import BlueskySource
from tests.plugins.bluesky.xrpc import DID, FAR, Xrpc, jwt, serving

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
THREAD = f"at://{DID}/app.bsky.feed.post/root"


def post(number: int, *, minutes_ago: float, **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(minutes=minutes_ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "uri": f"at://did:plc:ann/app.bsky.feed.post/{number}",
        "cid": f"bafy{number}",
        "author": {"did": "did:plc:ann", "handle": "ann.test"},
        "record": {"$type": "app.bsky.feed.post", "text": f"post {number}", "createdAt": at},
        "indexedAt": at,
        **more,
    }


@pytest.fixture
def world() -> Iterator[Xrpc]:
    with serving() as server:
        yield server


@pytest.fixture
def ctx() -> Iterator[Context]:
    with open_guard(allow_private=True, sleep=lambda _: None) as http:
        yield context(http, clock=FakeClock(NOW))


def source(world: Xrpc, **more: Any) -> BlueskySource:
    options = {"service": world.url, "handle": "brand.test", "app_password": "app-pass", **more}
    return BlueskySource(BlueskySource.Options.model_validate(options))


def texts(pages: list[Page]) -> list[str]:
    return [json.loads(item.payload)["record"]["text"] for page in pages for item in page.items]


def test_a_mention_is_heard_with_its_exact_bytes(world: Xrpc, ctx: Context) -> None:
    world.notifications = [post(1, minutes_ago=5, reason="mention", unknown={"α": 1})]
    (page,) = source(world).pull(ctx, None)
    (item,) = page.items
    assert json.loads(item.payload) == world.notifications[0]
    assert (item.external_id, item.revision) == (world.notifications[0]["uri"], "bafy1")
    found = source(world).translate(item)
    assert isinstance(found, Translated)
    assert found.signals[0].text == "post 1"


def test_only_mentions_replies_and_quotes_are_taken(world: Xrpc, ctx: Context) -> None:
    reasons = ["like", "mention", "repost", "reply", "follow", "quote"]
    world.notifications = [post(n, minutes_ago=n, reason=reason) for n, reason in enumerate(reasons)]
    assert texts(list(source(world).pull(ctx, None))) == ["post 5", "post 3", "post 1"]


def test_pages_come_oldest_first_though_the_server_begins_with_the_newest(world: Xrpc, ctx: Context) -> None:
    world.posts = [post(n, minutes_ago=n) for n in range(250)]
    pages = list(source(world, mentions=False, searches=["acme"]).pull(ctx, None))
    assert [len(page.items) for page in pages] == [100, 100, 50]
    assert texts(pages) == [f"post {n}" for n in reversed(range(250))]


def test_a_cursor_never_stands_before_what_was_not_given(world: Xrpc, ctx: Context) -> None:
    world.posts = [post(n, minutes_ago=n) for n in range(250)]
    bluesky = source(world, mentions=False, searches=["acme"])
    first = next(iter(bluesky.pull(ctx, None)))
    rest = texts(list(bluesky.pull(ctx, first.cursor)))
    assert set(texts([first])) | set(rest) == {f"post {n}" for n in range(250)}


def test_the_next_poll_pages_back_to_the_known_point_only(world: Xrpc, ctx: Context) -> None:
    world.posts, world.page = [post(n, minutes_ago=n * 10) for n in range(100)], 10
    bluesky = source(world, mentions=False, searches=["acme"])
    *_, last = bluesky.pull(ctx, None)
    world.calls.clear()
    world.posts.insert(0, post(-1, minutes_ago=-1))
    assert (
        texts(list(bluesky.pull(replace(ctx, now=FakeClock(NOW + timedelta(minutes=2))), last.cursor)))[-1] == "post -1"
    )
    assert world.calls["searchPosts"] == 1


def test_the_search_asks_for_the_latest_since_the_known_point(world: Xrpc, ctx: Context) -> None:
    list(source(world, mentions=False, searches=["acme pay"]).pull(ctx, {"search:acme pay": "2026-01-02T11:00:00Z"}))
    asked = dict(world.asked)["searchPosts"]
    assert (asked["q"], asked["sort"], asked["since"]) == ("acme pay", "latest", "2026-01-02T10:45:00.000Z")


def test_the_first_poll_looks_back_as_far_as_it_may(world: Xrpc, ctx: Context) -> None:
    world.posts = [post(1, minutes_ago=30), post(2, minutes_ago=90)]
    assert texts(list(source(world, searches=["x"], backfill_hours=1).pull(ctx, None))) == ["post 1"]


def test_a_poll_reads_no_more_pages_than_allowed(world: Xrpc, ctx: Context) -> None:
    world.posts, world.page = [post(n, minutes_ago=n) for n in range(50)], 10
    assert len(texts(list(source(world, mentions=False, searches=["x"], max_pages=2).pull(ctx, None)))) == 20


def test_a_post_from_a_slow_clock_is_still_heard(world: Xrpc, ctx: Context) -> None:
    late = post(1, minutes_ago=1, reason="mention")
    late["record"]["createdAt"] = "2020-01-01T00:00:00Z"
    world.notifications = [late]
    assert texts(list(source(world).pull(ctx, {"mentions": NOW.isoformat()}))) == ["post 1"]


def test_a_time_in_the_future_does_not_carry_the_cursor_with_it(world: Xrpc, ctx: Context) -> None:
    world.notifications = [post(1, minutes_ago=-10_000, reason="mention")]
    (page,) = source(world).pull(ctx, None)
    assert page.cursor == {"mentions": NOW.isoformat()}


BROKEN: list[Any] = [{"uri": 7}, "text", None, [], {"uri": "at://x", "record": []}, {}]


@pytest.mark.parametrize("broken", BROKEN)
def test_one_broken_record_among_ten_does_not_lose_the_nine(world: Xrpc, ctx: Context, broken: Any) -> None:
    world.posts = [post(n, minutes_ago=n) for n in range(9)]
    world.posts.insert(4, broken)
    bluesky, good, bad = source(world, mentions=False, searches=["x"]), 0, 0
    for item in (item for page in bluesky.pull(ctx, None) for item in page.items):
        try:
            good += isinstance(bluesky.translate(item), Translated)
        except TranslationError:
            bad += 1
    assert (good, bad) == (9, 1)


def test_a_followed_thread_gives_each_post_once_and_then_only_news(world: Xrpc, ctx: Context) -> None:
    gone = {"$type": "app.bsky.feed.defs#notFoundPost", "uri": "at://x", "notFound": True}
    deep = {"post": post(3, minutes_ago=10), "replies": []}
    replies = [{"post": post(2, minutes_ago=60), "replies": [deep, gone]}]
    world.threads[THREAD] = {"post": post(1, minutes_ago=9000), "replies": replies}
    bluesky = source(world, mentions=False, threads=[THREAD])
    (page,) = bluesky.pull(ctx, None)
    assert texts([page]) == ["post 1", "post 2", "post 3"]
    assert texts(list(bluesky.pull(ctx, page.cursor))) == ["post 3"]


def test_a_refused_search_keeps_the_others_running_and_is_raised_at_the_end(world: Xrpc, ctx: Context) -> None:
    world.posts = [post(1, minutes_ago=1)]
    world.fail("searchPosts", 400, body={"error": "InvalidRequest", "message": "bad query"})
    pages = source(world, mentions=False, searches=["((", "good"]).pull(ctx, None)
    assert texts([next(iter(pages))]) == ["post 1"]
    with pytest.raises(Rejected, match="bad query"):
        list(pages)


def test_a_thousand_runs_log_in_once(ctx: Context) -> None:
    world = Xrpc(url="http://127.0.0.1:1")
    http = FakeHttp(lambda method, url, headers, content: world.answer(SentRequest(method, url, headers, content)))
    for _ in range(1000):
        list(source(world).pull(replace(ctx, http=http), None))
    assert (world.calls["createSession"], world.calls["listNotifications"]) == (1, 1000)


def test_a_session_that_ends_soon_is_renewed_and_kept(world: Xrpc, ctx: Context) -> None:
    world.exp = 1
    list(source(world).pull(ctx, None))
    world.exp = FAR
    list(source(world).pull(ctx, None))
    list(source(world).pull(ctx, None))
    assert (world.calls["createSession"], world.calls["refreshSession"]) == (1, 1)


def test_an_account_that_lives_on_another_host_is_asked_there(ctx: Context) -> None:
    home = {
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.test"}]
    }
    world, asked = Xrpc(url="https://bsky.test"), []

    def ask(method: str, url: str, headers: Any, content: bytes | None) -> HttpResponse:
        asked.append(url.partition("?")[0])
        found = world.answer(SentRequest(method, url, headers, content))
        return answer(json=found.json() | {"didDoc": home}) if "createSession" in url else found

    for _ in range(2):
        list(source(world).pull(replace(ctx, http=FakeHttp(ask)), None))
    listed = "https://pds.test/xrpc/app.bsky.notification.listNotifications"
    assert asked == ["https://bsky.test/xrpc/com.atproto.server.createSession", listed, listed]


def test_the_tokens_of_a_session_are_told_to_the_redactor(ctx: Context) -> None:
    world = Xrpc(url="https://bsky.test")
    http = FakeHttp(lambda method, url, headers, content: world.answer(SentRequest(method, url, headers, content)))
    list(source(world).pull(replace(ctx, http=http), None))
    assert {*world.valid, *world.refresh} <= set(http.secrets)


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_session_is_made_anew_once(world: Xrpc, ctx: Context, status: int) -> None:
    list(source(world).pull(ctx, None))
    world.fail("listNotifications", status, body={"error": "ExpiredToken"})
    list(source(world).pull(ctx, None))
    assert world.calls["createSession"] == 2


def test_a_refused_renewal_falls_back_to_a_log_in(world: Xrpc, ctx: Context) -> None:
    world.exp = 1
    list(source(world).pull(ctx, None))
    world.exp = FAR
    world.refresh.clear()
    list(source(world).pull(ctx, None))
    assert world.calls["createSession"] == 2


@pytest.mark.parametrize("kept", ["no session", 7, f"brand.test:::{DID}:::no:::jwt"])
def test_a_spoilt_memory_only_costs_a_log_in(world: Xrpc, ctx: Context, kept: Any) -> None:
    state = MemoryState({f"session {world.url} brand.test": kept})
    list(source(world).pull(replace(ctx, state=state), None))
    assert world.calls["createSession"] == 1


def test_another_account_takes_up_no_old_session(world: Xrpc, ctx: Context) -> None:
    list(source(world).pull(ctx, None))
    list(source(world, handle="other.test").pull(ctx, None))
    assert world.calls["createSession"] == 2


def test_the_kept_session_holds_no_password(world: Xrpc, ctx: Context) -> None:
    list(source(world).pull(ctx, None))
    kept = ctx.state.get(f"session {world.url} brand.test")
    assert kept.startswith("brand.test:::")
    assert "app-pass" not in kept


def test_a_wrong_password_is_tried_once(world: Xrpc, ctx: Context) -> None:
    with pytest.raises(Unauthorised):
        list(source(world, app_password="wrong").pull(ctx, None))
    assert world.calls["createSession"] == 1


def test_a_server_that_refuses_fresh_sessions_is_not_asked_for_ever(world: Xrpc, ctx: Context) -> None:
    for _ in range(9):
        world.fail("listNotifications", 401)
    with pytest.raises(Unauthorised):
        list(source(world).pull(ctx, None))
    assert world.calls["createSession"] == 1


RESET = str(int(NOW.timestamp()) + 120)
ERRORS: list[tuple[int, Any, dict[str, str], type[ConnectorError], float | None]] = [
    (429, {"error": "RateLimitExceeded"}, {"retry-after": "17"}, RateLimited, 17),
    (429, {"error": "RateLimitExceeded"}, {"ratelimit-reset": RESET}, RateLimited, 120),
    (429, b"slow down", {"content-type": "text/plain"}, RateLimited, None),
    (500, {"error": "InternalServerError"}, {}, Unavailable, None),
    (413, {"error": "PayloadTooLarge"}, {}, Unavailable, None),
    (404, b"<html>", {"content-type": "text/html"}, Rejected, None),
    (200, b"<html>", {}, Unavailable, None),
    (200, {}, {}, Unavailable, None),
    (200, {"notifications": "none"}, {}, Unavailable, None),
]


@pytest.mark.parametrize(("status", "body", "headers", "kind", "wait"), ERRORS)
def test_errors_are_named_by_what_the_engine_must_do(
    world: Xrpc,
    ctx: Context,
    status: int,
    body: Any,
    headers: dict[str, str],
    kind: type[ConnectorError],
    wait: float | None,
) -> None:
    list(source(world).pull(ctx, None))
    world.errors["listNotifications"] = [(status, body, headers)]
    with pytest.raises(kind) as caught:
        list(source(world).pull(ctx, None))
    assert getattr(caught.value, "retry_after", None) == wait


def test_too_many_log_ins_wait_for_the_reset(world: Xrpc, ctx: Context) -> None:
    world.fail("createSession", 429, headers={"ratelimit-reset": RESET})
    with pytest.raises(RateLimited) as caught:
        list(source(world).pull(ctx, None))
    assert caught.value.retry_after == 120


LOST: list[tuple[ConnectorError, type[ConnectorError]]] = [
    (Unavailable("down"), Unavailable),
    (Uncertain("no answer"), Unavailable),
    (Rejected("egress"), Rejected),
]


@pytest.mark.parametrize(("raised", "expected"), LOST)
def test_errors_of_the_guard_pass_through(ctx: Context, raised: ConnectorError, expected: type[ConnectorError]) -> None:
    with pytest.raises(expected, match=str(raised)):
        list(source(Xrpc(url="http://127.0.0.1:1")).pull(replace(ctx, http=FakeHttp([raised])), None))


def test_check_says_who_we_are_without_a_second_log_in(world: Xrpc, ctx: Context) -> None:
    assert [source(world).check(ctx) for _ in range(2)] == [f"brand.test at {world.url}"] * 2
    assert world.calls["createSession"] == 1


def test_a_session_answer_that_is_no_json_is_an_outage(ctx: Context) -> None:
    page: HttpResponse = answer(200, content=b"<html>", headers={"content-type": "application/json"})
    with pytest.raises(Unavailable):
        source(Xrpc(url="http://127.0.0.1:1")).check(replace(ctx, http=FakeHttp([page])))


GOOD_OPTIONS = [
    ({"service": "https://pds.acme.test/xrpc"}, "service", "https://pds.acme.test"),
    ({"threads": [THREAD]}, "threads", (THREAD,)),
    (
        {"threads": ["https://bsky.app/profile/ann.test/post/3k"]},
        "threads",
        ("at://ann.test/app.bsky.feed.post/3k",),
    ),
    ({"searches": [" acme "]}, "searches", ("acme",)),
]


@pytest.mark.parametrize(("options", "name", "value"), GOOD_OPTIONS)
def test_options_are_brought_into_form(options: dict[str, Any], name: str, value: Any) -> None:
    base = {"handle": "brand.test", "app_password": "x"}
    assert getattr(BlueskySource.Options.model_validate(base | options), name) == value


@pytest.mark.parametrize(
    "options",
    [
        {"service": "ftp://x"},
        {"service": "bsky.social"},
        {"mentions": False},
        {"threads": ["x"]},
        {"searches": [""]},
        {"a": 1},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        BlueskySource.Options.model_validate({"handle": "brand.test", "app_password": "x"} | options)


@pytest.mark.parametrize(
    ("handle", "origin"),
    [
        *((own, "hub") for own in ("ann.test", "did:plc:ann", "Ann.Test", "@ANN.test", " @ann.test")),
        *((own, "source") for own in ("brand.test", "ann.tes", "did:plc:ANN")),
    ],
)
def test_what_we_wrote_ourselves_is_marked(world: Xrpc, ctx: Context, handle: str, origin: str) -> None:
    world.posts = [post(1, minutes_ago=1)]
    bluesky = source(world, mentions=False, searches=["x"], handle=handle)
    (page,) = bluesky.pull(ctx, None)
    found = bluesky.translate(page.items[0])
    assert isinstance(found, Translated)
    assert found.signals[0].origin == origin


def test_what_we_wrote_under_another_handle_is_ours_by_its_did(world: Xrpc, ctx: Context) -> None:
    ours = post(1, minutes_ago=1)
    ours["author"] = {"did": DID, "handle": "handle.invalid"}
    world.posts = [ours]
    bluesky = source(world, mentions=False, searches=["x"])
    (page,) = bluesky.pull(ctx, None)
    found = bluesky.translate(page.items[0])
    assert isinstance(found, Translated)
    assert found.signals[0].origin == "hub"


def test_notifications_of_other_kinds_do_not_make_a_poll_read_further_back(world: Xrpc, ctx: Context) -> None:
    world.notifications, world.page = [post(n, minutes_ago=n * 60, reason="like") for n in range(100)], 10
    list(source(world).pull(ctx, {"mentions": NOW.isoformat()}))
    assert world.calls["listNotifications"] == 1


def test_only_the_service_and_bluesky_can_be_reached() -> None:
    assert source(Xrpc(url="https://pds.acme.test")).egress() == ("pds.acme.test", "*.bsky.network", "*.bsky.social")


def test_a_token_of_the_fake_can_be_read() -> None:
    assert jwt(1).count(".") == 2


@pytest.mark.parametrize(
    ("written", "handle"),
    [
        ("@Brand.test", "brand.test"),
        ("\u202abrand.test\u202c", "brand.test"),
        ("https://bsky.app/profile/brand.test", "brand.test"),
        ("at://did:plc:aBc", "did:plc:aBc"),
        ("me@mail.test", "me@mail.test"),
    ],
)
def test_a_handle_is_taken_as_people_paste_it(written: str, handle: str) -> None:
    options = BlueskySource.Options.model_validate({"handle": written, "app_password": "x"})
    assert options.handle == handle
