"""What to do after a failed attempt: a value that the engine obeys."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from hub.core.errors import QuotaExhausted, Rejected, Retryable, Unauthorised, Uncertain

SCHEDULE = (0, 5, 300, 1800, 7200, 18000, 36000, 36000)
"""Seconds before each attempt: the first at once, the eighth ten hours after the seventh."""

JITTER = 0.2
LONGEST_WAIT = 24 * 3600.0
PARKED_FOR = timedelta(hours=1)


class RetryAt(msgspec.Struct, frozen=True):
    """Try again, not before `at`."""

    at: datetime
    reason: str = ""


class Park(msgspec.Struct, frozen=True):
    """Wait until a quota is filled again; no attempt is burnt."""

    until: datetime
    reason: str = ""


class Block(msgspec.Struct, frozen=True):
    """Pause the connection until a person authorises it again; no attempt is burnt."""

    reason: str


class GiveUp(msgspec.Struct, frozen=True):
    """A dead letter."""

    reason: str


class Doubt(msgspec.Struct, frozen=True):
    """It may have been done: see `delivery.resolve`."""

    reason: str = ""


Decision = RetryAt | Park | Block | GiveUp | Doubt


def decide(error: BaseException, *, attempt: int, now: datetime, jitter: float = 0.0) -> Decision:
    """Decide about an error of the attempt with this number (from 1); `jitter` in [-1, 1] comes from outside.

    Only ConnectorErrors have a meaning; anything else is a bug and becomes a dead letter that says so.
    """
    match error:
        case Retryable():
            return _retry(error, attempt, now=now, jitter=jitter)
        case QuotaExhausted():
            return Park(max(error.until or now + PARKED_FOR, now), str(error))
        case Unauthorised():
            return Block(str(error))
        case Uncertain():
            return Doubt(str(error))
        case Rejected():
            return GiveUp(f"{error.field}: {error}" if error.field else str(error))
        case _:
            return GiveUp(f"bug: {type(error).__name__}: {error}")


def _retry(error: Retryable, attempt: int, *, now: datetime, jitter: float) -> Decision:
    if attempt >= len(SCHEDULE):
        return GiveUp(f"gave up after {attempt} attempts: {error}")
    # jitter spreads the retries of a batch that failed together; it never undercuts what the vendor asked for
    planned = SCHEDULE[max(attempt, 1)] * (1 + JITTER * min(max(jitter, -1.0), 1.0))
    wait = max(planned, _asked_for(error.retry_after))
    return RetryAt(now + timedelta(seconds=wait), str(error))


def _asked_for(retry_after: float | None) -> float:
    """The vendor's Retry-After in seconds: a floor of the wait, capped; nonsense counts as nothing."""
    if retry_after is None or not retry_after > 0:  # a NaN fails this comparison too
        return 0.0
    return min(float(retry_after), LONGEST_WAIT)
