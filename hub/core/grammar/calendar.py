"""Parts of a time in a zone: `timestamp(signal.published_at).getHours("Europe/Paris")`, which the evaluator does not know.

Numbers are those of CEL's definition: months, days of a month and of a year count from 0 (getDate from 1), Sunday is day 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hub.core.grammar.facts import did_you_mean

_PARTS: Mapping[str, Callable[[datetime], int]] = {
    "FullYear": lambda at: at.year,
    "Month": lambda at: at.month - 1,
    "Date": lambda at: at.day,
    "DayOfMonth": lambda at: at.day - 1,
    "DayOfWeek": lambda at: at.isoweekday() % 7,
    "DayOfYear": lambda at: at.timetuple().tm_yday - 1,
    "Hours": lambda at: at.hour,
    "Minutes": lambda at: at.minute,
    "Seconds": lambda at: at.second,
    "Milliseconds": lambda at: at.microsecond // 1000,
}
BOUNDS: Mapping[str, tuple[float, float]] = {
    "getFullYear": (1000, 9999),
    "getMonth": (0, 11),
    "getDate": (1, 31),
    "getDayOfMonth": (0, 30),
    "getDayOfWeek": (0, 6),
    "getDayOfYear": (0, 365),
    "getHours": (0, 23),
    "getMinutes": (0, 59),
    "getSeconds": (0, 60),
    "getMilliseconds": (0, 999),
}
"""The least and the largest number that each may be; a year has its century."""
METHODS = frozenset(f"get{part}" for part in _PARTS)
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)")


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Return a zone by its name ("Europe/Paris") or its offset ("+02:00"). Raises ValueError if there is none."""
    if found := _OFFSET.fullmatch(name):
        span = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-span if found[1] == "-" else span)
    if name not in available_timezones():
        raise ValueError(f"there is no time zone {name!r}")
    return ZoneInfo(name)


def wrong_zone(name: str) -> tuple[str, str] | None:
    """Return what is wrong with a zone's name, and the way out."""
    try:
        zone(name)
    except ValueError as error:
        return str(error), did_you_mean(name, available_timezones()).partition("known:")[0] or 'such as "Europe/Paris"'
    return None


def _part(part: Callable[[datetime], int], at: Any, name: str) -> int | None:
    # The evaluator prints what is raised in here; a null lets the condition fail as others do.
    return part(at.astimezone(zone(name))) if isinstance(at, datetime) else None


FUNCTIONS: Mapping[str, Callable[[Any, str], int | None]] = {
    f"get{name}": partial(_part, part) for name, part in _PARTS.items()
}
"""The evaluator calls these for the methods with a zone; without one it has its own, in UTC."""
