"""The contract, in a few lines: what the engine may rely on."""

from datetime import datetime
from typing import Any, ClassVar

from hubbub_echo.destination import EchoDestination
from hubbub_echo.sandbox import EchoSandbox
from hubbub_echo.source import EchoSource

from hub.testkit.contracts import DestinationContract, Sample, SourceContract, StreamsContract


class TestEchoSource(SourceContract):
    source = EchoSource
    options: ClassVar = {"url": "https://echo.example", "token": "sandbox-token"}

    @classmethod
    def samples(cls) -> list[bytes]:
        return [b'{"id": 7, "name": "Ana", "text": "Lovely echo", "written": "2026-11-01T10:00:00Z"}']


class TestEchoStreams(StreamsContract):
    source = EchoSource
    page = 2

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"url": url, "token": "sandbox-token"}

    def add(self, place: EchoSandbox, text: str) -> int:
        return self.add_at(place, text, place.now())

    def add_at(self, place: EchoSandbox, text: str, at: datetime) -> int:
        id_ = place.store.count("entries") + 1
        entry = {"id": id_, "name": "Ana", "text": text, "written": at.isoformat()}
        place.store.put("entries", str(id_), entry)
        return id_


class TestEchoDestination(DestinationContract):
    destination = EchoDestination
    samples = (Sample("note", "upsert", lambda n: {"text": f"note {n}", "number": n}, write={"method": "PUT"}),)

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"url": url, "token": "sandbox-token"}
