"""Streams that are refused or fail: each stops no other, and is told."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub import Context, Page, PartlyRefused, QuotaExhausted, RateLimited, Rejected, Unauthorised, Unavailable
from hub.sdk.streams import ByTime, Stream, StreamHealth, StreamItem, StreamPage, health
from hub.testkit.fakes import FakeClock, context
from tests.hub.sdk.boards import NOW, Board, BoardSource, numbers, pulled, stream


def refused(name: str, error: Exception) -> Stream:
    def fetch(since: Any, more: Any) -> StreamPage:
        raise error

    return Stream(name, fetch, ByTime())


REFUSALS = [
    Rejected("no such board", code="404"),
    Unauthorised("not in scope", code="403"),
    QuotaExhausted("used up", until=NOW + timedelta(hours=3)),
]


def told(source: BoardSource, ctx: Context, kind: type[Exception]) -> tuple[list[int], str]:
    """What came before the error of this kind, and what the error says."""
    pages: list[Page] = []
    with pytest.raises(kind) as caught:
        pages.extend(source.pull(ctx, None))
    return numbers(pages), str(caught.value)


@pytest.mark.parametrize("error", REFUSALS, ids=lambda one: type(one).__name__)
def test_a_refused_stream_stops_no_other_and_is_told(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    ctx = context(clock=FakeClock(NOW))
    found, said = told(BoardSource(refused("bad", error), stream(Board(), ByTime())), ctx, PartlyRefused)
    assert found == list(range(1, 11))
    assert f"bad: {error}" in said
    assert health(ctx.state)["bad"].refused == str(error)
    assert f"stream bad is refused: {error}" in caplog.text


def test_a_refused_stream_rests_and_is_still_told() -> None:
    ctx = context(clock=FakeClock(NOW))
    good = stream(Board(), ByTime())
    told(BoardSource(refused("all but", REFUSALS[0]), good), ctx, PartlyRefused)
    asked = BoardSource(refused("all but", AssertionError("it was asked")), good)
    assert "no such board" in told(asked, ctx, PartlyRefused)[1]


def test_a_stream_that_is_open_again_is_well() -> None:
    clock = FakeClock(NOW)
    ctx = context(clock=clock)
    told(BoardSource(refused("other", REFUSALS[0]), stream(Board(), ByTime())), ctx, PartlyRefused)
    clock.advance(3600)
    pulled(BoardSource(replace(stream(Board(), ByTime()), name="other"), stream(Board(), ByTime())), ctx=ctx)
    assert health(ctx.state)["other"] == StreamHealth()


def test_a_quota_says_itself_when_it_is_asked_again() -> None:
    ctx = context(clock=FakeClock(NOW))
    told(BoardSource(refused("dear", REFUSALS[2]), stream(Board(), ByTime())), ctx, PartlyRefused)
    assert health(ctx.state)["dear"].again == NOW + timedelta(hours=3)


@pytest.mark.parametrize("error", REFUSALS, ids=lambda one: type(one).__name__)
def test_where_all_are_refused_the_error_is_the_first_ones(error: Exception) -> None:
    source, ctx = BoardSource(refused("a", error), refused("b", Rejected("other"))), context(clock=FakeClock(NOW))
    for _ in range(2):  # the second time all of them rest, and are asked all the same
        with pytest.raises(type(error)) as caught:
            list(source.pull(ctx, None))
        assert caught.value is error


@pytest.mark.parametrize("error", [Unauthorised("no", code="401"), RateLimited("slow")], ids=lambda one: one.args[0])
def test_an_error_about_the_account_ends_the_poll(error: Exception) -> None:
    assert told(BoardSource(refused("a", error), stream(Board(), ByTime())), context(), type(error))[0] == []


def test_a_stream_at_which_the_network_fails_does_not_starve_the_next() -> None:
    source = BoardSource(refused("a", Unavailable("HTTP 500")), stream(Board(), ByTime()))
    assert told(source, context(clock=FakeClock(NOW)), Unavailable) == (list(range(1, 11)), "HTTP 500")


def test_a_network_that_is_down_is_not_asked_for_every_stream() -> None:
    down = [refused(name, Unavailable(name)) for name in "abc"]
    assert told(BoardSource(*down), context(), Unavailable)[1] == "b"


def test_a_health_that_cannot_be_read_is_no_trouble() -> None:
    ctx = context(clock=FakeClock(NOW))
    ctx.state.set("streams", {"all": 7})
    assert pulled(BoardSource(stream(Board(), ByTime())), ctx=ctx)


def test_a_broken_item_is_named_by_its_digest() -> None:
    class Broken(BoardSource):
        def identify(self, payload: bytes) -> tuple[str, str]:
            return "", ""

    def one(since: Any, more: Any) -> StreamPage:
        return StreamPage((StreamItem(b"{", NOW),))

    (page,) = Broken(Stream("all", one, ByTime(), realm="r")).pull(context(clock=FakeClock(NOW)), None)
    assert (len(page.items[0].external_id), page.items[0].realm, page.items[0].plugin) == (32, "r", "board")


def test_reading_says_nothing_where_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        pulled(BoardSource(stream(Board(), ByTime())))
    assert caplog.text == ""
