"""The contract of a source that answers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from hub.testkit.contracts.replies import ReplyContract, Town
from hub.testkit.fakes import FakeClock
from plugins.bluesky.source import BlueskySource
from tests.plugins.bluesky.town import serving


class TestBlueskyReplies(ReplyContract):
    source = BlueskySource

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"service": url, "handle": "brand.test", "app_password": "app-pass"}

    @classmethod
    def town(cls, clock: FakeClock) -> AbstractContextManager[Town]:
        return serving(clock)
