"""The contract of a source that answers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from hub.sdk.testing.fakes import FakeClock
from hub.sdk.testing.replies import ReplyContract, Town
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
