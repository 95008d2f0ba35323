"""Conflicts: a step that another overtook is rolled back, reads again and decides again, a few times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hub.config.logs import LateLogger
from hub.core.errors import Conflict, LeaseLost, Overtaken

TRIES = 5
T = TypeVar("T")
log = LateLogger(__name__)


def begin_again(step: Callable[[int], T], *, tired: str) -> T:
    """Return the result of a step that writes in a transaction of its own; after a Conflict it begins again.

    The step is told how often it was overtaken so far. Raises Overtaken, which says `tired`, after five tries; LeaseLost at
    once: what another holds by now is not ours to decide.
    """
    for overtaken in range(TRIES):
        try:
            return step(overtaken)
        except LeaseLost:
            raise
        except Conflict as conflict:
            log.info("overtaken: begun again", tries=overtaken + 1, conflict=str(conflict))
    raise Overtaken(tired)
