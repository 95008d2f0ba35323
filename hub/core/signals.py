"""What is known of signals as they add up: an author's recent past, and who may read a post."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from hub.core.model import Signal

MONTH, FORTNIGHT = timedelta(days=30), timedelta(days=15)
PRIVATE = frozenset({"direct", "followers", "internal"})


class Stats(NamedTuple):
    """An author's recent past: how many signals, how many of them have a sentiment, and the sum of its scores.

    `late_scored` and `late_total` are those of the window's later half.
    """

    signals: int = 0
    scored: int = 0
    total: float = 0.0
    late_scored: int = 0
    late_total: float = 0.0

    def plus(self, score: float | None, *, late: bool = True) -> Stats:
        """Return the stats with one signal more; `late`: it lies in the later half."""
        scored, gained = int(score is not None), score or 0.0
        late_scored, late_gained = (scored, gained) if late else (0, 0.0)
        return Stats(
            self.signals + 1,
            self.scored + scored,
            self.total + gained,
            self.late_scored + late_scored,
            self.late_total + late_gained,
        )

    @property
    def mean(self) -> float | None:
        """The mean sentiment, None if nothing was scored."""
        return round(self.total / self.scored, 4) if self.scored else None

    @property
    def trend(self) -> float | None:
        """Return how much the mean of the later half lies above that of the earlier half; None if one of them has none."""
        early = self.scored - self.late_scored
        if early <= 0 or not self.late_scored:
            return None
        return round(self.late_total / self.late_scored - (self.total - self.late_total) / early, 4)


def together(stats: Iterable[Stats]) -> Stats:
    """Return the sum of at least one author's stats."""
    return Stats(*(sum(column) for column in zip(*stats, strict=True)))


def month_before(now: datetime) -> datetime:
    """Return the start of the window of an author's stats."""
    return now - MONTH


def fortnight_before(now: datetime) -> datetime:
    """Return the start of the later half of that window."""
    return now - FORTNIGHT


def is_private(signal: Signal) -> bool:
    """Return True if the signal is not public."""
    return signal.visibility in PRIVATE
