"""The ledger's words: what a state means and which may follow it, what a record needs, and its lane.

Every set of states is derived from one table here. Indexes, filters and pages take their sets from it, and a write that the
table of transitions forbids is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Self, get_args

import msgspec

from hub.core.errors import HubError
from hub.core.retry import Block, Doubt, GiveUp, Park, RetryAt, RetryDecision

State = Literal[
    "pending",
    "approval",
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
RECORDS = ("upsert", "create", "comment")
"""Operations that write what a person looks at there."""
PARTS = ("comment", "note")
"""Operations that write a part of another record: its id may be that of a ticket."""


class Sense(NamedTuple):
    """What a state means.

    `due`: a worker may claim it once its time has come; `open`: something may still come of it, and later deliveries of its
    record wait; `closed`: nothing waits for it any more; `settled`: it has its end and the time of it; `there`: its payload
    is, or may be, at the destination; `idle`: it waits, with nothing under way and without a doubt; `troubled`: it does not
    move as it should; `person`: a person has the word; `discardable`: a person may give it up.
    """

    due: bool = False
    open: bool = False
    closed: bool = False
    settled: bool = False
    there: bool = False
    idle: bool = False
    troubled: bool = False
    person: bool = False
    discardable: bool = False


SENSE: Mapping[State, Sense] = {
    "pending": Sense(due=True, open=True, idle=True),
    "approval": Sense(open=True, troubled=True, person=True, discardable=True),
    "leased": Sense(open=True, there=True),
    "retry": Sense(due=True, open=True, idle=True, troubled=True),
    "delivered": Sense(closed=True, settled=True, there=True),
    "blocked": Sense(due=True, open=True, idle=True, troubled=True, discardable=True),
    "parked": Sense(due=True, open=True, idle=True, troubled=True),
    "uncertain": Sense(due=True, open=True, there=True, troubled=True),
    "review": Sense(open=True, there=True, troubled=True, person=True, discardable=True),
    "dead": Sense(settled=True, troubled=True, discardable=True),  # what needs its record goes on waiting for it
    "discarded": Sense(closed=True, settled=True),
    "superseded": Sense(closed=True, settled=True),
}


def _those(name: str) -> frozenset[State]:
    return frozenset(state for state in STATES if getattr(SENSE[state], name))


DUE = _those("due")
OPEN = _those("open")
CLOSED = _those("closed")
SETTLED = _those("settled")
MAYBE_THERE = _those("there")
IDLE = _those("idle")
TROUBLED = _those("troubled")
DISCARDABLE = _those("discardable")
AWAITING_PERSON = _those("person")
"""A doubt that only a person can end (`review`), and a wish that a person has to let out (`approval`)."""
UNCLOSED = frozenset(STATES) - CLOSED
WITHDRAWN: frozenset[State] = CLOSED - {"delivered"}
"""It ended, and nothing of it is at the destination."""
RETRYABLE: frozenset[State] = DUE | AWAITING_PERSON | {"dead"}
RETRYABLE_TOGETHER = (RETRYABLE & TROUBLED) - AWAITING_PERSON
"""What may be tried again many at a time; what awaits a person waits for a word of its own."""
STOPPABLE = IDLE | AWAITING_PERSON
"""What can still be given up before it is sent (again)."""
GIVING_WAY: frozenset[State] = (TROUBLED & IDLE) | {"review"}
"""What was tried and gives way to a newer payload that has waited behind it for too long."""
IN_DEAD_END: frozenset[State] = AWAITING_PERSON | {"dead"}
"""What does not move again by itself."""

TRANSITIONS: Mapping[State, frozenset[State]] = {
    "pending": WITHDRAWN | {"leased", "blocked", "parked", "uncertain", "review"},
    "approval": WITHDRAWN | {"pending", "uncertain"},
    "leased": WITHDRAWN | {"pending", "delivered", "retry", "blocked", "parked", "uncertain", "review", "dead"},
    "retry": WITHDRAWN | {"pending", "leased", "blocked", "parked", "uncertain", "review"},
    "blocked": WITHDRAWN | {"pending", "leased", "uncertain", "review"},
    "parked": WITHDRAWN | {"pending", "leased", "blocked", "uncertain", "review"},
    "uncertain": frozenset({"pending", "leased", "retry", "delivered", "review", "dead", "discarded"}),
    "review": WITHDRAWN | {"pending", "uncertain", "delivered"},
    "dead": frozenset({"pending", "uncertain", "discarded"}),
    "delivered": frozenset(),
    "discarded": frozenset(),
    "superseded": frozenset(),
}
"""What may follow a state. `WITHDRAWN` is also what becomes of a delivery if its post is gone."""


class ForbiddenTransition(HubError):
    """A delivery may not go from this state to that one."""


def check_transition(old: State, new: State) -> None:
    """Raise ForbiddenTransition unless the table allows it."""
    if new not in TRANSITIONS[old]:
        raise ForbiddenTransition(f"a delivery may not go from {old} to {new}")


def in_order(states: Iterable[State]) -> list[State]:
    """Return states in the order of the table, so that a statement made of them is always the same."""
    wanted = frozenset(states)
    return [state for state in STATES if state in wanted]


# ------------------------------------------------------------------------------------------------- needs and lanes


class Need(NamedTuple):
    """A record that others need before they can be sent: what its key is of, its object at the destination, the key.

    Written `kind:object:key`. Kinds are signal, author, person, account, conversation (of mappings), reply and note.
    """

    kind: str
    object: str
    key: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Take a written one apart (the key may hold colons of its own). Raises ValueError if it is none."""
        kind, object_, key = text.split(":", 2)
        if not (kind and object_ and key):
            raise ValueError(f"'{text}' names no record: kind:object:key")
        return cls(kind, object_, key)

    def __str__(self) -> str:
        """Write it as the ledger does."""
        return f"{self.kind}:{self.object}:{self.key}"


Work = Literal["deliver", "reply", "poll", "changes", "recheck"]
_PREFIXES: Mapping[Work, str] = {
    "deliver": "",
    "reply": "sources/",  # a source may have the name of a destination
    "poll": "",
    "changes": "destinations/",
    "recheck": "recheck/",
}


class Lane(NamedTuple):
    """What is done over one connection, in order: deliver to a destination, reply through a source, poll, and the like.

    Written with a prefix if two kinds of work share a list of names: the ledger's destinations, the cursors.
    """

    work: Work
    name: str

    @classmethod
    def of_outlet(cls, text: str) -> Self:
        """Read what the ledger sends to: a destination's name, or `sources/NAME` for replies."""
        return cls._read(text, ("reply",), "deliver")

    @classmethod
    def of_cursor(cls, text: str) -> Self:
        """Read the owner of a cursor: a source's name, `destinations/NAME` or `recheck/NAME`."""
        return cls._read(text, ("changes", "recheck"), "poll")

    @classmethod
    def _read(cls, text: str, works: Iterable[Work], plain: Work) -> Self:
        for work in works:
            if text.startswith(_PREFIXES[work]):
                return cls(work, text.removeprefix(_PREFIXES[work]))
        return cls(plain, text)

    def __str__(self) -> str:
        """Write it as the ledger and the cursors do."""
        return f"{_PREFIXES[self.work]}{self.name}"


# ------------------------------------------------------------------------------------------------------- settling


class SettledAs(NamedTuple):
    """What to write after an attempt; `due_at` is None if nothing is due by itself."""

    state: State
    due_at: datetime | None = None
    burns_attempt: bool = True


def settle(decision: RetryDecision) -> SettledAs:
    """Return the ledger's next state for what was decided about an error."""
    match decision:
        case RetryAt():
            return SettledAs("retry", decision.at)
        case Park():
            return SettledAs("parked", decision.until, burns_attempt=False)
        case Block():
            return SettledAs("blocked", burns_attempt=False)
        case GiveUp():
            return SettledAs("dead")
        case Doubt():
            return SettledAs("uncertain")


class Resend(msgspec.Struct, frozen=True):
    """Send the same again: the destination will recognise it."""


class LookUp(msgspec.Struct, frozen=True):
    """Ask the destination for it, not before `at` (its search lags)."""

    at: datetime


class Review(msgspec.Struct, frozen=True):
    """Leave it to a person: the hub cannot tell."""


Recognition = tuple[Literal["upsert", "native", "lookup", "none"], timedelta | None]
"""How a destination recognises what it has: its kind, and the window (native) or the search lag (lookup)."""


def resolve(idempotency: Recognition, *, first_sent_at: datetime, now: datetime) -> Resend | LookUp | Review:
    """Decide about a delivery in doubt: resend what the destination will recognise, else look it up after its lag.

    After a native window the look-up comes at once. Never search and then create: a lagging search would double it.
    """
    kind, span = idempotency
    if kind == "upsert" or (kind == "native" and (span is None or now - first_sent_at < span)):
        return Resend()
    if kind == "none":
        return Review()
    lag = span if kind == "lookup" and span else timedelta()
    return LookUp(max(now, first_sent_at + lag))
