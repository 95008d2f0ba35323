"""Which processes are alive, by their heartbeats. Pure.

A process that ends just after its start and is started again and again gives signs of life all the time; it is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

ALIVE = timedelta(seconds=45)
STEADY = timedelta(seconds=12)
"""A process that lived for so long has given more than its first sign."""

MISSED = timedelta(seconds=25)
"""After so long without the next sign a process is gone."""

LATELY = timedelta(minutes=3)
LONGEST = 300
RESTARTS = 2
"""So many processes of a role that did not come beyond their start, lately: it is started again and again."""


class Beat(msgspec.Struct, frozen=True):
    """The last sign of life of a process: since when it lives, what it runs, why connections cannot be had there, by place."""

    name: str
    role: str
    at: datetime
    since: datetime
    has_ended: bool = False
    broken: Mapping[str, str] = {}
    version: str = ""
    activation: int | None = None

    @property
    def is_young(self) -> bool:
        """True if it has given its first sign only."""
        return self.at - self.since < STEADY


def lived(since: datetime, *, ended: bool = False, broken: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what a heartbeat says beside its time."""
    return {
        "since": since.timestamp(),
        "ended": ended,
        "broken": {place: why[:LONGEST] for place, why in (broken or {}).items()},
    }


def read_beat(row: Mapping[str, Any]) -> Beat:
    """Read a heartbeat as the store keeps it; one without detail counts as an old process's."""
    detail = row["detail"] if isinstance(row["detail"], dict) else {}
    since = datetime.fromtimestamp(detail["since"], UTC) if "since" in detail else row["at"] - STEADY
    runs: dict[str, Any] = {"version": detail.get("version") or "", "activation": detail.get("activation")}
    return Beat(
        row["name"], row["role"], row["at"], since, bool(detail.get("ended")), detail.get("broken") or {}, **runs
    )


def living(beats: Iterable[Beat], now: datetime) -> list[Beat]:
    """Return the processes that are alive."""
    known = list(beats)
    unsteady = restarting(known, now)
    return [
        one
        for one in known
        if now - one.at <= ALIVE and not one.has_ended and not (one.role in unsteady and one.is_young)
    ]


def restarting(beats: Iterable[Beat], now: datetime) -> frozenset[str]:
    """Return the roles that are started again and again: several of their processes ended just after their start, lately."""
    gone = Counter(one.role for one in beats if one.is_young and not one.has_ended and MISSED < now - one.at <= LATELY)
    return frozenset(role for role, count in gone.items() if count >= RESTARTS)


def broken(beats: Iterable[Beat], now: datetime) -> dict[str, str]:
    """Return why connections cannot be had by a process that is alive, by place (`destinations.NAME`)."""
    found: dict[str, str] = {}
    for one in living(beats, now):
        for place, reason in one.broken.items():
            found.setdefault(place, reason)
    return found
