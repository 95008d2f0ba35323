"""The contract: what the engine may rely on, on hostile payloads and against the look-alike."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

from hubbub_echo.destination import EchoDestination
from hubbub_echo.inbound import SCHEME
from hubbub_echo.sandbox import OURS, EchoSandbox
from hubbub_echo.source import EchoSource

from hub import Request
from hub.testkit.contracts import ReplyContract, ReturnsContract, Sample, SourceContract, StreamsContract
from hub.testkit.contracts.replies import Town, Trouble
from hub.testkit.contracts.returns import Told
from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import SandboxOptions, serve

AT = "2026-11-01T10:00:00Z"
ENTRY = {"id": "7", "name": "Ana", "text": "Lovely echo", "written": AT, "changed": AT, "version": 1, "answers": "6"}
STATE = {"what": "state", "id": "e1", "note": "4", "state": "done", "by": "kim", "at": AT}
OPTIONS = {"token": "sandbox-token", "webhook_secret": "s3cret"}


def empty(clock: FakeClock) -> SandboxOptions:
    """Return the options of a guest book without entries."""
    return SandboxOptions(clock=clock, extra={"empty": True})


class TestEchoSource(SourceContract):
    source = EchoSource
    options: ClassVar = {"url": "https://echo.example", **OPTIONS}

    @classmethod
    def samples(cls) -> list[bytes]:
        return [json.dumps(ENTRY).encode()]


class TestEchoStreams(StreamsContract):
    source = EchoSource
    page = 2

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"url": url, **OPTIONS}

    def add(self, place: EchoSandbox, text: str) -> str:
        return place.say("Cleo", text)

    def edit(self, place: EchoSandbox, item: str, text: str) -> None:
        place.edit(item, text)

    def delete(self, place: EchoSandbox, item: str) -> None:
        place.delete(item)


class EchoTown(Town):
    """The guest book as the contract of replies plays it."""

    def __init__(self, url: str, book: EchoSandbox) -> None:
        self.url = url
        self.book = book

    def call_us(self, text: str, *, private: bool = False) -> bytes:
        if private:
            raise LookupError("everything is public here")
        return self._payload(self.book.say("Cleo", text))

    def answers(self) -> Sequence[bytes]:
        found = (id_ for id_, entry in self.book.store.all("entries") if entry["name"] == OURS)
        return [self._payload(id_) for id_ in sorted(found, key=int)]

    def delete(self, payload: bytes) -> None:
        self.book.delete(json.loads(payload)["id"])

    def suspend(self, payload: bytes) -> None:
        self.book.hide(json.loads(payload)["id"])

    def go_down(self) -> None:
        self.book.faults.set([{"status": 503}])

    def trouble(self, what: Trouble) -> None:
        fault = {
            Trouble.LOST: {"reset_after": True},
            Trouble.CUT: {"reset_before": True},
            Trouble.REVOKED: {"status": 401, "body": {"error": "who are you?"}},
            Trouble.LIMIT: {"status": 429, "headers": {"Retry-After": "30"}},
            Trouble.REFUSED: {"status": 422, "body": {"error": "mind your words"}},
        }[what]
        self.book.faults.set([{"match": {"method": "POST"}, "times": 1, **fault}])

    def _payload(self, id_: str) -> bytes:
        return json.dumps(self.book.store.get("entries", id_)).encode()


class TestEchoReplies(ReplyContract):
    source = EchoSource

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"url": url, **OPTIONS}

    @classmethod
    @contextmanager
    def town(cls, clock: FakeClock) -> Iterator[Town]:
        book = EchoSandbox(empty(clock))
        with serve(book) as running:
            yield EchoTown(running.url, book)


class TestEchoDestination(ReturnsContract):
    destination = EchoDestination
    samples = (Sample("note", "upsert", lambda n: {"text": f"note {n}", "number": n}, write={"method": "PUT"}),)
    told = (Told("a note is done", json.dumps(STATE).encode(), (("status", "done"),)),)

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"url": url, **OPTIONS}

    def sign(self, body: bytes, at: datetime, key: str = "s3cret") -> Request:
        stamp = at.isoformat()
        headers = {"x-echo-time": stamp, "x-echo-signature": SCHEME.sign(stamp.encode() + body, key)}
        return Request("POST", "https://hub.example/in/notes", headers, body, at)

    def words(self, sample: Sample, number: int) -> list[str]:
        return [f"note {number}"]
