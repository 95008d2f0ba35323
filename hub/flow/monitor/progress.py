"""What is to be done after a start, told for the person who waits for it: until all is done, once."""

from __future__ import annotations

import structlog

from hub.runtime import Hub
from hub.store.monitor.figures import Ahead

log = structlog.get_logger(__name__)
EVENT = "progress"
STILL_LOOKS = 20  # in a row in which nothing moves and nothing is worked on: what is left waits for something else
CALM_LOOKS = 3  # in a row without anything to do: sources that are asked at the start have answered by then
MOST_LOOKS = 900


class Progress:
    """Looks, and tells what has changed; at rest it costs nothing any more."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._last: Ahead | None = None
        self._calm, self._still, self._looks = 0, 0, 0

    @property
    def is_over(self) -> bool:
        """True if all was done, or what is left does not move, or if it takes so long that this is no start any more."""
        return self._calm >= CALM_LOOKS or self._still >= STILL_LOOKS or self._looks >= MOST_LOOKS

    def tell(self) -> None:
        """Look once, about a second after the last look."""
        if self.is_over:
            return
        found = self._hub.store.figures.ahead(now=self._hub.now())
        self._looks += 1
        self._calm = 0 if found else self._calm + 1
        self._still = 0 if found != self._last or found.rows_held or found.held else self._still + 1
        if found != self._last or self.is_over:
            self._last = found
            log.info(EVENT, **found._asdict(), over=self.is_over)
