"""What our account does to posts at an instance keeps the contract of acts."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from hub.testkit.contracts.acts import ActsContract, ActTown
from hub.testkit.fakes import FakeClock
from plugins.mastodon.source import MastodonSource
from tests.plugins.mastodon.town import TOKEN, serving


class TestMastodonActs(ActsContract):
    source = MastodonSource

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"instance": url, "token": TOKEN, "notifications": True, "own_account": "brand"}

    @classmethod
    def town(cls, clock: FakeClock) -> AbstractContextManager[ActTown]:
        return serving(clock)
