"""The web process: what it logs, how it ends, and its last word."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from hub.flow.monitor.life import Beat, read_beat
from hub.store import open_store
from hub.web.__main__ import HeldServer
from tests.hubs import NOON, no_rules
from tests.servers import clean_environment, free_port, wait_for

QUIET = '[web]\nport = {port}\n[log]\nlevel = "error"\n'


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The web process, once it serves; what it says is in `web.log` beside its configuration."""
    port = free_port()
    (folder / "config.toml").write_text(QUIET.format(port=port))
    no_rules(folder)
    command = [sys.executable, "-m", "hub.web", "-c", str(folder / "config.toml"), "--migrate"]
    with (folder / "web.log").open("w") as log, subprocess.Popen(command, stderr=log, env=clean_environment()) as web:
        try:
            wait_for(lambda: web.poll() is not None or listens(port), seconds=60)
            yield web
        finally:
            web.kill()


def listens(port: int) -> bool:
    """Whether a program listens on a port."""
    with socket.socket() as made:
        return made.connect_ex(("127.0.0.1", port)) == 0


def beats(folder: Path) -> list[Beat]:
    """The signs of life that the database of a folder holds."""
    store = open_store(f"sqlite:///{folder / 'data' / 'hubbub.db'}")
    try:
        return [read_beat(row) for row in store.connections.beats(since=NOON - timedelta(days=3650))]
    finally:
        store.close()


@pytest.fixture
def signals_back() -> Iterator[None]:
    """What this process does at signals is as before afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """An application that says nothing."""


def test_it_ends_by_a_signal_with_its_last_word_and_logs_as_the_configuration_says(tmp_path: Path) -> None:
    with started(tmp_path) as web:
        web.send_signal(signal.SIGTERM)
        assert web.wait(20) == 0
    assert [(one.role, one.has_ended) for one in beats(tmp_path)] == [("web", True)]
    assert (tmp_path / "web.log").read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_it_serves_is_not_lost(signals_back: None, number: signal.Signals) -> None:
    server = HeldServer(uvicorn.Config(silent, port=0, lifespan="off", log_config=None))
    server.heed()
    signal.raise_signal(number)
    asyncio.run(asyncio.wait_for(server.serve(), 10))
    assert server.should_exit
