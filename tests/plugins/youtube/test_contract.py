"""The contract: what the engine may rely on, on hostile payloads and against the look-alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from hub.sdk.doc import Doc
from hub.testkit.contracts import ReplyContract, SourceContract, StreamsContract
from hub.testkit.contracts.replies import Town, Trouble
from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.youtube.sandbox import CHANNEL, CONSENT, OURS, YoutubeSandbox
from plugins.youtube.source import YoutubeSource
from plugins.youtube.translate import payload_of

PAGE = 3
AT = "2026-11-01T10:00:00Z"
SAID = {
    "authorChannelId": {"value": "UCana"},
    "authorDisplayName": "@ana",
    "authorChannelUrl": "https://www.youtube.com/@ana",
    "authorProfileImageUrl": "https://yt3.example/ana",
    "textDisplay": "Lovely",
    "publishedAt": AT,
    "updatedAt": AT,
    "parentId": "Ug7",
    "videoId": "kiesFilm001",
}
COMMENT = {"id": "Ug7.8", "snippet": SAID}


def options_at(url: str) -> dict[str, Any]:
    us = {"client_id": "us", "client_secret": "client-secret", "refresh_token": CONSENT}
    return {"url": url, "token_url": f"{url}/token", "api_key": "sandbox-token", "channels": [CHANNEL], **us}


def sandbox_options(clock: FakeClock) -> SandboxOptions:
    return SandboxOptions(clock=clock, extra={"empty": True, "page": PAGE})


class TestYoutube(SourceContract):
    source = YoutubeSource
    options: ClassVar[dict[str, Any]] = options_at("https://youtube.example")

    @classmethod
    def samples(cls) -> list[bytes]:
        return [json.dumps(COMMENT).encode()]


class TestYoutubeStreams(StreamsContract):
    source = YoutubeSource
    page = PAGE

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return options_at(url)

    @classmethod
    def sandbox_options(cls, clock: FakeClock) -> SandboxOptions:
        return sandbox_options(clock)

    def add(self, place: YoutubeSandbox, text: str) -> str:
        return place.say("cleo", text)

    def add_html(self, place: YoutubeSandbox, html: str) -> str:
        return place.say("cleo", "", html=html)

    def edit(self, place: YoutubeSandbox, item: str, text: str) -> None:
        place.edit(item, text)

    def delete(self, place: YoutubeSandbox, item: str) -> None:
        place.delete(item)

    def add_reply(self, place: YoutubeSandbox, text: str, to: str) -> str:
        return place.say("ben", text, parent=to)

    def touch(self, place: YoutubeSandbox, item: str) -> None:
        place.like(item)

    def use_up(self, place: YoutubeSandbox) -> None:
        place.use_up()


class YoutubeTown(Town):
    """The look-alike as the contract of replies plays it."""

    def __init__(self, url: str, place: YoutubeSandbox) -> None:
        self.url = url
        self.place = place

    def call_us(self, text: str, *, private: bool = False) -> bytes:
        if private:
            raise LookupError("everything is public here")
        return self._payload(self.place.say("cleo", text))

    def call_below(self, payload: bytes, text: str) -> bytes:
        return self._payload(self.place.say("ben", text, parent=json.loads(payload)["id"]))

    def answers(self) -> Sequence[bytes]:
        return [self._payload(id_) for id_, one in self.place.store.all("comments") if one["by"] == OURS]

    def delete(self, payload: bytes) -> None:
        self.place.delete(json.loads(payload)["id"])

    def suspend(self, payload: bytes) -> None:
        raise LookupError(f"YouTube shows {payload!r} to no one, as if it were deleted")

    def go_down(self) -> None:
        self.place.faults.set([{"status": 503}])

    def trouble(self, what: Trouble) -> None:
        fault: dict[str, Any] = {
            Trouble.LOST: {"reset_after": True},
            Trouble.CUT: {"reset_before": True},
            Trouble.REVOKED: {"expired_token": True},
            Trouble.LIMIT: {"status": 429, "headers": {"Retry-After": "30"}},
            Trouble.REFUSED: {"status": 400, "body": {"error": {"errors": [{"reason": "processingFailure"}]}}},
        }[what]
        times = 2 if what is Trouble.REVOKED else 1
        self.place.faults.set([{"match": {"method": "POST", "path": "comments$"}, "times": times, **fault}])

    def _payload(self, id_: str) -> bytes:
        comment = self.place.store.get("comments", id_) or {}
        return payload_of(Doc(self.place._resource(id_, comment)), comment["video"])


class TestYoutubeReplies(ReplyContract):
    source = YoutubeSource
    write: ClassVar[dict[str, str]] = {"method": "POST", "path": "/comments$"}

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return options_at(url)

    @classmethod
    @contextmanager
    def town(cls, clock: FakeClock) -> Iterator[Town]:
        place = YoutubeSandbox(sandbox_options(clock))
        with serve(place) as running:
            yield YoutubeTown(running.url, place)
