"""Webhooks of the look-alike: events as Zendesk shapes and signs them, sent in the background, tried again as Zendesk does."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
AGAIN = {409: 3, 429: 3, 503: 3, 0: 5}  # status (0: no answer in time) -> how often it is sent again
LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where events go, and the secret that signs them."""

    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event on its way; every attempt carries the same id and body, and a signature of its own."""

    id: str
    kind: str
    body: bytes
    target: Target


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending: `status` 0 is no answer."""

    at: str
    kind: str
    number: int
    status: int
    invocation: str


class Webhooks:
    """Sends in one thread of its own, in order; `stamp` gives the time for a signature, `pause` waits between attempts."""

    def __init__(self, stamp: Callable[[], str], pause: Callable[[float], None] = time.sleep) -> None:
        self._stamp = stamp
        self._pause = pause
        self._queue: SimpleQueue[Invocation | None] = SimpleQueue()
        self._open = 0
        self._quiet = Condition()
        self._thread: Thread | None = None
        self.attempts: deque[Attempt] = deque(maxlen=50)

    def send(self, invocation: Invocation) -> None:
        """Send soon; returns at once."""
        with self._quiet:
            self._open += 1
            if self._thread is None:
                self._thread = Thread(target=self._work, name="zendesk-webhooks", daemon=True)
                self._thread.start()
        self._queue.put(invocation)

    def wait(self, seconds: float = 10.0) -> bool:
        """Wait until everything is sent or given up; False where that takes longer."""
        with self._quiet:
            return self._quiet.wait_for(lambda: self._open == 0, seconds)

    def stop(self) -> None:
        """End the thread after what it sends now."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(TIMEOUT_S)
            self._thread = None

    def _work(self) -> None:
        while (invocation := self._queue.get()) is not None:
            try:
                self._deliver(invocation)
            finally:
                with self._quiet:
                    self._open -= 1
                    self._quiet.notify_all()

    def _deliver(self, invocation: Invocation) -> None:
        number, again = 1, True
        while again:
            stamp = self._stamp()
            status, wait = post(invocation, stamp)
            self.attempts.append(Attempt(stamp, invocation.kind, number, status, invocation.id))
            # A Retry-After of a minute or more is not waited for (Zendesk docs, "Webhook retries").
            again = number <= AGAIN.get(status, 0) and wait < LONGEST_WAIT_S
            number += 1
            if again:
                self._pause(wait)


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Zendesk's signature of a body (Zendesk docs, "Verifying webhook requests")."""
    return b64encode(hmac.new(secret.encode(), stamp.encode() + body, "sha256").digest()).decode()


def post(invocation: Invocation, stamp: str) -> tuple[int, float]:
    """Send once; `(status, seconds to wait before the next attempt)`, status 0 where no answer came."""
    parts = urlsplit(invocation.target.url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Zendesk Webhook",
        "X-Zendesk-Webhook-Id": "01SANDBOXWEBHOOK",
        "X-Zendesk-Webhook-Invocation-Id": invocation.id,
        "X-Zendesk-Webhook-Signature": signature(invocation.target.secret, stamp, invocation.body),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
    }
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)) as connection:
            connection.request("POST", path, invocation.body, headers)
            answer = connection.getresponse()
            answer.read(65_536)
            wait = answer.headers.get("Retry-After", "1")
    except (OSError, HTTPException):
        return 0, 1.0
    return answer.status, float(wait) if wait.isdecimal() else 1.0


def event(kind: str, *, id_: str, at: str, detail: Mapping[str, Any], change: Mapping[str, Any]) -> bytes:
    """The body of an event (Zendesk docs, "Ticket events"): `detail` is the ticket after it, `change` what happened."""
    shown = {
        "type": f"zen:event-type:ticket.{kind}",
        "account_id": 12_514_403,
        "id": id_,
        "time": at,
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{detail['id']}",
        "detail": detail,
        "event": change,
    }
    return json.dumps(shown, ensure_ascii=False).encode()
