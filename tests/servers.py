"""Processes that tests start: the embedded Redis, and waiting for what they bring about."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from redis import Redis
from redis.exceptions import RedisError

from hub.queue.embedded import server_command, socket_path, socket_url


def free_port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], object], *, seconds: float = 10.0) -> float:
    """Wait until something is true; returns the seconds that it took, fails after `seconds`."""
    begun = monotonic()
    while not what():
        assert monotonic() - begun < seconds, "it did not come about"
        sleep(0.02)
    return monotonic() - begun


def is_alive(pid: int) -> bool:
    """Whether a process runs (a dead one whose parent has not looked yet does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may go between opening and reading
        return False


def answers(url: str) -> bool:
    """Whether a Redis answers there."""
    with contextlib.suppress(RedisError, OSError), Redis.from_url(url) as client:
        return bool(client.ping())
    return False


@contextmanager
def running_redis(data: Path) -> Iterator[str]:
    """The embedded server of a data folder; yields its URL."""
    server = subprocess.Popen(server_command(data), stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(socket_url(data)))
        yield socket_url(data)
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(socket_path(data).parent, ignore_errors=True)


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def descendants_of(pid: int) -> list[int]:
    """The same, with their own children."""
    direct = children_of(pid)
    return direct + [inner for child in direct for inner in descendants_of(child)]


def clean_environment() -> dict[str, str]:
    """The environment without what would lead a hub to another configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
