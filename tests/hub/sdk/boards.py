"""A small network of numbers for the tests of streams, and a source that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub import Compliance, Context, Ignored, Options, Page, RawItem
from hub.sdk.streams import Order, Stream, StreamItem, StreamPage, StreamsSource
from hub.testkit.fakes import FakeClock, context

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class BoardSource(StreamsSource[Options]):
    """A source of the streams that a test gives it."""

    name = "board"
    network = "board"
    compliance = Compliance(delete_within=timedelta(days=1))

    def __init__(self, *given: Stream) -> None:
        super().__init__(Options())
        self.given = given

    def streams(self, ctx: Context) -> Iterable[Stream]:
        return self.given

    def translate(self, raw: RawItem) -> Ignored:
        return Ignored("not asked for")

    def identify(self, payload: bytes) -> tuple[str, str]:
        return str(json.loads(payload)), ""


@dataclass
class Board:
    """A list of numbers, one a minute up to now. `page` items a page, by number or behind the one that was given last."""

    numbers: list[int] = field(default_factory=lambda: list(range(1, 11)))
    page: int = 3
    newest_first: bool = False
    place: Callable[[int], Any] = lambda number: NOW - (100 - number) * MINUTE
    asked: list[Any] = field(default_factory=list)
    between: Callable[[int], None] = lambda _: None

    def by_number(self, since: Any, more: Any) -> StreamPage:
        """A page by its number: pages move when something is deleted."""
        start = (more or 0) * self.page
        listed = self._listed(since)
        return self._answer(since, listed[start : start + self.page], more=(more or 0) + 1, end=len(listed) - start)

    def behind(self, since: Any, more: Any) -> StreamPage:
        """A page behind the last item of the one before."""
        listed = [
            one for one in self._listed(since) if more is None or ((one < more) == self.newest_first and one != more)
        ]
        return self._answer(since, listed[: self.page], more=(listed[: self.page] or [None])[-1], end=len(listed))

    def at_position(self, since: Any, more: Any) -> StreamPage:
        """Like Mastodon: oldest first behind a position, newest first without one."""
        if since is None:
            return replace(self, newest_first=True, asked=self.asked).behind(None, more)
        listed = [one for one in self.numbers if one > int(more or since)]
        return self._answer(since, listed[: self.page], more=(listed[: self.page] or [None])[-1], end=len(listed))

    def _listed(self, since: Any) -> list[int]:
        found = [one for one in self.numbers if self.newest_first or since is None or self.place(one) >= since]
        return found[::-1] if self.newest_first else found

    def _answer(self, since: Any, numbers: list[int], *, more: Any, end: int) -> StreamPage:
        self.asked.append(since)
        self.between(len(self.asked))
        items = tuple(StreamItem(str(one).encode(), self.place(one)) for one in numbers)
        return StreamPage(items, more if end > self.page else None)


def stream(board: Board, order: Order, **more: Any) -> Stream:
    return Stream("all", board.behind, order, newest_first=board.newest_first, **more)


def pulled(source: BoardSource, cursor: Any = None, *, ctx: Context | None = None) -> list[Page]:
    return list(source.pull(ctx or context(clock=FakeClock(NOW)), cursor))


def numbers(pages: Iterable[Page]) -> list[int]:
    return [int(item.external_id) for page in pages for item in page.items]


def at(number: int) -> str:
    return (NOW - (100 - number) * MINUTE).isoformat()
