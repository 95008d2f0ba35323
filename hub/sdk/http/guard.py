"""The guard: every request of a connection under one policy, whatever client library asks for it."""

from __future__ import annotations

import functools
import logging
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore

from hub.core.errors import ConnectorError, RateLimited, Rejected, Unavailable
from hub.sdk.connectors import Http, HttpResponse
from hub.sdk.http.body import BrokenBody
from hub.sdk.http.egress import Egress
from hub.sdk.http.errors import retry_after, unanswered
from hub.sdk.http.logs import ConnectionLog
from hub.sdk.http.message import Message, checked, parse_url, read_answer, redirected
from hub.sdk.http.network import Deadline, GuardedBackend
from hub.sdk.http.pace import Pace
from hub.sdk.http.redaction import Redactor

log = logging.getLogger("hub.http")

_MOST_REDIRECTS = 5
_REPEATABLE = frozenset(("GET", "HEAD"))
_PASSING = frozenset((502, 503, 504))
_FIRST_PAUSE = 0.2
_MOST_CONNECTIONS = 20
_IDLE_SECONDS = 15.0
# Nothing of the request was sent: any method may try again.
_UNSENT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.ProxyError)
_DROPPED = (httpcore.NetworkError, httpcore.RemoteProtocolError, BrokenBody)


@dataclass(frozen=True)
class Policy:
    """How a guard behaves.

    `timeout`: seconds one exchange may last in all, `connect_timeout` the connecting; `max_bytes`: decoded size of a body;
    `retries`: further tries inside one call, begun within `retry_seconds`; `proxy`: URL of a plain forward proxy;
    `tls`: another context than the public certificate authorities'; `longest_pause`: seconds that a request waits here for its
    turn; one that would have to wait longer is not sent.
    """

    timeout: float = 30.0
    connect_timeout: float = 5.0
    max_bytes: int = 32 * 1024 * 1024
    retries: int = 2
    retry_seconds: float = 10.0
    proxy: str | None = None
    tls: ssl.SSLContext | None = None
    longest_pause: float = 2.0


class Guard(Http):
    """One connection's door to the network: keeps connections alive, may be used by many threads. Close it at the end.

    `pace`, if set, says when each request may leave.
    """

    def __init__(
        self,
        egress: Egress,
        policy: Policy,
        *,
        redactor: Redactor | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.policy = policy
        self.pace: Pace | None = None
        self._egress = egress
        self._redactor = redactor or Redactor()
        self._clock, self._sleep = clock, sleep
        self._deadline = Deadline(clock)
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._pool = _open_pool(egress, policy, self._deadline)

    # ------------------------------------------------------------------------------------------------------- for all

    @property
    def calls(self) -> Mapping[str, int]:
        """Return how many requests have been sent by method, redirects and repeats included."""
        with self._lock:
            return dict(self._calls)

    def redact(self, text: str) -> str:
        """Return `text` without the connection's secrets and without credentials in headers, URLs and JSON."""
        return self._redactor.redact(text)

    def redact_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return headers fit for a log."""
        return self._redactor.redact_headers(headers)

    def redact_error(self, error: ConnectorError) -> None:
        """Take secrets out of an error's message, code, field and details, in place."""
        self._redactor.redact_error(error)

    def log(self, logger: logging.Logger, connection: str) -> ConnectionLog:
        """Return a log for the connection whose lines pass the same redactor."""
        return ConnectionLog(logger, connection, self._redactor)

    def learn_secret(self, *secrets: str) -> None:
        """Redact these too from now on: a token that was got on the way."""
        self._redactor.learn_minted(*secrets)

    def too_early(self) -> float:
        """Return the seconds until the pace lets a request out; 0.0 if a request would simply wait its turn in `send`."""
        ahead = self.pace.ahead() if self.pace else 0.0
        return ahead if ahead > self.policy.longest_pause else 0.0

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Send one request under the policy; `timeout` in seconds for each exchange. See `Http.send` for what is raised.

        A GET or HEAD follows up to five redirects, each checked as the first was.
        """
        try:
            return self._follow(checked(method, url, headers, content=content), timeout or self.policy.timeout)
        except ConnectorError as error:
            self.redact_error(error)
            raise

    # ------------------------------------------------------------------------------------------------------ one hop

    def _follow(self, message: Message, timeout: float) -> HttpResponse:
        for _ in range(_MOST_REDIRECTS + 1):
            self._egress.check(message.url)
            if self.policy.proxy:
                self._egress.check_literal(message.url.host)
            answer = self._try(message, timeout)
            onward = redirected(message, answer)
            if onward is None:
                return answer
            message = onward
        raise Rejected(f"more than {_MOST_REDIRECTS} redirects, the last to {message.url.host}", code="egress")

    def _try(self, message: Message, timeout: float) -> HttpResponse:
        """Exchange, again if that is harmless, as long as count and seconds last."""
        end = self._clock() + self.policy.retry_seconds
        repeat, pause = 0, _FIRST_PAUSE
        while True:
            try:
                answer = self._exchange(message, timeout)
            except Unavailable as error:
                again = error.code == "connect" or (error.code == "dropped" and message.method in _REPEATABLE)
                if not again or not self._may_pause(pause, repeat, end):
                    raise
            else:
                pause = max(pause, retry_after(answer.headers) or 0.0)
                passing = message.method in _REPEATABLE and answer.status in _PASSING
                if not passing or not self._may_pause(pause, repeat, end):
                    return answer
            self._sleep(pause)
            repeat, pause = repeat + 1, _FIRST_PAUSE * 2 ** (repeat + 1)

    def _may_pause(self, pause: float, repeat: int, end: float) -> bool:
        return repeat < self.policy.retries and self._clock() + pause < end

    def _exchange(self, message: Message, timeout: float) -> HttpResponse:
        """Send one request and return its answer, or raise the error that says how much is known."""
        self._await_turn(message)
        with self._lock:
            self._calls[message.method] += 1
        began = self._clock()
        self._deadline.start(timeout)
        try:
            answer = self._send_once(message, timeout)
        except _UNSENT as error:
            raise Unavailable(_said(message, "cannot connect", error), code="connect") from error
        except httpcore.TimeoutException as error:
            text = f"{message.where}: no answer within {timeout:g} s"
            raise unanswered(message.method, text, code="timeout") from error
        except _DROPPED as error:
            text = f"{message.where}: the connection broke ({error})"
            raise unanswered(message.method, text, code="dropped") from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise Rejected(_said(message, "not a request that can be sent", error), code="request") from error
        if self.pace:
            self.pace.tell(answer.status, answer.headers)
        log.debug("%s: %s in %.3f s", self.redact(message.server), answer.status, self._clock() - began)
        return answer

    def _await_turn(self, message: Message) -> None:
        """Sleep until the pace lets the request out; raises RateLimited (code "paced") if that would take too long."""
        left = self.policy.longest_pause
        while self.pace:
            slot = self.pace.reserve(left)
            if slot.wait > left:
                said = f"{message.where}: not sent, its turn is in {slot.wait:.1f} s by the connection's pace"
                raise RateLimited(said, retry_after=slot.wait, code="paced")
            if slot.wait > 0:
                self._sleep(slot.wait)
            left -= slot.wait
            if slot.kept:
                return

    def _send_once(self, message: Message, timeout: float) -> HttpResponse:
        connect = min(timeout, self.policy.connect_timeout)
        waits = {"connect": connect, "read": timeout, "write": timeout, "pool": timeout}
        with self._pool.stream(
            message.method,
            message.wire_url(),
            headers=message.wire_headers(),
            content=message.content,
            extensions={"timeout": waits},
        ) as response:
            return read_answer(message, response, limit=self.policy.max_bytes)


def _said(message: Message, what: str, error: Exception) -> str:
    return f"{message.where}: {what}" + (f" ({error})" if str(error) else "")


def _open_pool(egress: Egress, policy: Policy, deadline: Deadline) -> httpcore.ConnectionPool:
    shared: dict[str, Any] = {
        "ssl_context": policy.tls or _default_tls(),
        "max_connections": _MOST_CONNECTIONS,
        "keepalive_expiry": _IDLE_SECONDS,
    }
    if policy.proxy is None:
        return httpcore.ConnectionPool(network_backend=GuardedBackend(egress, deadline), **shared)
    url = parse_url(policy.proxy)
    login = (url.username, url.password) if url.userinfo else None
    place = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
    return httpcore.HTTPProxy(place, proxy_auth=login, network_backend=GuardedBackend(None, deadline), **shared)


@functools.cache
def _default_tls() -> ssl.SSLContext:
    """Return one context for the process: reading the root certificates takes a while."""
    return httpcore.default_ssl_context()


def open_guard(
    hosts: Sequence[str] = ("*",),
    *,
    allow_private: bool | Sequence[str] = False,
    timeout: float = Policy.timeout,
    max_bytes: int = Policy.max_bytes,
    proxy: str | None = None,
    secrets: Iterable[str] = (),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Guard:
    """Return a guard for one connection.

    `hosts` and `allow_private` are read by `Egress`; `timeout`, `max_bytes` and `proxy` by `Policy` (a proxy resolves names
    itself, so only literal addresses are then checked here; proxies of the environment are never read); `secrets` are
    hidden in errors and logs; `clock` counts seconds. For more, build a `Guard` from an `Egress` and a `Policy`.
    """
    # httpcore logs whole header lists at debug level, cookies and all.
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    return Guard(
        Egress(hosts, allow_private=allow_private),
        Policy(timeout=timeout, max_bytes=max_bytes, proxy=proxy),
        redactor=Redactor(secrets),
        clock=clock,
        sleep=sleep,
    )


__all__ = ["Guard", "Policy", "open_guard"]
