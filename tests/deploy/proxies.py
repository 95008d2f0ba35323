"""nginx and Caddy as docs/deploy configures them, started before a server of this machine; and a stand-in that sends events."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.deploy.material import DEPLOY, fitted, program, run
from tests.deploy.running import ask, connect
from tests.servers import free_port, wait_for

NGINX = """
{user}
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/hubbub.conf;
}}
"""
QUICK = "$2b$04$weNFCBrCC3psAzFi1HXdHOGjdVSFvZuExNx7DTVs7iZiRxJtD8rKu"
"""The hash of `open sesame` that costs a moment; what `caddy hash-password` makes costs seconds on a busy machine."""
EVENTS = 5
PAUSE_S = 0.3


@dataclass(frozen=True)
class Proxy:
    """A proxy that answers, and where."""

    name: str
    port: int
    tls: bool

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, *, body: bytes | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """Ask once by way of it."""
        return ask(self.port, method, path, headers, body=body, tls=self.tls)

    def connect(self) -> HTTPConnection:
        """A connection to it."""
        return connect(self.port, tls=self.tls)


def nginx_files(folder: Path, *, before: int, port: int) -> Path:
    """The configuration with this folder's certificate and passwords; the path of the file that includes it."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    made = run(
        program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
        "-keyout",
        key,
        "-out",
        certificate,
    )
    assert made.returncode == 0, made.stderr
    word = run(program("openssl"), "passwd", "-apr1", "open sesame").stdout.strip()
    (folder / "htpasswd").write_text(f"hub:{word}\n")
    places = {
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen [::]:80;": "",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "listen [::]:443 ssl http2;": "",
        "server 127.0.0.1:8600;": f"server 127.0.0.1:{before};",
        "/etc/ssl/hubbub/fullchain.pem": str(certificate),
        "/etc/ssl/hubbub/privkey.pem": str(key),
        "/etc/nginx/hubbub.htpasswd": str(folder / "htpasswd"),
    }
    user = "user root;" if os.getuid() == 0 else ""  # else its workers may not read this folder
    (folder / "hubbub.conf").write_text(fitted(DEPLOY / "nginx/hubbub.conf", places))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user))
    return folder / "nginx.conf"


def caddy_files(folder: Path, *, before: int, port: int) -> Path:
    """The Caddyfile for a port of this machine, without TLS; the path of the file."""
    places = {
        "hub.example.com {": f"http://127.0.0.1:{port} {{",
        "reverse_proxy 127.0.0.1:8600": f"reverse_proxy 127.0.0.1:{before}",
        "{\n\tservers {": "{\n\tadmin off\n\tservers {",
    }
    (folder / "Caddyfile").write_text(fitted(DEPLOY / "caddy/Caddyfile", places))
    return folder / "Caddyfile"


def caddy_environment(folder: Path) -> dict[str, str]:
    """What Caddy reads of its environment: the password's hash, and folders of its own."""
    return {
        "HUBBUB_PAGE_PASSWORD": QUICK,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


@contextmanager
def nginx(folder: Path, before: int) -> Iterator[Proxy]:
    """An nginx before a port of this machine."""
    port = free_port()
    config = nginx_files(folder, before=before, port=port)
    with _started([program("nginx"), "-e", str(folder / "error.log"), "-c", str(config)], folder, {}):
        yield _answering(Proxy("nginx", port, tls=True))


@contextmanager
def caddy(folder: Path, before: int) -> Iterator[Proxy]:
    """A Caddy before a port of this machine."""
    port = free_port()
    config = caddy_files(folder, before=before, port=port)
    with _started(
        [program("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"], folder, caddy_environment(folder)
    ):
        yield _answering(Proxy("caddy", port, tls=False))


PROXIES = {"nginx": nginx, "caddy": caddy}


@contextmanager
def _started(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _answering(proxy: Proxy) -> Proxy:
    wait_for(lambda: proxy.ask("GET", "/in/nothing")[0] != 0)
    return proxy


class Teller(BaseHTTPRequestHandler):
    """Answers every request with a few server-sent events, one after the other."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send the events."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number in range(EVENTS):
            self.wfile.write(f"data: {number}\n\n".encode())
            self.wfile.flush()
            time.sleep(PAUSE_S)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def teller() -> Iterator[int]:
    """A server of events; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Teller)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def arrivals(
    proxy: Proxy, path: str, headers: dict[str, str], clock: Callable[[], float] = time.monotonic
) -> list[float]:
    """When each event of a stream came, in seconds since the request."""
    begun = clock()
    connection = proxy.connect()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    found = []
    while line := answer.readline():
        if line.startswith(b"data:"):
            found.append(clock() - begun)
    connection.close()
    return found
