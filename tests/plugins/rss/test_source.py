"""Fetching feeds: conditional requests, moves, pauses, the back-fill window, updates."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from hub import ConnectorError, HttpResponse, Page, PartlyRefused, RateLimited, Rejected, Unavailable
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeClock, FakeHttp, answer, context
from hub.testkit.server import LocalServer
from plugins.rss.config import RssOptions
from plugins.rss.source import RssSource
from tests.plugins.rss.feeds import FEED, dated, item, page, rss, titles


class Reader:
    """A source with its clock and the cursor that it left; each look is a poll after some minutes."""

    def __init__(self, answers: Any, feeds: tuple[str, ...] = (FEED,), **options: Any) -> None:
        self.http = FakeHttp(answers)
        self.clock = FakeClock()
        self.source = RssSource(RssOptions(feeds=feeds, **options))
        self.cursor: Any = None
        self.told = ""

    def look(self, minutes: float = 0) -> list[Page]:
        """One poll; `told` is what it says of feeds that fail while others do not."""
        self.clock.advance(minutes * 60)
        pages, self.told = [], ""
        try:
            for found in self.source.pull(context(self.http, clock=self.clock), self.cursor):
                pages.append(found)
                self.cursor = msgspec.json.decode(msgspec.json.encode(found.cursor))
        except PartlyRefused as error:
            self.told = str(error)
        return pages


def test_new_entries_come_once_and_oldest_first() -> None:
    reader = Reader([page(dated("b", 2), dated("a", 1)), page(dated("c", 2), dated("b", 2), dated("a", 1))])
    assert titles(reader.look()) == ["a", "b"]
    assert titles(reader.look(20)) == ["c"]


def test_an_item_carries_its_feed_as_realm_and_its_id() -> None:
    raw = Reader([page(item("a"))]).look()[0].items[0]
    assert (raw.realm, raw.external_id, raw.plugin, raw.source) == (FEED, "a", "rss", "test")


def test_a_feed_is_asked_only_if_it_has_changed() -> None:
    headers = {"ETag": '"v1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    reader = Reader([page(item("a"), headers=headers), answer(304)])
    reader.look()
    assert titles(reader.look(20)) == []
    sent = reader.http.requests[1].headers
    assert (sent["if-none-match"], sent["if-modified-since"]) == ('"v1"', "Thu, 01 Jan 2026 00:00:00 GMT")


def test_304_is_no_failure_and_keeps_what_is_known() -> None:
    reader = Reader([page(item("a"), headers={"ETag": "1"}), answer(304), page(item("b"), item("a"))])
    reader.look()
    reader.look(20)
    assert reader.cursor[FEED]["etag"] == "1"
    assert titles(reader.look(20)) == ["b"]


def test_a_feed_that_is_not_due_is_not_asked() -> None:
    reader = Reader([page(item("a"))])
    reader.look()
    assert reader.look(14) == []
    assert len(reader.http.requests) == 1


@pytest.mark.parametrize(
    ("reply", "minutes"),
    [
        (page(item("a")), 15),
        (page(item("a"), channel="<ttl>60</ttl>"), 60),
        (page(item("a"), headers={"Cache-Control": "public, max-age=7200"}), 120),
        (page(item("a"), headers={"Cache-Control": "max-age=60"}), 15),
        (page(item("a"), headers={"Cache-Control": "s-maxage=99999"}), 15),
        (page(item("a"), channel="<ttl>999999</ttl>"), 24 * 60),
        (page(item("a"), channel="<ttl>soon</ttl>"), 15),
        (answer(304, headers={"Cache-Control": "max-age=3600"}), 60),
        (answer(429, headers={"Retry-After": "5400"}), 90),
        (answer(503, headers={"Retry-After": "Fri, 02 Jan 2026 05:04:05 GMT"}), 120),
        (answer(404), 15),
    ],
)
def test_the_next_fetch_waits_as_the_feed_asks(reply: HttpResponse, minutes: int) -> None:
    reader = Reader([reply, page(item("z"))])
    with suppress(ConnectorError):
        reader.look()
    reader.look(minutes - 0.5)
    assert len(reader.http.requests) == 1
    reader.look(1)
    assert len(reader.http.requests) == 2


def test_a_feed_that_fails_is_asked_more_and_more_rarely() -> None:
    reader = Reader(lambda *_: answer(500))
    asked = []
    for minute in range(16 * 60):
        with_failure = len(reader.http.requests)
        try:
            reader.look(1)
        except Unavailable:
            assert len(reader.http.requests) == with_failure + 1
            asked.append(minute)
    assert [later - earlier for earlier, later in pairwise(asked)] == [15, 30, 60, 120, 240, 360]


def test_301_is_followed_stored_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    moved = answer(301, headers={"Location": "/new.xml"})
    reader = Reader([moved, page(item("a")), page(item("b"), item("a"))])
    assert titles(reader.look()) == ["a"]
    raw = reader.look(20)[0].items[0]
    assert [request.url for request in reader.http.requests][1:] == ["https://news.example/new.xml"] * 2
    assert raw.realm == FEED
    assert "has moved to https://news.example/new.xml" in caplog.text


def test_a_temporary_redirect_is_followed_and_not_stored() -> None:
    reader = Reader(lambda _, url, *__: page(item("a")) if "tmp" in url else answer(302, headers={"Location": "/tmp"}))
    reader.look()
    reader.look(20)
    assert [request.url for request in reader.http.requests] == [FEED, "https://news.example/tmp"] * 2


def test_a_move_that_the_guard_followed_is_believed_for_a_day() -> None:
    elsewhere = HttpResponse(200, {}, rss(item("a")), "https://other.example/feed")
    reader = Reader(lambda _, url, *__: elsewhere)
    for _ in range(3):
        reader.look(720)
    assert [request.url for request in reader.http.requests] == [FEED, "https://other.example/feed", FEED]


def test_a_stored_address_that_fails_is_forgotten() -> None:
    reader = Reader([answer(301, headers={"Location": "/new.xml"}), page(item("a")), answer(404), page(item("a"))])
    reader.look()
    with pytest.raises(Rejected):
        reader.look(20)
    reader.look(20)
    assert reader.http.requests[-1].url == FEED


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x.example/", "", "http://[", FEED])
def test_a_redirect_that_leads_nowhere_is_refused(location: str) -> None:
    reader = Reader([answer(301, headers={"Location": location})])
    with pytest.raises(Rejected):
        reader.look()


def test_redirects_in_a_circle_end() -> None:
    circle = {"a": "/b", "b": "/a"}
    reader = Reader(
        lambda _, url, *__: answer(302, headers={"Location": circle[url[-1]]}), feeds=("https://x.example/a",)
    )
    with pytest.raises(Rejected):
        reader.look()
    assert len(reader.http.requests) <= 10


def test_410_stops_for_good(caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader([answer(410)])
    assert titles(reader.look()) == []
    assert reader.look(10**5) == []
    assert "gone for good" in caplog.text


def test_a_feed_that_fails_does_not_keep_the_others_from_coming() -> None:
    feeds = ("https://bad.example/", FEED)
    reader = Reader(lambda _, url, *__: page(item("a")) if url == FEED else answer(500), feeds=feeds)
    assert titles(reader.look()) == ["a"]
    assert reader.told == "1 of 2 feeds fail: https://bad.example/: HTTP 500 from bad.example/"


def test_a_feed_that_fails_is_told_until_it_is_well() -> None:
    feeds, well = ("https://bad.example/", FEED), [False]
    reader = Reader(lambda _, url, *__: page(item("a")) if url == FEED or well[0] else answer(500), feeds=feeds)
    reader.look()
    reader.look(1)  # neither is due
    assert "bad.example" in reader.told
    well[0] = True
    assert titles(reader.look(20)) == ["a"]
    assert reader.told == ""


def test_what_every_feed_answers_is_raised_after_the_pause_is_kept() -> None:
    reader = Reader([answer(429, headers={"Retry-After": "60"})])
    with pytest.raises(RateLimited) as caught:
        reader.look()
    assert caught.value.retry_after == 60
    assert reader.cursor[FEED]["fails"] == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["a", "b"]),
        ({"backfill_items": 1}, ["b"]),
        ({"backfill_items": 0}, []),
        ({"backfill_days": 0.5}, []),
        ({"backfill_days": 1000, "backfill_items": 1000}, ["old", "a", "b"]),
    ],
)
def test_the_first_fetch_does_not_flood(options: dict[str, Any], expected: list[str]) -> None:
    old = item("old", pubDate="01 Jan 2025 00:00:00 GMT")
    first = page(dated("b", 1), dated("a", 1), old)
    reader = Reader([first, page(dated("c", 2), dated("b", 1), dated("a", 1), old)], **options)
    assert titles(reader.look()) == expected
    assert titles(reader.look(20)) == ["c"]


def test_500_old_entries_are_bounded_by_the_window() -> None:
    assert len(titles(Reader([page(*(dated(f"n{number}", 1) for number in range(500)))]).look())) == 50


def test_a_large_document_comes_in_batches_and_the_cursor_moves_with_the_last() -> None:
    reader = Reader([page(*(dated(f"n{number}", 1) for number in range(1100)))], backfill_items=5000)
    pages = reader.look()
    assert [len(found.items) for found in pages] == [500, 500, 100, 0]
    assert [bool(found.cursor[FEED].get("seen")) for found in pages] == [False, False, True, True]


def test_a_summary_that_changes_each_time_makes_one_update_an_hour() -> None:
    texts = iter(range(1000))
    reader = Reader(lambda *_: page(item("a", description=f"Buy {next(texts)}!")))
    looks = [len(titles(reader.look(20))) for _ in range(10)]
    assert looks == [1, 0, 0, 1, 0, 0, 1, 0, 0, 1]


def test_an_update_that_came_too_early_is_not_lost() -> None:
    reader = Reader([page(item("a", description="one")), *[page(item("a", description="two"))] * 5])
    assert [len(titles(reader.look(20))) for _ in range(6)] == [1, 0, 0, 1, 0, 0]


def test_updates_can_be_switched_off() -> None:
    reader = Reader([page(item("a", description="one")), page(item("a", description="two"))], updates=False)
    assert [len(titles(reader.look(90))) for _ in range(2)] == [1, 0]


def test_a_change_of_counts_or_dates_is_no_update() -> None:
    slash = b'<rss xmlns:slash="http://purl.org/rss/1.0/modules/slash/" '
    bodies = [rss(dated("a", day, **{"slash:comments": str(day)})).replace(b"<rss ", slash) for day in (1, 2, 3)]
    reader = Reader([answer(content=body) for body in bodies])
    assert [len(titles(reader.look(90))) for _ in bodies] == [1, 0, 0]


def test_a_body_that_is_the_path_of_a_local_feed_yields_nothing(tmp_path: Path) -> None:
    planted = tmp_path / "feed.xml"
    planted.write_bytes(rss(item("planted")))
    reader = Reader([answer(content=str(planted).encode())])
    with pytest.raises(Unavailable, match="no feed"):
        reader.look()
    assert list(reader.source.unpack(str(planted).encode())) == []


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>Sign in</body></html>", b"\x00\xff" * 50, b"{", b"[" * 10**5, b"{}"]
)
def test_a_page_that_is_no_feed_is_a_failed_poll_and_changes_nothing(body: bytes) -> None:
    reader = Reader([page(item("a"), headers={"ETag": "1"}), answer(content=body), page(item("a"), item("b"))])
    reader.look()
    with pytest.raises(Unavailable, match="no feed"):
        reader.look(20)
    assert titles(reader.look(20)) == ["b"]


def test_a_feed_that_is_cut_before_its_entries_is_a_failed_poll_and_not_nothing_new() -> None:
    reader = Reader([answer(content=rss(item("a"))[:60]), page(item("a"))])
    with pytest.raises(Unavailable, match="no feed"):
        reader.look()
    assert titles(reader.look(20)) == ["a"]


@pytest.mark.parametrize("kind", ["application/rss+xml", "text/html", "text/xml; charset=us-ascii"])
def test_a_feed_without_entries_is_one_whatever_its_server_calls_it(kind: str) -> None:
    reader = Reader([page(headers={"content-type": kind})])
    assert titles(reader.look()) == []


@pytest.mark.parametrize("body", [b"<html>", b"/etc/passwd"])
def test_the_check_refuses_what_is_no_feed(body: bytes) -> None:
    reader = Reader([answer(content=body)])
    with pytest.raises(Rejected, match="no feed"):
        reader.source.check(context(reader.http))


def test_the_check_counts_feeds_and_entries() -> None:
    reader = Reader([page(item("a"), item("b"))])
    assert reader.source.check(context(reader.http)) == "1 feed with 2 entries"


@pytest.mark.parametrize("feed", ["file:///etc/passwd", "/etc/passwd", "ftp://x.example/", "https://", "javascript:x"])
def test_an_address_that_is_not_of_the_web_is_refused(feed: str) -> None:
    with pytest.raises(ValidationError):
        RssOptions(feeds=(feed,))


def test_a_cursor_that_cannot_be_read_begins_anew() -> None:
    reader = Reader([page(item("a"))])
    reader.cursor = {FEED: {"seen": 5}}
    assert titles(reader.look()) == ["a"]


def test_it_works_over_a_socket_through_the_guard() -> None:
    def script(request: Any) -> HttpResponse:
        if request.headers.get("if-none-match") == '"1"':
            return answer(304)
        if request.url == "/old":
            return answer(301, headers={"Location": "/feed"})
        return page(item("a"), headers={"ETag": '"1"'})

    with LocalServer(script) as server, open_guard(allow_private=True) as guard:
        reader = Reader([], feeds=(server.url + "/old",))
        reader.http = guard  # type: ignore[assignment]  # the same face
        assert titles(reader.look()) == ["a"]
        assert titles(reader.look(20)) == []
        assert [request.url for request in server.requests] == ["/old", "/feed", "/feed"]


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:9/feed"])
def test_the_guard_keeps_feeds_out_of_private_networks(target: str) -> None:
    with open_guard() as guard, pytest.raises(Rejected):
        list(RssSource(RssOptions(feeds=(target,))).pull(context(guard), None))


# ------------------------------------------------------------------------------------------- ids that several entries bear


def linked(title: str, link: str) -> str:
    """An entry with the id that all of these bear."""
    return f"<item><title>{title}</title><guid>same</guid><link>https://news.example/{link}</link></item>"


FETCHES: list[list[list[str]]] = [
    [["a", "b"], ["a"]],
    [["a", "b"], ["b"]],
    [["a"], ["b", "a"]],
    [["a"], ["b", "a"], ["b"]],
    [["a"], ["b", "a"], ["a"], ["b", "a"]],
    [["a", "b"], ["c", "a", "b"], ["c"]],
    [["a"], ["b", "a"], ["c", "b"], ["c"]],
]


@pytest.mark.parametrize("fetches", FETCHES, ids=lambda one: " ".join(map("".join, one)))
def test_an_entry_whose_id_is_shared_at_some_fetch_has_one_name(fetches: list[list[str]]) -> None:
    reader = Reader([page(*(linked(one, one) for one in names)) for names in fetches])
    raws = [raw for _ in fetches for found in reader.look(90) for raw in found.items]
    named = {(json.loads(raw.payload)["entry"]["title"], raw.external_id) for raw in raws}
    titles_, names = [title for title, _ in named], [name for _, name in named]
    assert sorted(titles_) == sorted({one for names in fetches for one in names})
    assert len(set(names)) == len(names)


def test_entries_that_share_an_id_have_names_of_their_own() -> None:
    reader = Reader([page(linked("a", "a"), linked("b", "b")), page(linked("b", "b"))])
    first = {raw.external_id for raw in reader.look()[0].items}
    assert first == {"https://news.example/a", "https://news.example/b"}


def test_an_entry_that_moves_to_another_address_keeps_its_id() -> None:
    reader = Reader([page(linked("a", "old")), page(linked("a", "new")), page(linked("a", "newer"))])
    names = [raw.external_id for _ in range(3) for found in reader.look(90) for raw in found.items]
    assert set(names) == {"same"}
