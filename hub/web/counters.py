"""Counters that are not counted for each glance: kept the longer, the longer it took to count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

SHARE = 20  # at most a twentieth of the time goes into counting
SHORTEST_S = 1.0


class Counters:
    """A value that is computed again once it is old; many threads share it, one computes, the others take the old one."""

    def __init__(self, count: Callable[[], dict[str, Any]]) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._until = 0.0
        self._value: dict[str, Any] | None = None

    def __call__(self, *, fresh: bool = False) -> dict[str, Any]:
        """Return the value; `fresh` counts now (after a change that its author wants to see)."""
        value = self._value
        if not fresh and value is not None and (monotonic() < self._until or self._lock.locked()):
            return value
        with self._lock:
            if fresh or self._value is None or monotonic() >= self._until:
                began = monotonic()
                self._value = self._count()
                self._until = monotonic() + max(SHORTEST_S, SHARE * (monotonic() - began))
            return self._value
