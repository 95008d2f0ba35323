"""Keeping a lease while its holder works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from hub.config.logs import LateLogger
from hub.core.errors import HubError

RENEW_S = 10.0
log = LateLogger(__name__)


class Renewable(Protocol):
    """A noun whose leases can be renewed."""

    def renew(self, token: str, *, now: datetime) -> None:
        """Push the end of a lease out."""


@contextmanager
def kept(noun: Renewable, token: str, clock: Callable[[], datetime]) -> Iterator[None]:
    """Renew a lease from a thread until the block ends; a renewal that fails is tried again at the next turn."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEW_S):
            try:
                noun.renew(token, now=clock())
            except HubError as error:
                log.warning("a lease could not be renewed", error=str(error))

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
