"""Polling an instance: order, cursors, holes, failures."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from hub import Context, Page, RateLimited, Rejected, Unauthorised, Unavailable
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeHttp, answer, context
from hub.testkit.server import LocalServer
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.source import MAX_PAGES, MastodonSource
from tests.plugins.mastodon.instance import FakeInstance, ids, over_http, status


def source(**options: Any) -> MastodonSource:
    return MastodonSource(MastodonOptions.model_validate({"instance": "https://m.example", **options}))


def tagged(**options: Any) -> MastodonSource:
    return source(hashtags=["#acme"], **options)


def statuses(count: int, first: int = 1000) -> list[dict[str, Any]]:
    return [status(str(first + number)) for number in reversed(range(count))]


def pulled(what: MastodonSource, instance: FakeInstance, cursor: Any = None) -> list[Page]:
    return list(what.pull(context(FakeHttp(instance)), cursor))


def test_all_of_100_new_items_come_though_a_page_holds_40() -> None:
    items = statuses(101)
    pages = pulled(tagged(), FakeInstance(tag_acme=items), {"tag:acme": "1000"})
    assert ids(pages) == [str(1000 + number) for number in range(1, 101)]
    assert [len(page.items) for page in pages] == [40, 40, 20]


def test_each_page_carries_the_cursor_that_stands_behind_it() -> None:
    pages = pulled(tagged(), FakeInstance(tag_acme=statuses(101)), {"tag:acme": "1000", "public": "5"})
    assert [page.cursor for page in pages] == [{"tag:acme": str(last), "public": "5"} for last in (1040, 1080, 1100)]


def test_nothing_is_lost_when_a_page_fails_midway() -> None:
    instance = FakeInstance(tag_acme=statuses(101))
    instance.before = lambda url: answer(503) if "min_id=1040" in url else None
    pages: list[Page] = []
    with pytest.raises(Unavailable):
        pages.extend(tagged().pull(context(FakeHttp(instance)), {"tag:acme": "1000"}))
    instance.before = lambda _: None
    pages += pulled(tagged(), instance, pages[-1].cursor)
    assert ids(pages) == [str(1000 + number) for number in range(1, 101)]


@pytest.mark.parametrize(("backfill", "expected"), [(0, []), (3, ["1097", "1098", "1099"]), (90, None)])
def test_the_first_fetch_is_bounded_and_oldest_first(backfill: int, expected: list[str] | None) -> None:
    pages = pulled(tagged(backfill=backfill), FakeInstance(tag_acme=statuses(100)))
    assert ids(pages) == (expected if expected is not None else [str(number) for number in range(1010, 1100)])
    assert pages[-1].cursor == {"tag:acme": "1099"}


def test_a_first_fetch_that_breaks_off_goes_on_without_a_hole() -> None:
    instance = FakeInstance(tag_acme=statuses(100))
    first = next(iter(tagged(backfill=90).pull(context(FakeHttp(instance)), None)))
    assert ids([first, *pulled(tagged(), instance, first.cursor)]) == [str(number) for number in range(1010, 1100)]


def test_the_first_item_of_a_stream_that_was_empty_comes_even_without_back_fill() -> None:
    instance = FakeInstance(tag_acme=[])
    empty = pulled(tagged(backfill=0), instance)
    assert [page.cursor for page in empty] == [{"tag:acme": ""}]
    instance.streams["/api/v1/timelines/tag/acme"] = statuses(2)
    assert ids(pulled(tagged(backfill=0), instance, empty[-1].cursor)) == ["1000", "1001"]


def test_ids_are_opaque_strings() -> None:
    items = [status("01HXZ7M1"), status("01HXZ7K0"), status("01HXZ7A9")]
    pages = pulled(tagged(), FakeInstance(tag_acme=items), {"tag:acme": "01HXZ7A9"})
    assert ids(pages) == ["01HXZ7K0", "01HXZ7M1"]
    assert pages[-1].cursor == {"tag:acme": "01HXZ7M1"}


def test_a_server_that_ignores_positions_is_asked_no_longer_than_it_brings_something_new() -> None:
    instance, http = FakeInstance(tag_acme=statuses(30)), None
    instance.obeys = False
    http = FakeHttp(instance)
    pages = list(tagged().pull(context(http), {"tag:acme": "1027"}))
    assert ids(pages) == ["1028", "1029"]
    assert len(http.requests) == 2


def test_a_first_fetch_from_a_server_that_ignores_positions_ends() -> None:
    instance = FakeInstance(tag_acme=statuses(45))
    instance.obeys = False
    assert len(ids(pulled(tagged(backfill=4000), instance))) == 40


def test_a_stream_that_never_ends_is_left_for_the_next_pull() -> None:
    endless = iter(range(10**6))
    http = FakeHttp(lambda *_: answer(json=[status(f"n{next(endless)}")]))
    assert len(list(tagged().pull(context(http), {"tag:acme": "x"}))) == MAX_PAGES == len(http.requests)


def test_the_position_of_a_link_header_is_read_and_its_address_is_not() -> None:
    instance = FakeInstance(tag_acme=statuses(3))
    instance.links = True
    http = FakeHttp(instance)
    pages = list(tagged().pull(context(http), {"tag:acme": "1000"}))
    assert pages[-1].cursor == {"tag:acme": "1002"}
    assert all(request.url.startswith("https://m.example/api/") for request in http.requests)


def test_the_payload_is_the_exact_json_that_came() -> None:
    first = b'{ "id":"2", "uri":"https://x/2","created_at":"2026-01-02T03:04:05Z", "n": 1.10, "s":"\\u00e9 \xc3\xa9" }'
    http = FakeHttp(lambda _, url, *__: answer(content=b"[]" if "min_id=2" in url else b"[ " + first + b" ]"))
    page = next(iter(tagged().pull(context(http), {"tag:acme": "1"})))
    assert page.items[0].payload == first
    assert (page.items[0].external_id, page.items[0].source, page.items[0].plugin) == ("status:2", "test", "mastodon")


def test_an_edit_is_a_revision_of_the_same_item() -> None:
    instance = FakeInstance(tag_acme=[status("2", edited_at="2026-01-03T00:00:00.000Z"), status("1")])
    items = [item for page in pulled(tagged(), instance) for item in page.items]
    assert [(item.external_id, item.revision) for item in items] == [
        ("status:1", ""),
        ("status:2", "2026-01-03T00:00:00.000Z"),
    ]


def test_conversations_are_paged_by_their_last_status() -> None:
    talks = [{"id": str(n), "accounts": [], "last_status": status(str(900 + n))} for n in (3, 2, 1)]
    what = source(conversations=True, token="t")
    pages = pulled(what, FakeInstance(conversations=talks), {"conversations": "901"})
    assert ids(pages) == ["2", "3"]
    assert pages[-1].cursor == {"conversations": "903"}


def test_mentions_are_asked_for_with_the_token() -> None:
    mention = {"id": "5", "type": "mention", "created_at": "2026-01-02T03:04:05Z", "account": {}, "status": status("9")}
    http = FakeHttp(FakeInstance(notifications=[mention]))
    pages = list(source(notifications=True, token="s3cret").pull(context(http), None))
    assert [item.external_id for page in pages for item in page.items] == ["notification:5"]
    assert http.requests[0].headers["authorization"] == "Bearer s3cret"
    assert "types%5B%5D=mention" in http.requests[0].url


def test_a_token_that_is_the_name_of_a_file_is_not_read_as_one(tmp_path: Any) -> None:
    planted = tmp_path / "token"
    planted.write_text("from-the-file\n")
    http = FakeHttp(FakeInstance(tag_acme=[]))
    list(tagged(token=str(planted)).pull(context(http), None))
    assert http.requests[0].headers["authorization"] == f"Bearer {planted}"


def test_a_refused_stream_does_not_keep_the_others_from_coming() -> None:
    instance = FakeInstance(tag_acme=statuses(1))
    pages: list[Page] = []
    with pytest.raises(Rejected, match="404"):
        pages.extend(source(public=True, hashtags=["acme"]).pull(context(FakeHttp(instance)), None))
    assert ids(pages) == ["1000"]


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"X-RateLimit-Reset": "2026-01-02T03:06:05.000000Z"}, 120.0),
        ({"X-RateLimit-Reset": "2026-01-02T03:06:05Z", "Date": "Fri, 02 Jan 2026 03:05:05 GMT"}, 60.0),
        ({"X-RateLimit-Reset": "1767323165"}, 120.0),
        ({"X-RateLimit-Reset": "2020-01-01T00:00:00Z"}, 1.0),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({"Retry-After": "7", "X-RateLimit-Reset": "2026-01-02T03:06:05Z"}, 7.0),
        ({}, None),
    ],
)
def test_the_reset_header_is_a_time_not_seconds(headers: dict[str, str], wait: float | None) -> None:
    with pytest.raises(RateLimited) as caught:
        list(tagged().pull(context(FakeHttp([answer(429, {"error": "Throttled"}, headers=headers)])), None))
    assert caught.value.retry_after == wait


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(401, {"error": "The access token is invalid"}), Unauthorised),
        (answer(403, {"error": "This action is outside the authorized scopes"}), Unauthorised),
        (answer(422, {"error": "This method requires an authenticated user"}), Rejected),
        (answer(500, content=b"<html>"), Unavailable),
        (answer(200, content=b"<html>hello"), Unavailable),
        (answer(200, {"error": "odd"}), Unavailable),
        (answer(200, content=b""), Unavailable),
        (answer(200, content=b"[" * 100_000), Unavailable),
        (Unavailable("the guard's own error"), Unavailable),
        (Rejected("egress"), Rejected),
    ],
)
def test_every_failure_is_an_error_that_the_engine_knows(reply: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        list(tagged().pull(context(FakeHttp([reply])), None))
    assert type(caught.value) is error


def test_what_is_no_entity_is_kept_for_translate_to_show() -> None:
    http = FakeHttp(lambda *_: answer(content=b'[null, 7, {"id":"1"}]'))
    items = [item for page in tagged().pull(context(http), None) for item in page.items]
    assert sorted(item.payload for item in items) == [b"7", b"null", b'{"id":"1"}']
    assert all(item.external_id for item in items)


def test_a_deprecation_header_is_no_warning() -> None:
    http = FakeHttp([answer(200, {"acct": "ann"}, headers={"Deprecation": "@1688169599"})])
    assert source(public=True, token="t").check(context(http)) == "@ann at m.example"


def test_without_a_token_the_check_names_the_instance() -> None:
    assert source(public=True).check(context(FakeHttp([answer(200, {"title": "Town"})]))) == "Town at m.example"


@pytest.mark.parametrize("token", [None, "t"])
def test_an_answer_that_names_nothing_is_no_sign_that_all_is_well(token: str | None) -> None:
    with pytest.raises(Unavailable, match="has no"):
        source(public=True, token=token).check(context(FakeHttp([answer(200, {"error": "later"})])))


def test_a_cursor_survives_json() -> None:
    pages = pulled(tagged(), FakeInstance(tag_acme=statuses(2)))
    cursor = msgspec.json.decode(msgspec.json.encode(pages[-1].cursor))
    assert pulled(tagged(), FakeInstance(tag_acme=statuses(2)), cursor) == []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"public": True, "instance": "ftp://m.example"},
        {"public": True, "instance": "https://m.example/path"},
        {"notifications": True},
        {"hashtags": ["a/b"]},
        {"hashtags": ["a b"]},
        {"public": True, "unknown": 1},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        source(**options)


def test_the_instance_is_the_only_host() -> None:
    assert source(public=True, instance="m.example/").egress() == ("m.example",)


def test_it_works_over_a_socket_through_the_guard() -> None:
    instance = FakeInstance(tag_acme=statuses(90))
    with LocalServer(over_http(instance)) as server, open_guard(("127.0.0.1",), allow_private=True) as guard:
        what = tagged(instance=server.url, token="t")
        pages = list(what.pull(context(guard), {"tag:acme": "1000"}))
        assert len(server.requests) == 4
    assert ids(pages) == [str(number) for number in range(1001, 1090)]


def test_a_rate_limit_over_a_socket_gives_the_wait_and_no_sleep() -> None:
    throttled = answer(429, {"error": "Throttled"}, headers={"X-RateLimit-Reset": "2999-01-02T03:09:05.000Z"})
    with LocalServer(lambda _: throttled) as server, open_guard(("127.0.0.1",), allow_private=True) as guard:
        ctx: Context = context(guard)
        with pytest.raises(RateLimited) as caught:
            list(tagged(instance=server.url).pull(ctx, None))
    assert (caught.value.retry_after or 0) > 10**9


def test_before_a_boost_comes_what_it_boosts_with_its_counts() -> None:
    boost, _ = statuses(2)
    boosted = {**boost, "id": "77", "uri": "https://other.example/77", "reblogs_count": 9}
    pages = pulled(tagged(), FakeInstance(tag_acme=[{**boost, "reblog": boosted}]), {"tag:acme": "1000"})
    items = [json.loads(one.payload) for page in pages for one in page.items]
    assert [one["id"] for one in items] == ["77", boost["id"]]
    assert items[0]["reblogs_count"] == 9


@pytest.mark.parametrize("written", ["acct:acme@m.example", "@acme@m.example", " acme@m.example "])
def test_our_account_is_read_as_people_copy_it(written: str) -> None:
    options = MastodonOptions(instance="https://m.example", public=True, own_account=written)
    assert options.own_account == "acme@m.example"
