"""The contract of a source that answers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from hub.testkit.contracts.replies import ReplyContract, Town
from hub.testkit.fakes import FakeClock
from plugins.mastodon.source import MastodonSource
from tests.plugins.mastodon.town import TOKEN, serving


class TestMastodonReplies(ReplyContract):
    source = MastodonSource

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"instance": url, "token": TOKEN, "notifications": True}

    @classmethod
    def town(cls, clock: FakeClock) -> AbstractContextManager[Town]:
        return serving(clock)
