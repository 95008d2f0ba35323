"""uvicorn's HTTP protocol within limits: of time, header, pipelined requests, and the rest of a body that was refused."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Literal

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hub.web.gate import Gate

Reading = Literal["", "header", "body"]
REASONS = {400: "Bad request.", 408: "The request did not come in time.", 431: "The header is too large."}


class Oversized(Exception):
    """A header is too large, or too many requests were sent at once."""


class HeldProtocol(HttpToolsProtocol):
    """One connection. `gate` is set on a subclass of each process (`hold`)."""

    gate: ClassVar[Gate]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place; the first header must come in time."""
        super().connection_made(transport)  # type: ignore[arg-type]  # as asyncio calls it
        self.reading: Reading = "header"
        self.since = self.loop.time()
        self.unread_since: float | None = None
        self.closing_since: float | None = None
        self.barren = self.received = self.latest = self.drained = 0
        self.status = 400
        self.gate.admit(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.gate.leave(self)
        super().connection_lost(exc)

    def state(self) -> tuple[str, float]:
        """Return what the connection is at, and since when."""
        if self.closing_since is not None:
            return "closing", self.closing_since
        if self.unread_since is not None:
            return "unread", self.unread_since
        is_answered = self.cycle is None or self.cycle.response_complete
        if self.reading == "body":
            return ("drain" if is_answered else "busy" if self.pipeline else "body"), self.since
        if not is_answered:
            return "busy", self.since
        return self.reading or "idle", self.since

    def end(self, state: str) -> None:
        """Close the connection: with an answer if a request came too slowly, at once if nothing is read at the other end."""
        if state in ("unread", "closing"):
            self.abort()
        elif state in ("header", "body") and not self.is_answering():
            self.refuse(408)
        else:
            self.close()

    def is_answering(self) -> bool:
        """Return True if the beginning of an answer has left, or earlier requests still wait for theirs."""
        cycle = self.cycle
        begun = cycle is not None and cycle.response_started and not cycle.response_complete
        return begun or bool(self.pipeline)

    def abort(self) -> None:
        """Close the connection at once; what was not read is lost."""
        self.transport.abort()

    def close(self) -> None:
        """Close the connection once what was written has left; the gate ends it if that takes too long."""
        if self.closing_since is None:
            self.closing_since = self.loop.time()
        self.transport.close()

    def refuse(self, status: int) -> None:
        """Answer with a plain sentence, and close."""
        said = REASONS[status].encode()
        head = b"content-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(said)
        self.transport.write(STATUS_LINE[status] + head + said)
        self.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read as HTTP, or is too large for it."""
        self.refuse(self.status)

    # ------------------------------------------------------------------------------------------------------ what comes in

    def data_received(self, data: bytes) -> None:
        """Read on, as long as what comes is worth it: a header that stays small, and not too much of a refused body."""
        self.barren += len(data)
        self.latest = len(data)
        self.received += self.latest
        self.begins = self.reading != "body"  # the first request that begins in here has all of it
        super().data_received(data)
        if self.transport.is_closing():
            return
        limits = self.gate.limits
        if self.reading and (self.barren > limits.header_bytes or len(self.headers or ()) > limits.headers):
            self.refuse(431)
        elif self.drained > limits.linger_bytes:
            self.close()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        if self.reading != "header":
            self.reading, self.since = "header", self.loop.time()
        self.drained = 0
        self.barren = self.barren if self.begins else 0
        self.received = self.latest
        self.begins = False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, or let it fall if it was refused."""
        self.barren = 0
        if self.cycle.response_complete:
            self.drained += len(body)
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Begin the body."""
        if len(self.pipeline) >= self.gate.limits.pipelined:
            raise Oversized
        self._weigh()
        super().on_headers_complete()
        self.reading, self.since, self.barren = "body", self.loop.time(), 0

    def on_message_complete(self) -> None:
        """End a request."""
        self._weigh()  # with the trailers
        super().on_message_complete()
        self.reading, self.since, self.barren = "", self.loop.time(), 0

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of this one's body."""
        self.since = self.loop.time()
        super().on_response_complete()

    def _weigh(self) -> None:
        """Raise Oversized for too large a header, or too many; what came is small if no more than a header's size did."""
        limits, size = self.gate.limits, 0
        if self.received > limits.header_bytes:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > limits.header_bytes or len(self.headers) > limits.headers:
            self.status = 431
            raise Oversized

    # ------------------------------------------------------------------------------------------------------- what goes out

    def pause_writing(self) -> None:
        """Note that an answer is not read."""
        self.unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it is."""
        self.unread_since = None
        super().resume_writing()


def hold(gate: Gate) -> type[HeldProtocol]:
    """Return the protocol of a process."""
    attributes: dict[str, Any] = {"gate": gate}
    return type("Held", (HeldProtocol,), attributes)
