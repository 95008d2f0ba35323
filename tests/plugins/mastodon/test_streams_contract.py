"""Mastodon's source keeps the contract of all that are asked: as a timeline and as an account's notifications."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.testkit.contracts.streams import StreamsContract
from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import SandboxOptions
from plugins.mastodon.sandbox.town import TownSandbox
from plugins.mastodon.source import MastodonSource


class TestMastodonTimeline(StreamsContract):
    source = MastodonSource
    page = 5

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"instance": url, "token": "sandbox-token", "public": True, "backfill": 200}

    @classmethod
    def sandbox_options(cls, clock: FakeClock) -> SandboxOptions:
        return SandboxOptions(clock=clock, extra={"page": cls.page})

    def add(self, place: TownSandbox, text: str) -> str:
        return place.say("ann", text)

    def delete(self, place: TownSandbox, item: str) -> None:
        place.take_back(item)

    def reset_headers(self, at: datetime) -> Mapping[str, str]:
        return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": at.isoformat()}


class TestMastodonMentions(TestMastodonTimeline):
    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"instance": url, "token": "sandbox-token", "notifications": True, "backfill": 200}

    def add(self, place: TownSandbox, text: str) -> str:
        return place.say("ann", f"@{place.brand} {text}")
