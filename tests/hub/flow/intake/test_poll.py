"""Polls and documents, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from hub.core.errors import (
    ConnectorError,
    HubError,
    PartlyRefused,
    QuotaExhausted,
    RateLimited,
    Retryable,
    TranslationError,
    Unauthorised,
    Unavailable,
)
from hub.core.model import RawItem
from hub.flow.intake.poll import import_document, poll, polling_sources, usable_source
from hub.flow.sweep import prepare
from hub.registry import Plugin
from hub.sdk.connectors import Context, Options, Page
from hub.store import StoreUnavailable
from tests.hubs import NOON, LineSource, Made

NewHub = Callable[..., Made]


def item(number: int) -> RawItem:
    return RawItem("lines", "lines", b'{"id": "%d", "text": "acme"}' % number, NOON, str(number))


def page(cursor: object, *numbers: int) -> Page:
    return Page(tuple(item(number) for number in numbers), cursor)


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    made = new_hub()
    made.hub.store.cursors.declare(["lines"], now=NOON)
    return made


def row(made: Made) -> dict[str, object]:
    (found,) = made.hub.store.cursors.list()
    return found


def again_in(made: Made) -> timedelta:
    return row(made)["due_at"] - made.clock()  # type: ignore[operator, no-any-return]  # a time


def test_pages_are_taken_with_their_cursor_and_the_bell_is_rung(made: Made) -> None:
    made.source.pages = [page("p1", 1, 2), page("p2", 2, 3)]
    assert poll(made.hub, "lines") == 3
    assert (row(made)["value"], made.bell.rung) == ("p2", [("process", "")])


def test_a_page_without_news_moves_the_cursor_and_rings_nothing(made: Made) -> None:
    made.source.pages = [page("p1")]
    assert (poll(made.hub, "lines"), row(made)["value"], made.bell.rung) == (0, "p1", [])


def test_a_source_is_polled_again_after_its_interval(made: Made) -> None:
    poll(made.hub, "lines")
    assert poll(made.hub, "lines") is None
    made.clock.pass_(seconds=60)
    assert poll(made.hub, "lines") == 0


def test_somebody_who_asks_may_poll_early(made: Made) -> None:
    poll(made.hub, "lines")
    assert poll(made.hub, "lines", early=True) == 0


def test_a_source_that_another_worker_polls_is_left_to_it(made: Made) -> None:
    made.hub.store.cursors.claim("lines", now=NOON)
    assert poll(made.hub, "lines", early=True) is None


def test_pages_before_a_failure_are_kept_with_their_cursor(made: Made) -> None:
    made.source.pages = [page("p1", 1), Unavailable("down")]
    poll(made.hub, "lines")
    assert (row(made)["value"], row(made)["error"], made.hub.store.inbox.counts()) == (
        "p1",
        "Unavailable: down",
        {"new": 1},
    )


def test_the_cursor_of_before_is_given_to_the_next_poll(made: Made) -> None:
    seen: list[object] = []

    def pull(self: object, ctx: Context, cursor: object) -> Iterable[Page]:
        seen.append(cursor)
        yield page({"since": len(seen)})

    made.source.pull = pull  # type: ignore[assignment, method-assign]  # a source of its own
    for _ in range(2):
        poll(made.hub, "lines", early=True)
    assert seen == [None, {"since": 1}]


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (Unavailable("down"), 5),
        (RateLimited(retry_after=120), 120),
        (RateLimited(retry_after=1), 5),
        (RateLimited(retry_after=1e12), 86400),
        (QuotaExhausted(until=NOON + timedelta(hours=3)), 3 * 3600),
        (QuotaExhausted(), 5),
        (Unauthorised("expired"), 5),
        (TranslationError("no JSON"), 5),
        (StoreUnavailable("the database is locked"), 5),
        (KeyError("bug"), 60),
    ],
)
def test_a_failure_waits_as_its_kind_demands(made: Made, error: Exception, wait: float) -> None:
    made.source.pages = [error]
    assert poll(made.hub, "lines") == 0
    assert again_in(made) == timedelta(seconds=wait)
    assert str(row(made)["error"]).startswith(type(error).__name__ if isinstance(error, HubError) else "bug: KeyError")


def test_failures_in_a_row_wait_twice_as_long_up_to_an_hour(made: Made) -> None:
    made.source.pages = [Unavailable()]
    waits = []
    for _ in range(12):
        poll(made.hub, "lines", early=True)
        waits.append(again_in(made).total_seconds())
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def test_the_pauses_after_a_plugins_bug_double_from_a_minute_to_an_hour(made: Made) -> None:
    made.source.pages = [KeyError("bug")]
    waits = []
    for _ in range(8):
        poll(made.hub, "lines", early=True)
        waits.append(again_in(made) // timedelta(minutes=1))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("error", [KeyError("bug"), Unauthorised("expired")])
def test_a_restart_tries_at_once_what_a_bug_or_a_refused_credential_holds_up(made: Made, error: Exception) -> None:
    made.source.pages = [error]
    for _ in range(5):
        poll(made.hub, "lines", early=True)
    prepare(made.hub)
    assert again_in(made) == timedelta()


def test_a_restart_does_not_ask_a_network_that_is_away_before_its_time(made: Made) -> None:
    made.source.pages = [Unavailable("HTTP 503", retry_after=600)]
    poll(made.hub, "lines")
    prepare(made.hub)
    assert again_in(made) == timedelta(minutes=10)


def test_a_refused_stream_is_shown_and_does_not_slow_the_others(made: Made) -> None:
    made.source.pages = [PartlyRefused("search:(( is refused")]
    for _ in range(5):
        poll(made.hub, "lines", early=True)
    assert again_in(made) == timedelta(seconds=60)
    assert row(made)["error"] == "PartlyRefused: search:(( is refused"


def test_a_success_ends_the_row_of_failures(made: Made) -> None:
    for pages in ([Unavailable()], [Unavailable()], [], [Unavailable()]):
        made.source.pages = pages
        poll(made.hub, "lines", early=True)
    assert (row(made)["failures"], again_in(made)) == (1, timedelta(seconds=5))


def test_a_worker_that_lost_its_lease_stores_nothing_more(made: Made) -> None:
    def steal() -> Page:
        made.clock.pass_(minutes=2)
        assert made.hub.store.cursors.claim("lines", now=made.clock(), early=True)
        return page("late", 9)

    made.source.pull = lambda self, ctx, cursor: (make() for make in (lambda: page("p1", 1), steal))  # type: ignore[assignment, method-assign]  # a source of its own
    poll(made.hub, "lines")
    assert (row(made)["value"], made.hub.store.inbox.counts()) == ("p1", {"new": 1})


def test_an_error_with_nul_is_noted(made: Made) -> None:
    made.source.pages = [Unavailable("a\x00b\ud800")]
    poll(made.hub, "lines")
    assert row(made)["error"] == "Unavailable: a\ufffdb\ufffd"


def test_an_item_with_nul_in_its_name_does_not_stop_its_page(made: Made) -> None:
    made.source.pages = [Page((item(1), RawItem("lines", "lines", b"{}", NOON, "a\x00\ud800")), "p1")]
    assert poll(made.hub, "lines") == 2


def test_a_source_that_is_not_polled_says_so(made: Made) -> None:
    made.hub._made["sources", "lines"] = object()  # type: ignore[assignment]  # any other kind
    with pytest.raises(ConnectorError, match="is not polled"):
        poll(made.hub, "lines")


def test_a_retryable_is_no_bug(made: Made) -> None:
    made.source.pages = [Retryable("another worker polls")]
    poll(made.hub, "lines")
    assert not str(row(made)["error"]).startswith("bug")


# ------------------------------------------------------------------------------------------------------ broken plugins


def test_a_source_whose_plugin_is_broken_is_left_out_and_the_others_run(made: Made) -> None:
    made.hub._made.clear()
    made.hub.registry._loaded["lines"] = Plugin("lines", "tests", "1", reason="plugin 'lines' needs 'liner'")
    assert (polling_sources(made.hub), usable_source(made.hub, "lines")) == ([], None)
    assert "needs 'liner'" in made.hub.broken["sources.lines"]


# ----------------------------------------------------------------------------------------------------------- documents


def test_a_document_is_taken_line_by_line_and_once(made: Made, tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b'{"id": "1", "text": "acme"}\n\n{"id": "2", "text": "acme"}\n')
    assert [sum(import_document(made.hub, file, "lines")) for _ in range(2)] == [2, 0]


class ShelfOptions(Options):
    """Who reads the files, and what their ids are unique within."""

    as_plugin: str = "other"
    realm: str = "town"


class Shelf(LineSource):
    """A source of files that another plugin reads."""

    name = "shelf"
    capabilities = frozenset({"as_plugin"})


def test_a_document_for_a_source_of_files_is_of_the_plugin_that_reads_it(made: Made, tmp_path: Path) -> None:
    other = type("Other", (LineSource,), {"name": "other", "identify": lambda _, payload: ("named", "")})
    made.hub.registry._points["other"] = []
    made.hub.registry._loaded["other"] = Plugin("other", "tests", "1", sources={"other": other})
    made.hub._made["sources", "lines"] = Shelf(ShelfOptions())
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b'{"id": "1", "text": "acme"}\n')
    assert list(import_document(made.hub, file, "lines")) == [1]
    item = made.hub.store.inbox.get([1])[1]
    assert (item.source, item.plugin, item.external_id, item.realm) == ("lines", "other", "named", "town")


def test_a_long_document_is_committed_page_by_page(made: Made, tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"\n".join(b'{"id": "%d", "text": "x"}' % number for number in range(1100)))
    assert list(import_document(made.hub, file, "lines")) == [500, 500, 100]


def test_a_broken_line_is_kept_and_does_not_end_the_document(made: Made, tmp_path: Path) -> None:
    def identify(self: object, payload: bytes) -> tuple[str, str]:
        if b"broken" in payload:
            raise TranslationError("no JSON")
        return payload.decode(), ""

    made.source.identify = identify  # type: ignore[method-assign]  # a source that can name its items
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b'{"id": "1", "text": "a"}\n{"broken": 1}\n{"id": "2", "text": "b"}\n')
    assert list(import_document(made.hub, file, "lines")) == [3]
