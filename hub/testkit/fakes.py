"""Fakes of what the engine lends a connector: HTTP from a script or with faults, a memory, a clock, a context."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hub.core.errors import ConnectorError
from hub.sdk.connectors import Context, Http, HttpResponse, State
from hub.sdk.context import RelayHttp
from hub.sdk.http.errors import unanswered
from hub.testkit.sandbox.exchange import BAD_GATEWAY
from hub.testkit.sandbox.exchange import Answer as Said
from hub.testkit.sandbox.faults import GARBLES, Fault, Faults, FaultsOfCall

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
        """Return the body as JSON; raises msgspec.DecodeError if it is none."""
        return msgspec.json.decode(self.content or b"")


def answer(
    status: int = 200,
    json: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> HttpResponse:
    """Return an answer: `content` as it is, else `json` encoded; its `url` is filled in by `FakeHttp`."""
    named = _lower(headers)
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
        named = _lower(headers)
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


class Runaway(BaseException):
    """A connector that makes calls without end; no exception that it could catch by mistake."""


def _refused() -> Said:
    return Said(401, {"error": "invalid_token", "message": "the credentials are not valid"})


def _limited() -> Said:
    return Said(429, {"error": "too_many_requests"}, {"Retry-After": "120"})


class FaultyHttp(RelayHttp):
    """Another HTTP with faults on the way (`hub.testkit.sandbox.faults`), for servers that inject none of their own.

    `requests` holds what was sent. A broken connection and `latency_ms` (no answer in time, at once) raise what the guard
    would: Unavailable for a read, Uncertain for a write. While `stuck` every request gets the answer that the first one of
    its path got: a server that ignores the position it is given. More than `most` requests raise Runaway. `after` is called
    behind each answer: what happens at the network between two requests.
    """

    def __init__(
        self,
        http: Http,
        *,
        refused: Callable[[], Said] = _refused,
        limited: Callable[[], Said] = _limited,
        most: int = 1_000,
    ) -> None:
        super().__init__(http)
        self.faults = Faults()
        self.requests: list[SentRequest] = []
        self.most = most
        self.after: Callable[[], None] | None = None
        self._refused, self._limited = refused, limited
        self._first: dict[str, HttpResponse] | None = None

    @property
    def stuck(self) -> bool:
        """True while each path gives its first answer again."""
        return self._first is not None

    @stuck.setter
    def stuck(self, stuck: bool) -> None:
        """Let each path give the answer that it gives next, or go on as it was."""
        self._first = {} if stuck else None

    def set_faults(self, *faults: Fault | Mapping[str, Any]) -> None:
        """Replace the faults; without any the way is clear."""
        self.faults.set(faults)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Send the request, or do what the faults say."""
        self.requests.append(SentRequest(method, url, _lower(headers), content, timeout))
        if len(self.requests) > self.most:
            raise Runaway(f"more than {self.most} requests, the last was {method} {url}")
        trouble = self.faults.draw(method, urlsplit(url).path)
        lost = f"{method} {urlsplit(url).netloc}: no answer"
        if trouble.reset_before or trouble.latency_ms:
            raise unanswered(method, lost, code="timeout")
        if (said := self._early(trouble)) is not None:
            return _response(said, url)
        answer = self._ask(method, url, headers=headers, content=content, timeout=timeout)
        if self.after:
            self.after()
        if trouble.reset_after:
            raise unanswered(method, lost, code="timeout")
        if trouble.fails_after:
            return _response(BAD_GATEWAY, url)
        if trouble.garble:
            return replace(answer, content=GARBLES[trouble.garble](answer.content))
        return answer

    def _early(self, trouble: FaultsOfCall) -> Said | None:
        """Return the answer that a fault gives in the server's place."""
        if trouble.limited:
            return self._limited()
        if trouble.expired_token:
            return self._refused()
        if (fault := trouble.answer) is not None:
            return Said(fault.status or 500, fault.body, fault.headers)
        return None

    def _ask(self, method: str, url: str, **more: Any) -> HttpResponse:
        if self._first is None:
            return super().send(method, url, **more)
        path = f"{method} {urlsplit(url).path}"
        if path not in self._first:
            self._first[path] = super().send(method, url, **more)
        return self._first[path]


def _response(said: Said, url: str) -> HttpResponse:
    body, kind = said.encode()
    headers = {"content-type": kind} if kind else {}
    return HttpResponse(said.status, headers | _lower(said.headers), body, url)


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


class MemoryState(State):
    """A connection's memory in a dict; values go through JSON, as in the real one."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = {name: msgspec.json.encode(value) for name, value in (values or {}).items()}

    def get(self, name: str) -> Any:
        """Return the value, None if there is none."""
        found = self._values.get(name)
        return None if found is None else msgspec.json.decode(found)

    def set(self, name: str, value: Any) -> None:
        """Keep the value; raises TypeError if it is no JSON."""
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
        """Stand in for `time.sleep`: takes no time, moves the clock."""
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
    """Return a context for one call: no answers, an empty memory and a `FakeClock` unless given."""
    return Context(
        connection=connection,
        http=http or FakeHttp(),
        now=clock or FakeClock(),
        state=state or MemoryState(),
        public_url=public_url,
    )
