"""Rates: how many calls a connection may make, how much of a vendor's window is used, and when a day's quota is filled again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RATE = re.compile(r"([1-9]\d{0,8})\s*/\s*([1-9]\d{0,4})?\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` requests in any span of `per` seconds."""

    calls: int
    per: int

    def __post_init__(self) -> None:
        if self.calls < 1 or self.per < 1:
            raise ValueError("a limit is at least one call in at least one second")

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Return a limit from text such as "10/s", "100/m", "5000/h", "190/10s"; raises ValueError."""
        found = _RATE.fullmatch(text.strip())
        if not found:
            raise ValueError('a rate is text such as "10/s", "100/m", "5000/h", "190/10s"')
        return cls(int(found[1]), int(found[2] or 1) * _SECONDS[found[3]])


@dataclass(frozen=True, slots=True)
class Usage:
    """What a vendor counts: `used` of `limit` calls; the window ends in `resets_in` seconds (None: it slides, or is unknown)."""

    used: int
    limit: int
    resets_in: float | None = None

    @property
    def left(self) -> int:
        """Calls that remain, never below 0."""
        return max(0, self.limit - self.used)

    @property
    def is_scarce(self) -> bool:
        """Return True if less than a tenth of the window remains."""
        return self.left * 10 < self.limit


def next_midnight(now: datetime, zone: str | None) -> datetime:
    """Return the next midnight in a time zone as UTC, UTC's own if the zone is unknown: a day's quota is filled again then."""
    try:
        place = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place = ZoneInfo("UTC")
    day = now.astimezone(place).date() + timedelta(days=1)
    return datetime.combine(day, time(), place).astimezone(UTC)
