"""What the engine lends a connector for a call: guarded HTTP, a small memory, a clock, a log; and inbound requests.

Plugins import these from `hub` or `hub.sdk.connectors`.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from hub.core.errors import ConnectorError

READS = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing at the other side (RFC 9110 9.2.1)."""
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, read whole within the size cap; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str

    def json(self) -> Any:
        """Return the body as JSON, None if it is empty or no JSON (an HTML error page)."""
        try:
            return msgspec.json.decode(self.content) if self.content else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def is_redirect(self) -> bool:
        """True if its status says that the request belongs elsewhere."""
        return self.status in _REDIRECTS

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 become U+FFFD."""
        return self.content.decode("utf-8", "replace")


class Http(ABC):
    """The one door to the network: the guard of `hub.sdk.http` behind a narrow face (tests pass a fake)."""

    @abstractmethod
    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Send one request under the policy of this connection.

        Any status is an answer. Raises Unavailable if nothing was sent or the call only read, Uncertain if a write was
        sent and no answer came, Rejected if egress rules or size caps forbid it. Never follows a redirect of a write.
        """

    def learn_secret(self, *secrets: str) -> None:  # noqa: B027 - a door that writes no log has nothing to hide
        """Hide these from logs and errors from now on: a token that was got on the way."""

    def redact_error(self, error: ConnectorError) -> None:  # noqa: B027 - the same
        """Take the connection's secrets out of an error, in place."""


class RelayHttp(Http):
    """An HTTP that sends through another one, and whose secrets that one hides; a subclass changes what goes by."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Send as the other does."""
        return self._http.send(method, url, headers=headers, content=content, timeout=timeout)

    def learn_secret(self, *secrets: str) -> None:
        """Hide these as the other does."""
        self._http.learn_secret(*secrets)

    def redact_error(self, error: ConnectorError) -> None:
        """Redact as the other does."""
        self._http.redact_error(error)


class State(ABC):
    """A connection's small durable memory (a session, a capability learnt): JSON values by name."""

    @abstractmethod
    def get(self, name: str) -> Any:
        """Return the value, None if there is none."""

    @abstractmethod
    def set(self, name: str, value: Any) -> None:
        """Keep the value, committed before the call returns."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the engine lends a connector for a call."""

    connection: str
    http: Http
    now: Callable[[], datetime]
    state: State
    log: logging.Logger | logging.LoggerAdapter[logging.Logger] = field(
        default_factory=lambda: logging.getLogger("hub.plugin")
    )
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An inbound request, raw: header names are lower case, `url` is the public one, `body` the exact bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
