"""Readiness, asked for now and then by one thread: neither many askers nor a database that hangs hold the web process up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from hub.flow.views.readiness import Cause, Readiness

KEPT_S = 2.0
PATIENCE_S = 2.0
LATE = Readiness((Cause("database", "posts cannot be stored: the database does not answer in time", "accepts"),))


class KeptReadiness:
    """The readiness as it was found last; if a look takes too long, that is the finding, for those who ask then at once."""

    def __init__(self, look: Callable[[], Readiness]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._found = LATE
        self._until = self._since = 0.0
        self._is_looking = False

    def __call__(self) -> Readiness:
        """Return what was found a moment ago, or look now."""
        with self._lock:
            if monotonic() < self._until:
                return self._found
            if not self._is_looking:
                self._is_looking, self._since = True, monotonic()
                self._done = threading.Event()
                threading.Thread(target=self._run, args=(self._done,), name="readiness", daemon=True).start()
            done, left = self._done, self._since + PATIENCE_S - monotonic()
        return self._found if done.wait(max(left, 0.0)) else LATE

    def _run(self, done: threading.Event) -> None:
        found = LATE
        try:
            found = self._look()
        finally:
            with self._lock:
                self._found, self._until, self._is_looking = found, monotonic() + KEPT_S, False
            done.set()
