"""A hub whose parts were started by the commands of the systemd units, and callers of it."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from hub.sdk.signatures import StandardWebhook
from tests.deploy.material import DEPLOY, unit
from tests.servers import clean_environment, free_port, running_redis, wait_for

SECRET = "whsec_c2lnbmVkIGJ5IHRoZSBzaG9wLCBubyBvdGhlcg=="
CONFIG = """
[hub]
data = "data"
[web]
port = {port}
public_url = "https://hub.example.com"
console = "open"
[redis]
url = "{redis}"
[sources.shop]
plugin = "webhook"
options = {{ secret = {{ file = "shop" }} }}
[enrichers.language]
plugin = "language"
"""
PARTS = {
    "hubbub-web.service": "web",
    "hubbub-process@.service": "process",
    "hubbub-deliver@.service": "deliver",
    "hubbub-scheduler.service": "scheduler",
}


UNTRUSTING = ssl._create_unverified_context()
"""Takes the certificate that the test made."""


@dataclass
class Parts:
    """The parts that run, by their unit."""

    folder: Path
    port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def command(self, name: str) -> list[str]:
        """What a unit starts, with this environment's program in the place of the installed one."""
        program, *words = unit(DEPLOY / "systemd" / name)["Service"]["ExecStart"].split()
        return [program.replace("/opt/hubbub/bin/hub", str(Path(sys.executable).with_name("hub"))), *words]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a unit's command where systemd would: by its environment, in its folder."""
        env = {**clean_environment(), "HUBBUB_CONFIG": str(self.folder / "config.toml")}
        with (self.folder / "log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.command(name), env=env, cwd=self.folder / "data", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self.running[name]

    def is_ready(self) -> bool:
        """True if the page is ready and each part has given a sign of life."""
        status, said = ask(self.port, "GET", "/readyz")[:2]
        return status == 200 and all(f'"{role}-' in said for role in set(PARTS.values()) - {"web"})

    def end(self) -> dict[str, int]:
        """Stop all as systemd does; the exit codes (systemd takes an end by SIGTERM for a clean one)."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(30) for name, process in self.running.items()}


@contextmanager
def started(folder: Path) -> Iterator[Parts]:
    """A hub in parts on SQLite, ready; ended at last."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    parts = Parts(folder, free_port())
    (folder / "shop").write_text(SECRET)
    (folder / "rules.toml").write_text("rule = []\n")
    (folder / "topics.toml").write_text("topic = []\n")
    with running_redis(data) as redis:
        (folder / "config.toml").write_text(CONFIG.format(port=parts.port, redis=redis))
        assert parts.start("hubbub-migrate.service").wait(60) == 0, (folder / "log").read_text()
        parts.running.clear()
        try:
            for name in PARTS:
                parts.start(name)
            wait_for(lambda: parts.is_ready() or _has_ended(parts), seconds=60)
            assert not _has_ended(parts), (folder / "log").read_text()
            yield parts
        finally:
            parts.end()


def _has_ended(parts: Parts) -> bool:
    return any(process.poll() is not None for process in parts.running.values())


def connect(port: int, *, tls: bool = False) -> HTTPConnection:
    """A connection to a port of this machine."""
    if tls:
        return HTTPSConnection("localhost", port, timeout=10, context=UNTRUSTING)
    return HTTPConnection("127.0.0.1", port, timeout=10)


def ask(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes | None = None,
    tls: bool = False,
) -> tuple[int, str, dict[str, str]]:
    """Ask once; status, body and headers (status 0 if nothing answers)."""
    connection = connect(port, tls=tls)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return (
            answer.status,
            answer.read().decode("utf-8", "replace"),
            {name.lower(): value for name, value in answer.getheaders()},
        )
    except (OSError, HTTPException):
        return 0, "", {}
    finally:
        connection.close()


def signed(number: int, *, letters: int = 0) -> tuple[dict[str, str], bytes]:
    """Headers and body of a genuine message of the shop."""
    text = f"message {number}" + "x" * letters
    body = json.dumps({"id": str(number), "text": text, "author": {"id": "7", "handle": "ann"}}).encode()
    stamp = str(time.time_ns() // 1_000_000_000)  # the door compares it with the machine's clock
    signature = StandardWebhook().sign(body, SECRET, id_=f"m{number}", stamp=stamp)
    return {"webhook-id": f"m{number}", "webhook-timestamp": stamp, "webhook-signature": signature}, body
