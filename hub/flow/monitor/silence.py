"""A source's rhythm: is its silence unusual? Pure; slots are the store's, ascending, one for each that had items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from hub.store.monitor.figures import SLOT, slot_of
from hub.store.schema import EPOCH

DAY, WEEK = timedelta(days=1), timedelta(days=7)
FEWEST = 20
"""Slots with items, below which a source has no rhythm that could be broken."""

FACTOR = 3
SHORTEST_HISTORY = timedelta(days=2)


def is_silent(slots: Sequence[int], last: datetime, now: datetime, *, floor: timedelta) -> bool:
    """Return True if a source is silent against its own rhythm of the week before it was heard last.

    Its silence must be longer than three times nearly all its pauses (the 99th percentile), and at this time of the day and
    of the week it must usually be heard: nights and weekends are no alarm.
    """
    silence = now - last
    known = [slot for slot in slots if slot > slot_of(last - WEEK)]
    if len(known) < FEWEST or silence <= max(FACTOR * usual_pause(known), floor):
        return False
    if last - _time(slots[0]) < SHORTEST_HISTORY:
        return False
    return silence > WEEK or _is_usually_heard(slots, last, now)


def usual_pause(slots: Sequence[int]) -> timedelta:
    """Return the pause that 99 of 100 pauses do not exceed."""
    gaps = sorted(later - earlier for earlier, later in pairwise(slots))
    return SLOT * gaps[math.ceil(0.99 * len(gaps)) - 1] if gaps else timedelta()


def _is_usually_heard(slots: Sequence[int], last: datetime, now: datetime) -> bool:
    """Return True if the same hours brought something: a week ago, and on at least half of the days since."""
    first, heard = _time(slots[0]), set(slots)
    if first <= last - WEEK and not _heard(heard, last - WEEK, now - WEEK):
        return False
    end = min(now, last + DAY)
    days = [DAY * number for number in range(1, 8) if first <= last - DAY * number]
    hits = sum(_heard(heard, last - day, end - day) for day in days)
    return 2 * hits >= len(days)


def _heard(heard: set[int], begin: datetime, end: datetime) -> bool:
    return any(slot in heard for slot in range(slot_of(begin) + 1, slot_of(end) + 1))


def _time(slot: int) -> datetime:
    return EPOCH + slot * SLOT
