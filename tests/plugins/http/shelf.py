"""A small API of numbered items for the tests of file sources, and sources made of a file's text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from hub import Context, HttpResponse, Page, RawItem, Signal, Translated
from hub.testkit.fakes import FakeClock, FakeHttp, MemoryState, answer, context
from plugins.http.source import HttpSource

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
ITEM: dict[str, Any] = {"user": "ann", "text": "<p>Hi &amp; bye</p>"}

TABLES: dict[str, str] = {
    "source": 'source = { network = "shelf", title = "The shelf" }',
    "options": 'options.word = { help = "what to look for", required = false }',
    "items": 'items = { at = "items", id = "id", order = "oldest" }',
    "paging": 'paging = { by = "page", first = 1, most = 10, more = "more" }',
    "cursor": 'cursor = { at = "at", as = "seconds", overlap = "2m" }',
    "request": 'request = { url = "https://shelf.test/list", query = { q = "{word}", since = "{since}", page = "{page}" } }',
    "fields": 'fields = { native_id = "id", html = "text", author_id = "user", published_at = "at" }',
}


def written(folder: Path, **tables: str) -> Path:
    """A file of the usual tables, but for these."""
    path = folder / "shelf.toml"
    path.write_text("\n".join((TABLES | tables).values()))
    return path


def source(file: Path | str, *, secret: str = "", **given: str) -> HttpSource:
    """A source of a file, with the values of its options."""
    options: dict[str, Any] = {"file": str(file), "given": given} | ({"secret": secret} if secret else {})
    return HttpSource(HttpSource.Options.model_validate(options))


@dataclass
class Shelf:
    """Items by number, one a minute up to now; `size` a page. `asked` holds path and query of each request."""

    numbers: list[int] = field(default_factory=lambda: list(range(1, 8)))
    size: int = 3
    newest_first: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    before: Callable[[int], HttpResponse | None] = lambda _: None
    more: dict[str, Any] = field(default_factory=dict)

    def __call__(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> HttpResponse:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append({"method": method, "host": parts.netloc, "path": unquote(parts.path)} | query)
        self.headers.append(headers)
        if early := self.before(len(self.asked)):
            return early
        return answer(json=self.page(query))

    def page(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The page that is asked for by number, offset, position or token."""
        numbers = [one for one in self.numbers if seconds(one) >= int(query.get("since", 0))]
        numbers = numbers[::-1] if self.newest_first else numbers
        if "before" in query:
            numbers = [one for one in numbers if one < int(query["before"])]
        start = int(query.get("offset", query.get("token", (int(query.get("page", 1)) - 1) * self.size)))
        here = numbers[start : start + self.size]
        left = len(numbers) > start + self.size
        onward = {"token": str(start + self.size), "next": f"https://shelf.test/list?offset={start + self.size}"}
        return {"items": [item(one) for one in here], "more": left, **(onward if left else {}), **self.more}


def item(number: int, **more: Any) -> dict[str, Any]:
    """An item as the shelf lists it."""
    return {"id": number, "at": seconds(number), **ITEM, **more}


def seconds(number: int) -> int:
    """When an item came, in seconds since 1970."""
    return int((NOW - timedelta(minutes=100 - number)).timestamp())


def ctx(shelf: Callable[..., Any], *, clock: FakeClock | None = None, state: MemoryState | None = None) -> Context:
    """A context whose HTTP is answered by the shelf."""
    return context(FakeHttp(shelf), clock=clock or FakeClock(NOW), state=state or MemoryState())


def ids(pages: list[Page]) -> list[str]:
    """The items' ids in the order in which they came."""
    return [one.external_id for page in pages for one in page.items]


def said(what: HttpSource, body: Any, realm: str | None = None) -> Signal:
    """The signal of an item."""
    payload = msgspec.json.encode(body)
    found = what.translate(RawItem("t", "http", payload, NOW, "1", what.realm if realm is None else realm))
    assert isinstance(found, Translated)
    return found.signals[0]
