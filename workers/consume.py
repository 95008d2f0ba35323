"""Consumers: what the bell rings for is worked on; while the bell is away the database is asked now and then."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from time import monotonic
from types import FrameType

import structlog

from hub.queue.bell import BellAway
from hub.queue.ear import Ear, Stroke
from hub.runtime import Hub
from workers import jobs

log = structlog.get_logger(__name__)
LISTEN_S = 5.0
LOOK_S = 2.0  # between two looks at the database while the bell is away
IDLE_LOOK_S = 5.0  # while it rings: a ring may be lost, and the scheduler with it
TWICE_S = 1.0  # a second signal within it is the first one, sent twice


class Stopped(Exception):
    """The worker was asked to end while it waited."""


class Consumer:
    """Serves the lanes of some steps until it is told to end; Redis may come and go."""

    def __init__(self, hub: Hub, steps: Sequence[str], ear: Ear) -> None:
        self._hub = hub
        self._steps = steps
        self._ear = ear
        self._is_waiting = False
        self._is_away = False
        self._look_at = 0.0
        self._asked_at: float | None = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT: the job under way is finished; a second signal ends the process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)
        try:
            while not self._hub.stopping.is_set():
                self._turn()
        except Stopped:
            pass

    def _turn(self) -> None:
        """Do what was rung for, or look what is due if it is time for that."""
        stroke = self._hear()
        if stroke is not None:
            jobs.do(*stroke)
        elif monotonic() >= self._look_at and not self._hub.stopping.is_set():
            is_busy = jobs.look(self._steps)
            pause = LOOK_S if self._is_away else IDLE_LOOK_S
            self._look_at = monotonic() + (0.0 if is_busy else pause)

    def _hear(self) -> Stroke | None:
        """Wait for a stroke; while the bell is away, until the next look is due."""
        self._is_waiting = True
        try:
            stroke = self._ear.listen()
        except BellAway as error:
            self._note(away=str(error))
            self._hub.stopping.wait(max(self._look_at - monotonic(), 0.0))
            return None
        else:
            self._note(away="")
            return stroke
        finally:
            self._is_waiting = False

    def _note(self, *, away: str) -> None:
        """Tell once when the bell goes away, and when it is back; what is due is looked for at once either way."""
        if bool(away) == self._is_away:
            return
        self._is_away, self._look_at = bool(away), monotonic()
        if away:
            log.warning("Redis is away: the database is asked every few seconds until it is back", error=away)
        else:
            log.info("Redis is back")

    def _asked(self, number: int, _: FrameType | None) -> None:
        now = monotonic()
        if self._asked_at is not None and now - self._asked_at > TWICE_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._asked_at = self._asked_at or now
        jobs.stop()
        if self._is_waiting:
            raise Stopped
