"""What a polled source owes, kept by each shipped file against a look-alike of its API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from hub import HttpResponse
from hub.testkit.contracts import StreamsContract
from hub.testkit.fakes import FakeClock
from plugins.http.source import HttpSource
from tests.hub.testkit.trial import assert_caught
from tests.plugins.http.library import Library, app_store, hacker_news, moved, stack_exchange, wordpress

Lend = Callable[[Library, str, Mapping[str, str]], HttpResponse]


class TestHackerNewsStreams(StreamsContract):
    source = HttpSource
    page = 4
    gone_words = frozenset({"null"})  # so says Firebase of an item that it does not have
    file: ClassVar[str] = "hackernews"
    given: ClassVar[dict[str, str]] = {"query": "acme"}
    smaller: ClassVar[dict[str, str]] = {}
    lend: ClassVar[Lend] = staticmethod(hacker_news)

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        """The look-alike's file stands for its address."""
        return {"file": url, "given": cls.given}

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        return {"file": cls.file, "given": cls.given}

    @contextmanager
    def look_alike(self, clock: FakeClock) -> Iterator[tuple[str, Library]]:
        library = Library(clock, self.page, self.lend)
        with moved(self.file, library, **self.smaller) as path:
            yield str(path), library

    def add(self, place: Library, text: str) -> int:
        return place.add(text)

    def delete(self, place: Library, item: int) -> None:
        place.delete(item)


class TestStackExchangeStreams(TestHackerNewsStreams):
    file = "stackexchange"
    gone_words = frozenset()
    given: ClassVar[dict[str, str]] = {"site": "stackoverflow", "tagged": "acme"}
    lend: ClassVar[Lend] = staticmethod(stack_exchange)

    def edit(self, place: Library, item: int, text: str) -> None:
        place.edit(item, text)


class TestWordPressStreams(TestHackerNewsStreams):
    file = "wordpress"
    gone_words = frozenset()
    given: ClassVar[dict[str, str]] = {"site": "blog.example.com"}
    smaller: ClassVar[dict[str, str]] = {"most = 50, size = 100": "most = 50, size = 4"}
    lend: ClassVar[Lend] = staticmethod(wordpress)


class TestAppStoreStreams(TestHackerNewsStreams):
    file = "appstore"
    tells_first_time = False  # only when a review was last changed
    given: ClassVar[dict[str, str]] = {"app": "383298204"}
    smaller: ClassVar[dict[str, str]] = {"size = 50": "size = 4"}
    lend: ClassVar[Lend] = staticmethod(app_store)
    delete = StreamsContract.delete  # its feed cannot be asked what is gone

    def edit(self, place: Library, item: int, text: str) -> None:
        place.edit(item, text)


CARELESS: list[tuple[str, type[StreamsContract], dict[str, str], str]] = [
    (
        "takes any answer for an empty list",
        TestHackerNewsStreams,
        {'order = "newest"': 'order = "newest", may_miss = true'},
        "test_an_answer_that_says_nothing_is_a_failed_poll",
    ),
    (
        "reads one page",
        TestHackerNewsStreams,
        {"most = 10": "most = 1"},
        "test_more_than_a_page_between_two_polls_arrives_whole",
    ),
    (
        "names items by their thread",
        TestHackerNewsStreams,
        {'id = "objectID"': 'id = "story_id"'},
        "test_every_item_has_an_id_and_a_key_of_its_own",
    ),
    (
        "takes a proxy's 404 for gone and a 500 too",
        TestHackerNewsStreams,
        {'gone = ["null"': 'gone = ["500", "error"'},
        "test_a_recheck_finds_what_is_gone_and_nothing_else",
    ),
    (
        "looks for the next page under a wrong name",
        TestStackExchangeStreams,
        {'more = "has_more"': 'more = "hasMore"'},
        "test_all_that_is_said_arrives_once",
    ),
    (
        "takes the time of reading for that of the comment",
        TestWordPressStreams,
        {'published_at = "date_gmt"': 'published_at = "date"'},
        "test_times_are_those_of_the_network",
    ),
]


@pytest.mark.parametrize(("suite", "changes", "test"), [one[1:] for one in CARELESS], ids=[one[0] for one in CARELESS])
def test_a_careless_file_is_caught(suite: Any, changes: dict[str, str], test: str) -> None:
    assert_caught(type("Careless", (suite,), {"smaller": {**suite.smaller, **changes}}), test)
