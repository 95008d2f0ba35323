"""Pace: when the next request of a connection may leave, so that a vendor's limits are met before they are hit.

`Pace` is what the guard asks. The rest is its arithmetic, pure: a `Stand` says how a connection stands, each function gives the
next one. After a refusal the rate is halved; it grows again by a twentieth at a time until it no longer binds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from hub.sdk.rates import Usage

LOOK_BACK_S = 5.0  # over which the rate that was refused is measured
SHORTEST_LOOK_S = 2.0  # a burst of a moment is no rate
COOLING_S = 2.0  # between two cuts: what was on its way at the first refusal is refused too, and says nothing new
STEP_S = 5.0  # without a refusal, before the rate grows
STEP, STEP_CALLS = 1.05, 8  # by how much, and after how many calls, below the rate that was refused last
LEAP, LEAP_CALLS = 1.25, 3  # above it, or while it is not known
ENOUGH_CALLS = 8  # to know a rate by them
SLOWEST = 1 / 30
UNBOUND_S = 60.0  # no call had to wait for so long: the pace is dropped
LONGEST_HOLD_S = 24 * 3600.0
LONGEST_WINDOW_S = 3600.0
CLOCKS_S = 5.0  # clocks of several machines differ by that much


class Slot(NamedTuple):
    """`wait`: seconds until the request may leave; if it is not `kept`, ask again then."""

    wait: float
    kept: bool


class Pace(ABC):
    """What a guard asks before each request leaves, and tells of each answer. It never raises."""

    @abstractmethod
    def reserve(self, longest: float) -> Slot:
        """Take a slot for one request; none is taken if it would be more than `longest` seconds away."""

    @abstractmethod
    def ahead(self) -> float:
        """Return the seconds until a request could leave; takes no slot."""

    @abstractmethod
    def tell(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer that came: its status and headers (names in lower case)."""


class Stand(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a connection stands; times are seconds since 1970, rates calls a second, 0 is none.

    `hold`: nothing leaves before; `free_at`: the next free slot; `ceiling`: the rate that was refused last, 0 if it is not known;
    `spread`: the rate that makes what remains of the vendor's window last until `spread_until`; `left`: calls that left, by
    second; `at`: when it was written last.
    """

    rate: float = 0.0
    hold: float = 0.0
    free_at: float = 0.0
    ceiling: float = 0.0
    cool_until: float = 0.0
    step_at: float = 0.0
    step_calls: int = 0
    bound_at: float = 0.0
    spread: float = 0.0
    spread_until: float = 0.0
    left: tuple[tuple[int, int], ...] = ()
    at: float = 0.0


def reserve(stand: Stand, now: float, *, longest: float) -> tuple[Stand, float]:
    """Take the next slot: the stand after it and the seconds until it. If that is more than `longest`, none is taken."""
    stand = believed(stand, now)
    at = max(now, next_at(stand, now))
    bound = msgspec.structs.replace(stand, bound_at=now) if at > now else stand
    if at - now > longest:
        return bound, at - now
    stand = _grow(bound, now)
    rate = rate_of(stand, now)
    after = msgspec.structs.replace(
        stand, free_at=at + 1 / rate if rate else 0.0, step_calls=stand.step_calls + 1, left=_counted(stand, at), at=now
    )
    return after, at - now


def look(stand: Stand, now: float) -> tuple[Stand, float]:
    """Return the seconds until the next slot, which is not taken; a caller that stays away for it is bound by the pace too."""
    stand = believed(stand, now)
    wait = max(0.0, next_at(stand, now) - now)
    return (msgspec.structs.replace(stand, bound_at=now) if wait else stand), wait


def believed(stand: Stand, now: float) -> Stand:
    """Return a stand; an empty one if a clock that ran ahead wrote it and was set back, or nothing would leave until then."""
    return Stand() if stand.at > now + CLOCKS_S or stand.hold > now + LONGEST_HOLD_S + CLOCKS_S else stand


def next_at(stand: Stand, now: float) -> float:
    """Return when the next request may leave."""
    return max(stand.hold, stand.free_at if rate_of(stand, now) else 0.0)


def rate_of(stand: Stand, now: float) -> float:
    """Return the rate that binds now, 0.0 if none does."""
    spread = stand.spread if now < stand.spread_until else 0.0
    return min((rate for rate in (stand.rate, spread) if rate), default=0.0)


def refuse(stand: Stand, now: float, *, retry_after: float | None) -> Stand:
    """Note a refusal (429): nothing before `retry_after` seconds, then at half the rate; one cut in a cooling period."""
    hold = max(stand.hold, now + min(max(retry_after or 0.0, 1.0), LONGEST_HOLD_S))
    if now < stand.cool_until:
        return msgspec.structs.replace(stand, hold=hold, at=now)
    refused = min((rate for rate in (stand.rate, observed(stand, now)) if rate), default=1.0)
    rate = max(refused / 2, SLOWEST)
    known = stand.rate or sum(calls for _, calls in stand.left) > ENOUGH_CALLS
    return msgspec.structs.replace(
        stand,
        rate=rate,
        hold=hold,
        free_at=max(
            stand.free_at, hold, now + 1 / rate
        ),  # a slot that was given already is kept: the next comes after it
        ceiling=refused if known else 0.0,
        cool_until=max(hold, now + COOLING_S),
        step_at=hold,
        step_calls=0,
        bound_at=hold,
        at=now,
    )


def note(stand: Stand, now: float, usage: Usage) -> Stand:
    """Note the vendor's usage: if less than a tenth of a window remains it is spread over the time to its reset."""
    if usage.resets_in is None or not usage.is_scarce:
        return stand
    end = now + min(usage.resets_in, LONGEST_WINDOW_S)
    if not usage.left:
        return msgspec.structs.replace(stand, hold=max(stand.hold, end), at=now)
    spread = usage.left / max(end - now, 1.0)
    return msgspec.structs.replace(
        stand, spread=spread, spread_until=end, free_at=max(stand.free_at, now + 1 / spread), at=now
    )


def observed(stand: Stand, now: float) -> float:
    """Return the rate of the calls that left over the last seconds, but for the one that was refused."""
    recent = [(second, calls) for second, calls in stand.left if second > now - LOOK_BACK_S]
    if not recent:
        return 0.0
    span = max(now - recent[0][0], SHORTEST_LOOK_S)
    return max(0, sum(calls for _, calls in recent) - 1) / span


def _grow(stand: Stand, now: float) -> Stand:
    """Go one step up after enough seconds and calls without a refusal; drop the pace if none was needed for a while."""
    if not stand.rate or now - stand.step_at < STEP_S:
        return stand
    if now - stand.bound_at > UNBOUND_S:
        return msgspec.structs.replace(stand, rate=0.0, ceiling=0.0)
    # Above what was refused the vendor allows more than it did: small steps would take hours from the slowest rate.
    factor, calls = (STEP, STEP_CALLS) if stand.rate < stand.ceiling else (LEAP, LEAP_CALLS)
    if stand.step_calls < calls:
        return stand
    return msgspec.structs.replace(stand, rate=stand.rate * factor, step_at=now, step_calls=0)


def _counted(stand: Stand, at: float) -> tuple[tuple[int, int], ...]:
    second = int(at)
    counts = dict(stand.left)
    counts[second] = counts.get(second, 0) + 1
    return tuple(sorted((one, calls) for one, calls in counts.items() if one > second - LOOK_BACK_S))
