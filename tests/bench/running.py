"""What the benchmarks share: W1's hub up in a folder of its own, its posts, its processes."""

from __future__ import annotations

import hmac
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread
from typing import Any

from tests.bench.w1_home import SECRET, write_home
from tests.chaos.stage import descendants, wait
from tests.material import ROOT
from tests.servers import free_port

SHARED = Path(os.environ.get("HUBBUB_SHARED", ROOT.parent / "shared"))
PROBE = b'{"id": "probe", "network": "x", "text": "nothing here", "author": {"handle": "p"}}'


def bodies(count: int, seed: int = 1) -> list[bytes]:
    """W1's posts, made by the harness's own generator."""
    spec = importlib.util.spec_from_file_location("posts", SHARED / "bench/posts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["posts"] = module
    spec.loader.exec_module(module)
    return [mention.body for mention in module.mentions(count, seed)]


@contextmanager
def home(crm: str = "http://127.0.0.1:9", *, more: str = "", change: tuple[str, str] = ("", "")) -> Iterator[Path]:
    """A folder with W1's configuration, which may be added to and changed; yields the configuration's path."""
    with tempfile.TemporaryDirectory(prefix="hubbub-bench") as folder:
        config = write_home(Path(folder), crm, port=free_port())
        text = config.read_text()
        config.write_text((text.replace(*change) if change[0] else text) + more)
        yield config


@contextmanager
def hub_up(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`hub up`; yields at once, ends it by SIGTERM."""
    with (config.parent / "log").open("ab") as log:
        command = [sys.executable, "-m", "hub.cli", "-c", str(config), "up"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def port_of(config: Path) -> int:
    """The door's port."""
    return int(next(line for line in config.read_text().splitlines() if line.startswith("port")).split("=")[1])


def post(connection: HTTPConnection, body: bytes) -> bool:
    """Post once, signed; whether it was accepted."""
    signature = "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    try:
        connection.request("POST", "/in/w1", body, {"x-hub-signature-256": signature})
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        connection.close()
        return False
    return 200 <= answer.status < 300


def first_accepted(config: Path) -> float:
    """Seconds from now until the door accepts a post."""
    connection = HTTPConnection("127.0.0.1", port_of(config), timeout=5)
    begin = time.monotonic()
    while not post(connection, PROBE):
        assert time.monotonic() - begin < 60, (config.parent / "log").read_text()[-2000:]
        time.sleep(0.01)
    return time.monotonic() - begin


def burst(config: Path, given: Sequence[bytes], *, connections: int = 16) -> None:
    """Post all over several connections, each until it is accepted."""

    def send(part: Sequence[bytes]) -> None:
        connection = HTTPConnection("127.0.0.1", port_of(config), timeout=20)
        for body in part:
            while not post(connection, body):
                time.sleep(0.05)

    threads = [Thread(target=send, args=(given[start::connections],)) for start in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def memory(pid: int) -> dict[str, float]:
    """MB of a process and all below it: proportional (shared pages once) and resident."""
    found = {"pss_mb": 0.0, "rss_mb": 0.0}
    for one in [pid, *descendants(pid)]:
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in rollup.splitlines():
            name = line.partition(":")[0].lower() + "_mb"
            if name in found:
                found[name] += int(line.split()[1]) / 1024
    return {name: round(value, 1) for name, value in found.items()}


def kill_all(pid: int) -> None:
    """kill -9 of a process and all below it."""
    for one in [pid, *descendants(pid)]:
        os.kill(one, signal.SIGKILL)


def until(true: Callable[[], bool], why: str) -> float:
    """Seconds until something is true."""
    return wait(true, why=why, within=300)


def say(name: str, **values: Any) -> None:
    """One JSON line."""
    print(json.dumps({"bench": name, **values}))
