"""Fakes of what the engine lends a connector: HTTP that answers from a script, a memory, a clock, a context."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from hub.core.errors import ConnectorError
from hub.sdk.connectors import Context, Http, HttpResponse, State

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request that a connector sent through `FakeHttp`; header names are lower case."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    timeout: float | None = None

    def json(self) -> Any:
        """The body as JSON; raises msgspec.DecodeError where it is none."""
        return msgspec.json.decode(self.content or b"")


def answer(
    status: int = 200,
    json: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> HttpResponse:
    """An answer: `content` as it is, else `json` encoded; its `url` is filled in by `FakeHttp`."""
    named = {name.lower(): value for name, value in (headers or {}).items()}
    if content is None:
        content = b"" if json is None else msgspec.json.encode(json)
        named.setdefault("content-type", "application/json")
    return HttpResponse(status, named, content, "")


Answer = HttpResponse | ConnectorError
Script = Iterable[Answer] | Callable[[str, str, Mapping[str, str], bytes | None], Answer]


class FakeHttp(Http):
    """HTTP without a network: `requests` holds what was sent, `secrets` what is to be hidden, `answers` what comes back.

    `answers` is a list taken one by one (a request past its end fails the test), or a function of
    `(method, url, headers, content)`. An answer that is a ConnectorError is raised.
    """

    def __init__(self, answers: Script = ()) -> None:
        self.requests: list[SentRequest] = []
        self.secrets: list[str] = []
        self._ask = answers if callable(answers) else None
        self._left = iter(()) if callable(answers) else iter(answers)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Record the request and give the scripted answer."""
        named = {name.lower(): value for name, value in (headers or {}).items()}
        self.requests.append(SentRequest(method, url, named, content, timeout))
        found = self._ask(method, url, named, content) if self._ask else next(self._left, None)
        if found is None:
            raise AssertionError(f"no answer is left for {method} {url}")
        if isinstance(found, ConnectorError):
            raise found
        return found if found.url else HttpResponse(found.status, found.headers, found.content, url)

    def learn_secret(self, *secrets: str) -> None:
        """Remember what is to be hidden."""
        self.secrets += secrets


class MemoryState(State):
    """A connection's memory in a dict; values go through JSON, as in the real one."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = {name: msgspec.json.encode(value) for name, value in (values or {}).items()}

    def get(self, name: str) -> Any:
        """The value, None where there is none."""
        found = self._values.get(name)
        return None if found is None else msgspec.json.decode(found)

    def set(self, name: str, value: Any) -> None:
        """Keep the value; raises TypeError where it is no JSON."""
        self._values[name] = msgspec.json.encode(value)


class FakeClock:
    """A clock that moves only when it is told to; calling it gives the time, `sleep` moves it and is recorded."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self.at += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        """Stand-in for `time.sleep`: takes no time, moves the clock."""
        self.slept.append(seconds)
        self.advance(seconds)


def context(
    http: Http | None = None,
    *,
    clock: Callable[[], datetime] | None = None,
    state: State | None = None,
    connection: str = "test",
    public_url: str | None = None,
) -> Context:
    """A context for one call: no answers, an empty memory and a `FakeClock` unless given."""
    return Context(
        connection=connection,
        http=http or FakeHttp(),
        now=clock or FakeClock(),
        state=state or MemoryState(),
        public_url=public_url,
    )
