"""HTTP for a sandbox: a thread a connection, keep-alive, 127.0.0.1."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub.testkit.sandbox import admin
from hub.testkit.sandbox.app import Reset, Sandbox
from hub.testkit.sandbox.exchange import Answer, Call

_NO_LINGER = struct.pack("ii", 1, 0)


class RunningSandbox:
    """A sandbox that listens; a context manager that stops it. `url` has no slash at its end."""

    def __init__(self, sandbox: Sandbox, server: _Server, thread: threading.Thread) -> None:
        self.sandbox = sandbox
        self._server = server
        self._thread = thread
        host, self.port = str(server.server_address[0]), int(server.server_address[1])
        self.url = f"http://{host}:{self.port}"

    def stop(self) -> None:
        """Stop listening, end all connections, make records durable; calling it again does nothing."""
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()
        self.sandbox.close()

    def join(self) -> None:
        """Wait until the server ends."""
        self._thread.join()

    def __enter__(self) -> RunningSandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(sandbox: Sandbox, port: int = 0, host: str = "127.0.0.1") -> RunningSandbox:
    """Serve a sandbox in the background; port 0 takes a free one. Raises OSError if the port is taken."""
    server = _Server((host, port), sandbox)
    sandbox.url = f"http://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, name="sandbox", daemon=True)
    thread.start()
    return RunningSandbox(sandbox, server, thread)


def _answer(sandbox: Sandbox, call: Call) -> Answer:
    """Answer one call: the sandbox's own endpoints stand beside the vendor's."""
    if call.path == "/" or call.path.startswith("/_sandbox/"):
        return admin.answer(sandbox, call)
    return sandbox.handle(call)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.sandbox.connections += 1
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Close what is kept alive, so that no thread outlives the server."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a client go that went away; anything else is ours to mend."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            call = Call("", "", {}, {}, b"")
            self.sandbox.violate("bug", call, f"{type(error).__name__}: {error}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    server: _Server

    def _serve(self) -> None:
        call = self._read_call()
        try:
            answer = _answer(self.server.sandbox, call)
        except Reset:
            self._reset()
            return
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815 - the names http.server looks for

    def _read_call(self) -> Call:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Call(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers=headers,
            body=self._read_body(headers),
            base_url=f"http://{headers.get('host', '')}",
        )

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return b"".join(iter(self._read_chunk, b""))
        return self.rfile.read(int(headers.get("content-length") or 0))

    def _read_chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _send(self, answer: Answer) -> None:
        """Write the whole answer at once: two writes would wait for the other side's delayed acknowledgement."""
        body, kind = answer.encode()
        names = {name.lower() for name in answer.headers}
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if kind and "content-type" not in names:
            self.send_header("Content-Type", kind)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        buffer: list[bytes] = self.__dict__.setdefault("_headers_buffer", [])
        buffer.append(b"\r\n")
        self.wfile.write(b"".join(buffer) + (b"" if self.command == "HEAD" or answer.status == 204 else body))
        buffer.clear()

    def _reset(self) -> None:
        """Make the kernel send RST: what a client sees when the other side dies."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.close_connection = True
        self.connection.close()

    def version_string(self) -> str:
        return "sandbox"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of http.server
        """Say nothing: the journal tells more."""
