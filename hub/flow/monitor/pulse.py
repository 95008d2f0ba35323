"""A process's sign of life: noted every few seconds with what it runs, since when, what it cannot have, and its calm end."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from functools import cache
from importlib.metadata import version
from typing import Any

from hub.core.errors import HubError
from hub.flow.calls import hanging
from hub.flow.monitor.life import lived
from hub.runtime import Hub

BEAT_S = 15.0
LOOK_S = 1.0
LAST_S = 2.0  # for a sign that is being noted; a database that hangs must not hold up the end


class Pulse:
    """The heartbeat of this process in its role. `takes_up`: what is activated is taken up here, at any moment."""

    def __init__(self, hub: Hub, role: str, *, takes_up: bool = False) -> None:
        self._hub = hub
        self._role = role
        self._takes_up = takes_up
        # In containers all have the same number.
        self._name = f"{role}-{socket.gethostname()}-{os.getpid()}"
        self._since = hub.now()
        self._stop = threading.Event()
        self._told: tuple[int | None, dict[str, str]] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Beat in a thread, until the process ends."""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Note once that this process is alive, and what it runs."""
        self._told = self._news()
        self._hub.store.connections.beat(self._name, self._role, now=self._hub.now(), detail=self._lived())

    def close(self) -> None:
        """Note a calm end: the process is neither alive nor lost."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(LAST_S)  # a sign after this one would tell of life
        with contextlib.suppress(HubError):
            detail = self._lived(ended=True)
            self._hub.store.connections.beat(self._name, self._role, now=self._hub.now(), detail=detail)

    def _lived(self, *, ended: bool = False) -> dict[str, Any]:
        return {**lived(self._since, ended=ended, broken=self._broken()), **running(self._hub)}

    def _news(self) -> tuple[int | None, dict[str, str]]:
        """Return what is told at once when it changes: what this process runs, and what it cannot have."""
        return self._hub.activation, self._broken()

    def _broken(self) -> dict[str, str]:
        return {**hanging(self._hub), **self._hub.broken}

    def _run(self) -> None:
        left = 0.0
        while not self._stop.is_set():
            with contextlib.suppress(HubError):
                if self._takes_up:
                    self._hub.take_up()
                if left <= 0 or self._news() != self._told:
                    self.beat()
                    left = BEAT_S
            left -= LOOK_S
            self._stop.wait(LOOK_S)


def running(hub: Hub) -> dict[str, Any]:
    """Return what a process runs: the program's version, and the activation whose rules it has (None: it has none)."""
    return {"version": program(), "activation": hub.activation}


@cache
def program() -> str:
    """Return the program's version."""
    return version("hubbub")
