"""What our account does to posts on Bluesky keeps the contract of acts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from hub.core.model import ActKind
from hub.testkit.contracts.acts import ActsContract, ActTown
from hub.testkit.fakes import FakeClock
from plugins.bluesky.source import BlueskySource
from tests.plugins.bluesky.town import serving


class TestBlueskyActs(ActsContract):
    source = BlueskySource

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"service": url, "handle": "brand.test", "app_password": "app-pass"}

    @classmethod
    def town(cls, clock: FakeClock) -> AbstractContextManager[ActTown]:
        return serving(clock)

    def write_of(self, kind: ActKind) -> Mapping[str, str]:
        """Deletions are POSTs too, and so is the log-in, which does nothing to a post."""
        return {"method": "POST", "path": r"repo\.(create|put|delete)Record$"}
