"""Small feeds for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hub import HttpResponse
from hub.testkit.fakes import answer

FEED = "https://news.example/feed.xml"


def item(name: str, **elements: str) -> str:
    """An RSS item; `name` is guid, link and title unless said otherwise, "" leaves an element out."""
    fields = {"guid": name, "link": f"https://news.example/{name}", "title": name, **elements}
    return "<item>" + "".join(f"<{tag}>{text}</{tag}>" for tag, text in fields.items() if text) + "</item>"


def dated(name: str, day: int, **elements: str) -> str:
    """An item of a day of January 2026; the fake clock stands at the 2nd."""
    return item(name, pubDate=f"{day:02d} Jan 2026 00:00:00 GMT", **elements)


def rss(*items: str, channel: str = "") -> bytes:
    """An RSS document."""
    body = "".join(items)
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>{channel}{body}</channel></rss>'.encode()
    )


def page(*items: str, headers: dict[str, str] | None = None, channel: str = "") -> HttpResponse:
    """The answer of a server that has this feed."""
    return answer(
        content=rss(*items, channel=channel), headers={"content-type": "application/rss+xml", **(headers or {})}
    )


def titles(pages: Iterable[Any]) -> list[str]:
    """The titles of the entries in the order in which they came."""
    return [json.loads(raw.payload)["entry"]["title"] for found in pages for raw in found.items]
