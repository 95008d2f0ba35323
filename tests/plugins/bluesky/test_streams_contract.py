"""Bluesky's source keeps the contract of all that are asked: searches, newest first, with times that authors claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from hub.testkit.contracts.streams import StreamsContract
from hub.testkit.fakes import FakeClock
from plugins.bluesky.source import BlueskySource
from tests.plugins.bluesky.town import ANN, BlueskyTown, serving


class TestBlueskySearch(StreamsContract):
    source = BlueskySource
    page = 4

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {
            "service": url,
            "handle": "brand.test",
            "app_password": "app-pass",
            "mentions": False,
            "searches": ["contract"],
        }

    @contextmanager
    def look_alike(self, clock: FakeClock) -> Iterator[tuple[str, BlueskyTown]]:
        with serving(clock) as town:
            town.page = self.page
            yield town.url, town

    def add(self, place: BlueskyTown, text: str) -> str:
        return self.add_at(place, text, place.clock())

    def add_at(self, place: BlueskyTown, text: str, at: datetime) -> str:
        """The author claims `createdAt`; `indexedAt` is the server's."""
        seen = place.clock().isoformat()
        uri = place.say(ANN, text)
        place.clock.advance(-1)  # saying something takes the town a second
        place.records[uri]["createdAt"] = at.isoformat()
        place.posts.insert(0, {**place.view(uri), "indexedAt": seen})
        return uri

    def delete(self, place: BlueskyTown, item: str) -> None:
        place.records.pop(item)

    def reset_headers(self, at: datetime) -> Mapping[str, str]:
        return {"ratelimit-reset": str(int(at.timestamp()))}
