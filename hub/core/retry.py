"""What to do after a failed attempt, and with a connection that fails again and again: values that the engine obeys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from hub.core.errors import (
    ConnectorError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
)

SCHEDULE = (0, 5, 300, 1800, 7200, 18000, 36000, 36000)
"""Seconds before each attempt: the first at once, the eighth ten hours after the seventh."""

JITTER = 0.2
LONGEST_WAIT = 24 * 3600.0
PARKED_FOR = timedelta(hours=1)
LONGEST_PARK = timedelta(days=32)
"""Quotas of a month are filled again by then; a vendor that names a later time has another clock, or means something else."""
SHORTEST_PARK = timedelta(seconds=30)
SHORTEST_WAIT = 1.0

FAILURES = 5
"""Batches in a row that got no answer, after which the breaker opens."""

OPEN_FOR, LONGEST_OPEN = timedelta(seconds=30), timedelta(minutes=15)
PROBE_FOR = timedelta(minutes=2)
"""How long a probe may take: after that another worker may try."""


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
    """It may have been done: see `ledger.resolve`."""

    reason: str = ""


RetryDecision = RetryAt | Park | Block | GiveUp | Doubt


def decide(error: BaseException, *, attempt: int, now: datetime, jitter: float = 0.0) -> RetryDecision:
    """Decide about an error of the attempt with this number (from 1); `jitter` in [-1, 1] comes from outside.

    Only the classes below have a meaning; anything else is a bug, and what it leaves is in doubt.
    """
    match error:
        case Retryable():
            return _retry(error, attempt, now=now, jitter=jitter)
        case QuotaExhausted():
            return Park(parked_until(error, now), str(error))
        case Unauthorised():
            return Block(str(error))
        case Uncertain():
            return Doubt(str(error))
        case Rejected():
            return GiveUp(f"{error.field}: {error}" if error.field else str(error))
        case _:
            return Doubt(f"bug: {type(error).__name__}: {error}")


def _retry(error: Retryable, attempt: int, *, now: datetime, jitter: float) -> RetryDecision:
    if isinstance(error, RateLimited):
        # Kept however often it happens: the vendor is there, and the connection's pace and pause slow down by themselves.
        asked = max(asked_for(error.retry_after), SHORTEST_WAIT) * (1 + JITTER * (1 + _bounded(jitter)) / 2)
        return Park(now + timedelta(seconds=asked), str(error))
    if attempt >= len(SCHEDULE):
        return GiveUp(f"gave up after {attempt} attempts: {error}")
    # jitter spreads the retries of a batch that failed together; it never undercuts what the vendor asked for
    planned = SCHEDULE[max(attempt, 1)] * (1 + JITTER * _bounded(jitter))
    wait = max(planned, asked_for(error.retry_after))
    return RetryAt(now + timedelta(seconds=wait), str(error))


def _bounded(jitter: float) -> float:
    return min(max(jitter, -1.0), 1.0)


def parked_until(error: QuotaExhausted, now: datetime) -> datetime:
    """Return when to ask for a quota again: never at once (their clock is not ours), never after more than a month."""
    named: object = error.until  # a plugin may have put there what it read
    until = named if isinstance(named, datetime) and named.tzinfo is not None else now + PARKED_FOR
    return min(max(until, now + SHORTEST_PARK), now + LONGEST_PARK)


def asked_for(retry_after: object) -> float:
    """Return the vendor's Retry-After in seconds: a floor of the back-off, capped; nonsense counts as nothing."""
    if not isinstance(retry_after, int | float) or not retry_after > 0:  # a NaN fails this comparison too
        return 0.0
    return float(min(retry_after, LONGEST_WAIT))


# ------------------------------------------------------------------------------------------------------- the breaker

ConnectionState = Literal["ok", "paused", "open", "half-open"]
BatchVerdict = Literal["up", "down", "silent"]
"""What a batch tells of the other side: it answered, it was not there, or it was not asked."""

_OWN_REFUSALS = ("paced", "egress", "request", "reply_rules", "no_reply")  # codes of what we did not let out ourselves


class ConnectionStanding(msgspec.Struct, frozen=True):
    """How a connection stands: nothing is sent before `until`; `failures` in a row, `openings` since it last answered."""

    state: ConnectionState = "ok"
    reason: str | None = None
    until: datetime | None = None
    failures: int = 0
    openings: int = 0


def judge(errors: Sequence[BaseException | None]) -> BatchVerdict:
    """Judge the other side by a batch's errors (None: delivered): only a whole batch without an answer speaks against it."""
    if any(error is None for error in errors):
        return "up"
    heard = [error for error in errors if isinstance(error, ConnectorError) and error.code not in _OWN_REFUSALS]
    if any(isinstance(error, QuotaExhausted | Unauthorised | Rejected | RateLimited) for error in heard):
        return "up"
    if any(type(error) is Retryable for error in heard):  # it answered, and could not do this record now
        return "up"
    if any(isinstance(error, ConnectorError) and error.code == "bug" for error in errors):  # our side, not theirs
        return "silent"
    return "down" if errors and all(isinstance(error, Unavailable | Uncertain) for error in errors) else "silent"


def after_batch(
    standing: ConnectionStanding, verdict: BatchVerdict, *, now: datetime, reason: str = ""
) -> ConnectionStanding:
    """Return the standing after a batch: any answer closes the breaker, failures in a row or a failed probe open it."""
    change = msgspec.structs.replace
    if verdict == "silent":
        return change(standing, state="open", until=now) if standing.state == "half-open" else standing
    if verdict == "up":
        pausing = standing.state == "paused" and admits(standing, now) == "none"
        return change(standing, failures=0, openings=0) if pausing else ConnectionStanding()
    failed = change(standing, failures=standing.failures + 1)
    if standing.state == "open" or (standing.state != "half-open" and failed.failures < FAILURES):
        return failed
    until = now + min(OPEN_FOR * 2 ** min(standing.openings, 10), LONGEST_OPEN)
    if standing.state == "paused" and standing.until is not None:
        until = max(until, standing.until)
    said = f"{failed.failures} batches in a row failed: {reason}"
    return change(failed, state="open", reason=said, until=until, openings=standing.openings + 1)


def admits(standing: ConnectionStanding, now: datetime) -> Literal["all", "probe", "none"]:
    """Say what may be sent over a connection now: everything, one record to see if the other side answers, or nothing."""
    if standing.until is not None and now < standing.until:
        return "none"
    return "probe" if standing.state in ("open", "half-open") else "all"


def begin_probe(standing: ConnectionStanding, now: datetime) -> ConnectionStanding:
    """Return the breaker while one worker probes; the same standing if no probe is due (another worker was first)."""
    if admits(standing, now) != "probe":
        return standing
    return msgspec.structs.replace(standing, state="half-open", until=now + PROBE_FOR)
