"""The life of a delivery: its states, which may follow which, and how an attempt settles it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from hub.core.errors import HubError
from hub.core.model import RemoteRef
from hub.core.retry import Block, Decision, Doubt, GiveUp, Park, RetryAt

State = Literal[
    "pending",
    "leased",
    "retry",
    "delivered",
    "blocked",
    "parked",
    "uncertain",
    "review",
    "dead",
    "discarded",
    "superseded",
]
STATES: tuple[State, ...] = get_args(State)

_GONE: frozenset[State] = frozenset({"superseded", "discarded"})  # also what becomes of it when its post is gone

TRANSITIONS: Mapping[State, frozenset[State]] = {
    "pending": frozenset({"leased", "blocked", "parked", "uncertain", "review", *_GONE}),
    "leased": frozenset({"pending", "delivered", "retry", "blocked", "parked", "uncertain", "review", "dead", *_GONE}),
    "retry": frozenset({"pending", "leased", "blocked", "parked", "uncertain", "review", *_GONE}),
    "blocked": frozenset({"pending", "leased", "uncertain", "review", *_GONE}),
    "parked": frozenset({"pending", "leased", "blocked", "uncertain", "review", *_GONE}),
    "uncertain": frozenset({"pending", "leased", "retry", "delivered", "review", "dead", "discarded"}),
    "review": frozenset({"pending", "uncertain", "delivered", *_GONE}),
    "dead": frozenset({"pending", "discarded"}),
    "delivered": frozenset(),
    "discarded": frozenset(),
    "superseded": frozenset(),
}

OPEN: frozenset[State] = frozenset({"pending", "leased", "retry", "blocked", "parked", "uncertain", "review"})
"""What may still be sent or is being decided: it holds back later deliveries that need it."""

DUE: frozenset[State] = frozenset({"pending", "retry", "parked"})
"""What a worker may lease once its time has come (a blocked row waits for its connection, an uncertain one for `resolve`)."""


class ForbiddenTransition(HubError):
    """A delivery may not go from this state to that one."""


class Delivered(msgspec.Struct, frozen=True):
    """The destination has the record."""

    ref: RemoteRef | None = None


class Settled(msgspec.Struct, frozen=True):
    """What to write into the ledger after an attempt; `due_at` is None where nothing is due by itself."""

    state: State
    due_at: datetime | None = None
    burns_attempt: bool = True
    error: str = ""


class Resend(msgspec.Struct, frozen=True):
    """Send the same again: the destination will recognise it."""


class LookUp(msgspec.Struct, frozen=True):
    """Ask the destination for it, not before `at` (its search lags)."""

    at: datetime


class Review(msgspec.Struct, frozen=True):
    """Nobody can tell: a person decides."""


Idempotency = tuple[Literal["upsert", "native", "lookup", "none"], timedelta | None]
"""How a destination recognises what it has: its kind, and the window (native) or the search lag (lookup)."""


def check_transition(old: State, new: State) -> None:
    """Raise ForbiddenTransition unless the table allows it."""
    if new not in TRANSITIONS[old]:
        raise ForbiddenTransition(f"a delivery may not go from {old} to {new}")


def settle(outcome: Delivered | Decision) -> Settled:
    """The ledger's next state after an attempt: what was decided about its error, or Delivered."""
    match outcome:
        case Delivered():
            return Settled("delivered")
        case RetryAt():
            return Settled("retry", outcome.at, error=outcome.reason)
        case Park():
            return Settled("parked", outcome.until, burns_attempt=False, error=outcome.reason)
        case Block():
            return Settled("blocked", burns_attempt=False, error=outcome.reason)
        case GiveUp():
            return Settled("dead", error=outcome.reason)
        case Doubt():
            return Settled("uncertain", error=outcome.reason)


def resolve(idempotency: Idempotency, *, first_sent_at: datetime, now: datetime) -> Resend | LookUp | Review:
    """What to do with an uncertain delivery: resend what the destination will recognise, else look it up after its lag.

    After a native window the look-up comes at once. Never search and then create: a lagging search would double it.
    """
    kind, span = idempotency
    if kind == "upsert" or (kind == "native" and (span is None or now - first_sent_at < span)):
        return Resend()
    if kind == "none":
        return Review()
    lag = span if kind == "lookup" and span else timedelta()
    return LookUp(max(now, first_sent_at + lag))
