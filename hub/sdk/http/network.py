"""Connections: made to checked addresses only, and every wait on them bounded by the deadline of the request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from ssl import SSLContext
from typing import Any

import httpcore

from hub.sdk.http.egress import Egress

_SocketOption = Any


class Deadline(threading.local):
    """When the request of the current thread must have ended; a request is handled by one thread from start to end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at: float | None = None

    def start(self, seconds: float) -> None:
        """Begin a request that may last `seconds` in all."""
        self._at = self._clock() + seconds

    def left(self, timeout: float | None) -> float | None:
        """Return the shorter of `timeout` and what is left, 0 if nothing is."""
        if self._at is None:
            return timeout
        rest = max(0.0, self._at - self._clock())
        return rest if timeout is None else min(timeout, rest)


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to addresses that the egress rules admit; behind a proxy (`egress` None) to the proxy only."""

    def __init__(self, egress: Egress | None, deadline: Deadline) -> None:
        self._egress = egress
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(  # noqa: PLR0917 - the signature is httpcore's
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first admitted address that answers; the name itself is never given to the system again."""
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            wait = self._deadline.left(timeout)
            if wait == 0:
                raise httpcore.ConnectTimeout(f"no connection to {host} in time")
            try:
                stream = self._sockets.connect_tcp(address, port, wait, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return BoundedStream(stream, self._deadline)
        raise last

    def _addresses(self, host: str, port: int) -> Iterable[str]:
        if self._egress is None:
            return [host]
        try:
            return self._egress.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error


class BoundedStream(httpcore.NetworkStream):
    """A connection on which no wait outlasts the deadline, so that a server that drips bytes gains nothing."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come, within the deadline."""
        wait = self._deadline.left(timeout)
        if wait == 0:
            raise httpcore.ReadTimeout("the answer took too long")
        return self._stream.read(max_bytes, wait)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all, within the deadline."""
        wait = self._deadline.left(timeout)
        if wait == 0:
            raise httpcore.WriteTimeout("sending took too long")
        self._stream.write(buffer, wait)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Speak TLS from here on; the certificate is checked against the host's name, not its address."""
        wait = self._deadline.left(timeout) or 0.001
        return BoundedStream(self._stream.start_tls(ssl_context, server_hostname, wait), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks about the socket."""
        return self._stream.get_extra_info(info)
