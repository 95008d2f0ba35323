"""A server on a real socket, within limits that tests can wait for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

import uvicorn

from hub.web.caller import LOOPBACK, Networks
from hub.web.complaints import Complaints
from hub.web.gate import Gate
from hub.web.limits import Limits
from hub.web.protocol import hold

SHORT = Limits(
    connections=60,
    per_client=60,
    header_s=0.5,
    body_s=0.6,
    answer_s=0.5,
    idle_s=0.7,
    header_bytes=8192,
    linger_s=0.3,
    linger_bytes=300_000,
    sweep_s=0.05,
)


@dataclass
class Served:
    """A server that runs: its port and its gate."""

    port: int
    gate: Gate
    sockets: list[socket.socket] = field(default_factory=list)

    def connect(self, said: bytes = b"") -> socket.socket:
        """Connect, and say something."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        self.sockets.append(made)
        with contextlib.suppress(OSError):
            made.sendall(said)
        return made

    def ask(self, said: bytes) -> tuple[int, float]:
        """Send one whole request; return the answer's status and the seconds that it took."""
        begun = monotonic()
        status = int(answer(self.connect(said)).split()[1])
        return status, monotonic() - begun


def answer(made: socket.socket) -> bytes:
    """What comes back, up to the other side's end or a pause; empty if it only ends."""
    found = b""
    with contextlib.suppress(OSError):
        while b"\r\n\r\n" not in found and (part := made.recv(65536)):
            found += part
    return found


def is_ended(made: socket.socket, *, within: float) -> bool:
    """Whether the other side ends the connection within so many seconds."""
    end = monotonic() + within
    made.settimeout(0.05)
    while monotonic() < end:
        try:
            if not made.recv(65536):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@contextlib.contextmanager
def serving(app: Any, limits: Limits = SHORT) -> Iterator[Served]:
    """Serve an ASGI application within limits, in a thread."""
    gate = Gate(limits, Complaints(), Networks(LOOPBACK))
    config = uvicorn.Config(
        app,
        port=0,
        http=hold(gate),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        backlog=limits.backlog,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        sleep(0.005)
    served = Served(server.servers[0].sockets[0].getsockname()[1], gate)
    try:
        yield served
    finally:
        for one in served.sockets:
            one.close()
        server.should_exit = server.force_exit = True
        thread.join(5)
