"""What the door answered, counted in memory and written every few seconds: a flood of refused calls costs one row."""

from __future__ import annotations

import threading
from collections import Counter

import structlog

from hub.core.errors import HubError
from hub.runtime import Hub

log = structlog.get_logger(__name__)
EVERY_S = 5.0


class Tally:
    """Counts by connection and status. `open` before the first call, `close` after the last."""

    def __init__(self, hub: Hub, every_s: float = EVERY_S) -> None:
        self.hub = hub
        self.every_s = every_s
        self._counts: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, source: str, status: int) -> None:
        """Count one call."""
        with self._lock:
            self._counts[source, status] += 1

    def open(self) -> None:
        """Start the thread that writes."""
        self._thread = threading.Thread(target=self._run, name="tally", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what was counted, then end."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def write(self) -> None:
        """Write what was counted; what the database cannot take now is kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            self.hub.store.calls.add(counts, now=self.hub.now())
        except HubError as error:
            log.warning("the counts of the door could not be written", error=str(error))
            with self._lock:
                self._counts.update(counts)

    def _run(self) -> None:
        while not self._closing.wait(self.every_s):
            self.write()
        self.write()
