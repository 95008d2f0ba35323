"""A process's sign of life: noted every few seconds with the time since when it lives, and its calm end."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

from hub.core.errors import HubError
from hub.flow.monitor.life import lived
from hub.runtime import Hub

BEAT_S = 15.0


class Pulse:
    """The heartbeat of this process in its role."""

    def __init__(self, hub: Hub, role: str) -> None:
        self._hub = hub
        self._role = role
        # In containers all have the same number.
        self._name = f"{role}-{socket.gethostname()}-{os.getpid()}"
        self._since = hub.now()
        self._stop = threading.Event()

    def start(self) -> None:
        """Beat in a thread, until the process ends."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def beat(self) -> None:
        """Note once that this process is alive."""
        self._hub.store.connections.beat(self._name, self._role, now=self._hub.now(), detail=lived(self._since))

    def close(self) -> None:
        """Note a calm end: the process is neither alive nor lost."""
        self._stop.set()
        with contextlib.suppress(HubError):
            detail = lived(self._since, ended=True)
            self._hub.store.connections.beat(self._name, self._role, now=self._hub.now(), detail=detail)

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(HubError):
                self.beat()
            self._stop.wait(BEAT_S)
