"""What a polled source owes, kept by each shipped file against a look-alike of its API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from hub import HttpResponse
from hub.testkit.contracts import StreamsContract
from hub.testkit.fakes import FakeClock
from plugins.http.source import HttpSource
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
    given: ClassVar[dict[str, str]] = {"app": "383298204"}
    smaller: ClassVar[dict[str, str]] = {"size = 50": "size = 4"}
    lend: ClassVar[Lend] = staticmethod(app_store)
    delete = StreamsContract.delete  # its feed cannot be asked what is gone

    def edit(self, place: Library, item: int, text: str) -> None:
        place.edit(item, text)
