"""A polling source on its stage: the look-alike that it reads, the way there with its faults, and the engine's part by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar

from hub.sdk.connectors import Connector, PollingSource
from hub.sdk.http import open_guard
from hub.testkit.contracts.manners import ConnectorContract
from hub.testkit.contracts.means.reader import Pulled, Reader, text_of
from hub.testkit.contracts.means.witness import (
    Witness,
    watching,
)
from hub.testkit.fakes import FakeClock, FaultyHttp
from hub.testkit.sandbox import Answer, Call, Sandbox, SandboxOptions, serve

Fault = Mapping[str, Any]
WAIT = 120
"""Seconds that a network asks us to wait."""
_HTML = "<!doctype html><title>Sign in</title>"
_HOSTILE = '<p>Hello <b>{}</b> &amp; all</p><script>alert(1)</script><img src=x onerror="alert(2)"><style>p{{}}</style>'

OUTAGES: Mapping[str, Fault] = {
    "500": {"status": 500, "body": _HTML},
    "502 of a proxy": {"status": 502, "body": "<h1>Bad Gateway</h1>"},
    "503": {"status": 503, "body": {"error": "down"}},
    "no answer in time": {"latency_ms": 60_000},
    "a reset": {"reset_after": True},
}
"""What a network that is down does."""

ODD: Mapping[str, Fault] = {
    "an empty body": {"garble": "empty"},
    "a page for people": {"garble": "html"},
    "an answer that is cut": {"garble": "cut"},
    "null": {"garble": "null"},
    "204": {"status": 204},
    "a number": {"status": 200, "body": 7},
    "an error with status 200": {"status": 200, "body": {"error": {"message": "try later"}}},
}
"""Answers of success that say nothing about new items."""

REFUSALS: Mapping[str, Fault] = {
    "refused credentials": {"expired_token": True},
    "401": {"status": 401, "body": {"error": "unauthorised"}},
    "403": {"status": 403, "body": {"error": "forbidden"}},
    "429": {"status": 429, "headers": {"Retry-After": "7"}},
}
"""Answers that refuse."""

SPOILT: Mapping[str, Fault] = {
    "an empty list": {"garble": "list"},
    "an empty object": {"garble": "object"},
    "one item empty": {"garble": "blank"},
    "one item null": {"garble": "holes"},
}
"""Answers that may be believed for the moment; what they leave out comes later."""


@dataclass
class Watch:
    """A source under contract: `place` is the look-alike that it reads, `line` the way there, `seen` its witness."""

    place: Any
    reader: Reader
    line: FaultyHttp
    clock: FakeClock
    seen: Witness
    fresh: Callable[[], Reader]

    @property
    def source(self) -> PollingSource[Any]:
        """The source."""
        return self.reader.source

    def requests(self) -> int:
        """Return how many requests were made so far."""
        return len(self.line.requests)


class WatchSuite(ConnectorContract):
    """What all tests of a polling source stand on: the author's part, and the engine's part by hand."""

    source: ClassVar[type[PollingSource[Any]]]
    page: ClassVar[int] = 20
    pause: ClassVar[timedelta | None] = None
    precision: ClassVar[timedelta] = timedelta(seconds=1)
    backfills: ClassVar[bool] = True
    steady_cursor: ClassVar[bool] = True
    tells_first_time: ClassVar[bool] = True
    keys_in_addresses: ClassVar[bool] = False
    names_next: ClassVar[bool] = False
    reaches_anywhere: ClassVar[bool] = False
    most_cursor: ClassVar[int] = 16_384
    calls_when_refused: ClassVar[int] = 8
    gone_words: ClassVar[frozenset[str]] = frozenset()
    far_apart: ClassVar[timedelta | None] = timedelta(days=30)

    # ------------------------------------------------------------------------------------------------- for the author

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        """Return options of a connection to the look-alike at `url`."""
        raise TypeError(f"the contract of a polling source needs options for {url}")

    def add(self, place: Any, text: str) -> Any:
        """Let a person say `text` there, now; gives what `edit` and `delete` take."""
        raise TypeError(f"the contract of a polling source needs `add`, which says {text!r} in {place!r}")

    def edit(self, place: Any, item: Any, text: str) -> None:
        """Change what was said, where a poll of this source can see it."""
        raise TypeError(f"not to be called: {place} {item} {text}")

    def delete(self, place: Any, item: Any) -> None:
        """Take back what was said, for sources that `recheck`."""
        raise TypeError(f"not to be called: {place} {item}")

    def add_html(self, place: Any, html: str) -> Any:
        """Add an item whose body is this HTML, if bodies are HTML."""
        raise TypeError(f"not to be called: {place} {html}")

    def add_at(self, place: Any, text: str, at: datetime) -> Any:
        """Add an item that shows up now and bears another time, where its author may claim one."""
        raise TypeError(f"not to be called: {place} {text} {at}")

    def add_reply(self, place: Any, text: str, to: Any) -> Any:
        """Let another person answer the item `to`, now, if this source reads answers."""
        raise TypeError(f"not to be called: {place} {text} {to}")

    def touch(self, place: Any, item: Any) -> None:
        """Do what changes an item and is no edit (a like), if the source leaves that out of its payloads."""
        raise TypeError(f"not to be called: {place} {item}")

    def use_up(self, place: Any) -> None:
        """Let the network refuse all that follows because a day's quota is used up, in its own words."""
        raise TypeError(f"not to be called: {place}")

    def reset_headers(self, at: datetime) -> Mapping[str, str]:
        """Return the headers by which this network says when its next window begins, beside Retry-After."""
        raise TypeError(f"not to be called: {at}")

    @classmethod
    def sandbox_options(cls, clock: FakeClock) -> SandboxOptions:
        """Return what the sandbox is built with; its token is "sandbox-token"."""
        return SandboxOptions(clock=clock)

    @contextmanager
    def look_alike(self, clock: FakeClock) -> Iterator[tuple[str, Any]]:
        """Serve the network's look-alike, which goes by this clock; gives its address and what `add` takes."""
        module, _, name = self.source.sandbox.partition(":")
        assert name, f"{self.source.__name__} names no sandbox: set `sandbox`, or override `look_alike`"
        with serve(getattr(import_module(module), name)(self.sandbox_options(clock))) as running:
            yield running.url, running.sandbox

    # ---------------------------------------------------------------------------------------------------- the stage

    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        """Return the source."""
        return cls.source

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """Return options for a server that is not asked."""
        return dict(cls.options("http://127.0.0.1:9"))

    def make(self, options: Any) -> PollingSource[Any]:
        """Return a source; override it if it takes more than its options."""
        return self.source(options)

    @contextmanager
    def play(self) -> Iterator[Watch]:
        """Give a look-alike with nothing new in it, and a source that has never asked (or once, if it does not back-fill)."""
        clock = FakeClock()
        with self.look_alike(clock) as (url, place):
            options = self.source.Options.model_validate(dict(self.options(url)))
            hosts = self.make(options).egress()
            with open_guard(hosts, allow_private=True, sleep=clock.sleep, clock=_seconds(clock)) as guard:
                line = FaultyHttp(guard, refused=_refusing(place), limited=_limiting(place))
                with watching(clock) as seen:

                    def fresh() -> Reader:
                        reader = Reader(lambda: self.make(options), line, clock)
                        if not self.backfills:
                            reader.poll()
                        return reader

                    yield Watch(place, fresh(), line, clock, seen, fresh)

    def say(self, watch: Watch, *numbers: int, seconds: float = 60) -> list[Any]:
        """Add items with these numbers, so many seconds apart."""
        items = []
        for number in numbers:
            watch.clock.advance(seconds)
            items.append(self.add(watch.place, text_of(number)))
        return items

    def ready(self, watch: Watch) -> None:
        """Wait until the next poll is due, after a failed one too."""
        watch.clock.advance((self.pause or self.source.interval).total_seconds() + 1)

    def poll(self, watch: Watch, reader: Reader | None = None) -> Pulled:
        """Poll once it is due; an error fails the test."""
        self.ready(watch)
        pulled = (reader or watch.reader).poll()
        assert pulled.error is None, f"a poll on a good day raises {pulled.error!r}"
        return pulled

    def falter(self, watch: Watch, reader: Reader, fault: Fault, *, after: int) -> Pulled:
        """Poll once it is due, and meet a fault at one call, after so many that went well; the next poll meets none."""
        self.ready(watch)
        watch.line.set_faults({**fault, "after": after, "times": 1})
        pulled = reader.poll()
        watch.line.set_faults()
        return pulled

    def assert_all(self, reader: Reader, numbers: Iterable[int]) -> None:
        """Check that each number was heard, under one key."""
        heard, wanted = reader.heard(), list(numbers)
        lost = [number for number in wanted if number not in heard]
        assert not lost, (
            f"lost: items {_some(lost)} of {len(wanted)}. A page's cursor must never stand before items that were not yet "
            "given, and a failed call must raise"
        )
        doubled = [number for number in wanted if len(heard[number]) > 1]
        assert not doubled, f"items {_some(doubled)} have more than one key: their keys must not depend on the fetch"


def _seconds(clock: FakeClock) -> Callable[[], float]:
    def seconds() -> float:
        return clock.at.timestamp()

    return seconds


def _refusing(place: Any) -> Callable[[], Answer]:
    """Return the look-alike's own 401 if it has one."""
    if isinstance(place, Sandbox):
        return lambda: place.unauthorised(_call())
    return lambda: Answer(401, {"error": "invalid_token", "message": "the credentials are not valid"})


def _limiting(place: Any) -> Callable[[], Answer]:
    if isinstance(place, Sandbox):
        return lambda: place.limited(_call(), WAIT)
    return lambda: Answer(429, {"error": "too_many_requests"}, {"Retry-After": str(WAIT)})


def _call() -> Call:
    return Call("GET", "/", {}, {}, b"")


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (" ..." if len(numbers) > 8 else "")
