"""A real HTTP server on 127.0.0.1 whose answers, and failures, a test scripts: for what only a socket can show."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from types import TracebackType
from typing import Any

from hub.sdk.connectors import HttpResponse
from hub.testkit.fakes import SentRequest


class Failure(Enum):
    """What a server may do instead of answering."""

    RESET = "reset the connection"
    STALL = "say nothing until the server is stopped"
    DRIP = "send a byte of an endless header every 20 ms"


Scripted = HttpResponse | bytes | Failure
"""An answer, raw bytes for the wire (the connection is closed after them), or a failure."""


class LocalServer:
    """Answers each request as `script(request)` says, in a thread of its own; use it in a `with` statement.

    `requests` holds what came, in order; `connections` counts the TCP connections. With `tls` it speaks https.
    """

    def __init__(self, script: Callable[[SentRequest], Scripted], *, tls: SSLContext | None = None) -> None:
        self.requests: list[SentRequest] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._script = script
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True)

    @property
    def port(self) -> int:
        """The port that the system gave."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The server's address without a slash at its end."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def answer(self, request: SentRequest) -> Scripted:
        """Note the request and ask the script."""
        with self._lock:
            self.requests.append(request)
        return self._script(request)

    def count_connection(self) -> None:
        """Note a new TCP connection."""
        with self._lock:
            self.connections += 1

    def __enter__(self) -> LocalServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    owner: LocalServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is part of the test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes: with Nagle's algorithm the second waits 40 ms for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    timeout = 30
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.owner.count_connection()

    def log_message(self, *_: Any) -> None:
        """Write nothing to the terminal."""

    def handle_one_request(self) -> None:
        """Read a request of any method and do what the script says."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._perform(self.server.owner.answer(SentRequest(self.command, self.path, headers, content)))

    def _perform(self, scripted: Scripted) -> None:
        if isinstance(scripted, HttpResponse):
            self._respond(scripted)
            return
        self.close_connection = True
        if isinstance(scripted, bytes):
            self.wfile.write(scripted)
        elif scripted is Failure.STALL:
            self.server.owner.stopping.wait(30)
        elif scripted is Failure.DRIP:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx-drip: ")
            while not self.server.owner.stopping.wait(0.02):
                self.wfile.write(b"x")
        else:
            # Lingering for zero seconds makes close send RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _respond(self, answer: HttpResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "content-length" not in answer.headers:
            self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)
