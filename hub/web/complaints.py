"""What strangers can make the server say again and again: one line a minute for each kind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

import structlog

log = structlog.get_logger(__name__)
EVERY_S = 60.0
MOST_KINDS = 1000


class Complaints:
    """Tell the first of a kind at once, and those that follow within a minute as a number in the next line."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._kinds: dict[str, tuple[float, int]] = {}

    def tell(self, kind: str, **details: Any) -> None:
        """Log a line of this kind, unless one was logged a moment ago."""
        untold = self.passes(kind)
        if untold is not None:
            log.warning(kind, **details, **({"times_before": untold} if untold else {}))

    def passes(self, kind: str) -> int | None:
        """Return how many of a kind were swallowed since the last line; None if this one is swallowed too."""
        now = self._clock()
        last, swallowed = self._kinds.get(kind, (float("-inf"), 0))
        if now - last < EVERY_S:
            self._kinds[kind] = (last, swallowed + 1)
            return None
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        self._kinds[kind] = (now, 0)
        return swallowed


class OnceAMinute(logging.Filter):
    """Let one record a minute through of each message and kind of exception: for loggers of libraries."""

    def __init__(self, complaints: Complaints) -> None:
        super().__init__()
        self._complaints = complaints

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if a record may be written."""
        if record.levelno < logging.WARNING:
            return True
        raised = record.exc_info[1] if record.exc_info else None
        return self._complaints.passes(f"{record.name} {record.msg} {type(raised).__name__}") is not None


def calm(complaints: Complaints) -> None:
    """Let the loggers of the server and its loop say each thing once a minute."""
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(OnceAMinute(complaints))
