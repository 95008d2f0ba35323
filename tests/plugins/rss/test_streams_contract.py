"""The feed source keeps the contract of all that are asked: one document, newest first, that forgets its oldest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape
from typing import Any

from hub import HttpResponse
from hub.testkit.contracts.streams import StreamsContract
from hub.testkit.fakes import FakeClock, SentRequest
from hub.testkit.server import LocalServer
from plugins.rss.source import RssSource
from tests.plugins.rss.feeds import item, page


@dataclass
class Feed:
    """A site's feed: the newest thirty entries."""

    clock: FakeClock
    entries: dict[str, str] = field(default_factory=dict)
    dates: dict[str, datetime] = field(default_factory=dict)

    def write(self, name: str, html: str, at: datetime) -> str:
        stamp = format_datetime(self.dates.setdefault(name, at), usegmt=True)
        self.entries[name] = item(name, title="", description=escape(html), pubDate=stamp)
        return name

    def answer(self, request: SentRequest) -> HttpResponse:
        return page(*list(self.entries.values())[::-1][:30])


class TestRssStreams(StreamsContract):
    source = RssSource
    page = 8
    pause = timedelta(hours=7)
    steady_cursor = False  # it holds when the feed is due
    reaches_anywhere = True

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"feeds": [f"{url}/feed.xml"]}

    @contextmanager
    def look_alike(self, clock: FakeClock) -> Iterator[tuple[str, Feed]]:
        feed = Feed(clock)
        with LocalServer(feed.answer) as server:
            yield server.url, feed

    def add(self, place: Feed, text: str) -> str:
        return self.add_at(place, text, place.clock())

    def add_at(self, place: Feed, text: str, at: datetime) -> str:
        return place.write(f"entry-{len(place.entries)}", f"<p>{text}</p>", at)

    def add_html(self, place: Feed, html: str) -> str:
        return place.write(f"entry-{len(place.entries)}", html, place.clock())

    def edit(self, place: Feed, item: str, text: str) -> None:
        place.write(item, f"<p>{text}</p>", place.clock())  # an edit keeps the date
