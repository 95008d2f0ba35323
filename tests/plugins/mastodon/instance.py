"""A small instance: streams with paging as Mastodon has it, for FakeHttp and for a local server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub import HttpResponse
from hub.testkit.fakes import answer
from hub.testkit.server import Scripted

PATHS = {
    "tag:acme": "/api/v1/timelines/tag/acme",
    "public": "/api/v1/timelines/public",
    "notifications": "/api/v1/notifications",
    "conversations": "/api/v1/conversations",
}


def status(id_: str, **fields: Any) -> dict[str, Any]:
    """A status with what every status has."""
    return {
        "id": id_,
        "uri": f"https://m.example/users/ann/statuses/{id_}",
        "url": f"https://m.example/@ann/{id_}",
        "created_at": "2026-01-02T03:04:05.000Z",
        "content": f"<p>Post {id_}</p>",
        "visibility": "public",
        "account": {
            "id": "7",
            "username": "ann",
            "acct": "ann",
            "uri": "https://m.example/users/ann",
            "url": "https://m.example/@ann",
        },
        **fields,
    }


class FakeInstance:
    """Answers by path; `streams` maps a path to its items, newest first. `place` says what a page is ordered by."""

    def __init__(self, **streams: list[dict[str, Any]]) -> None:
        self.streams = {PATHS.get(name.replace("tag_", "tag:"), name): items for name, items in streams.items()}
        self.before: Callable[[str], HttpResponse | None] = lambda _: None
        self.obeys = True
        self.links = False

    def __call__(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> HttpResponse:
        parts = urlsplit(url)
        if early := self.before(url):
            return early
        if parts.path not in self.streams:
            return answer(404, {"error": "Record not found"})
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        page = self._page(self.streams[parts.path], query)
        link = f'<https://evil.example/x?min_id={place(page[0])}>; rel="prev"' if page and self.links else ""
        return answer(json=page, headers={"Link": link} if link else {})

    def _page(self, items: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        limit = int(query.get("limit", "20"))
        places = [place(item) for item in items]
        if not self.obeys:
            return items[:limit]
        if "min_id" in query:
            newer = items[: places.index(query["min_id"])] if query["min_id"] in places else items
            return newer[-limit:]
        if "max_id" in query:
            return items[places.index(query["max_id"]) + 1 :][:limit]
        return items[:limit]


def place(item: dict[str, Any]) -> str:
    """What a stream is ordered by."""
    return str((item.get("last_status") or item)["id"])


def over_http(instance: FakeInstance) -> Callable[[Any], Scripted]:
    """The instance as the script of a LocalServer."""
    return lambda request: instance(request.method, request.url, request.headers, request.content)


def ids(pages: list[Any]) -> list[str]:
    """The local ids in the order in which they came."""
    return [json.loads(item.payload)["id"] for page in pages for item in page.items]
