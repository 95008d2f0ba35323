"""What a look-alike sends of its own accord (webhooks, messages): beside its handlers, in order, again as its vendor does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import count
from queue import SimpleQueue
from threading import Condition, Thread
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
_KEPT = 50
_MOST_READ = 65_536


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending: `number` counts from 1, `status` 0 is no answer, header names are lower case."""

    kind: str
    at: datetime
    number: int
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Event:
    """A request on its way: `compose(number)` gives headers and body of an attempt, as each has a signature of its own.

    `again` tells how many seconds after an attempt the next one follows, None if none does.
    """

    kind: str
    url: str
    compose: Callable[[int], tuple[Mapping[str, str], bytes]]
    again: Callable[[Attempt], float | None]


class Teller:
    """Sends events in one thread of its own, in order; `attempts` are the last ones, `pause` waits between two of them."""

    def __init__(self, now: Callable[[], datetime], pause: Callable[[float], None] = time.sleep) -> None:
        self.now = now
        self.pause = pause
        self.attempts: deque[Attempt] = deque(maxlen=_KEPT)
        self._queue: SimpleQueue[Event | None] = SimpleQueue()
        self._open = 0
        self._quiet = Condition()
        self._thread: Thread | None = None

    def send(self, event: Event) -> None:
        """Send soon; returns at once."""
        with self._quiet:
            self._open += 1
            if self._thread is None:
                self._thread = Thread(target=self._work, name="sandbox-events", daemon=True)
                self._thread.start()
        self._queue.put(event)

    def wait(self, seconds: float = TIMEOUT_S) -> bool:
        """Wait until everything is sent or given up; False if that takes longer."""
        with self._quiet:
            return self._quiet.wait_for(lambda: self._open == 0, seconds)

    def stop(self) -> None:
        """End the thread after what it has to send."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(TIMEOUT_S)
            self._thread = None

    def _work(self) -> None:
        while (event := self._queue.get()) is not None:
            try:
                self._tell(event)
            finally:
                with self._quiet:
                    self._open -= 1
                    self._quiet.notify_all()

    def _tell(self, event: Event) -> None:
        for number in count(1):
            attempt = _post(event, number, self.now())
            self.attempts.append(attempt)
            if (wait := event.again(attempt)) is None:
                return
            self.pause(wait)


def _post(event: Event, number: int, at: datetime) -> Attempt:
    """Send once."""
    parts, (headers, body) = urlsplit(event.url), event.compose(number)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)) as connection:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Attempt(event.kind, at, number, answer.status, told, answer.read(_MOST_READ))
    except (OSError, HTTPException, ValueError):  # a port that is no number is a ValueError
        return Attempt(event.kind, at, number)
