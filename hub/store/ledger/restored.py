"""What a restored, older database cannot know: deliveries that were sent after the backup was made. They are in doubt.

A doubt is never simply sent: the destination recognises it by its key, or is asked for it first, or a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, literal, select, update

from hub.core.ledger import IN_DEAD_END, State
from hub.store.database import among, chunks
from hub.store.ledger.moves import moving
from hub.store.schema import RESTORED, Time, attempts, memories, signals
from hub.store.schema import deliveries as T

MARK = "restored"
CAUGHT_UP = timedelta(days=7)
"""How long after a restore the sources may still bring what the lost database had seen."""
WAITING: tuple[State, ...] = ("pending", "retry", "blocked", "parked")


class RestoreMark(msgspec.Struct, frozen=True):
    """A backup made at `taken_at` was restored, and the hub sends again since `until`."""

    taken_at: datetime
    until: datetime


def restored(conn: Connection, *, now: datetime) -> RestoreMark | None:
    """Return the restore that new deliveries may have been sent before, None if there was none, or it is long ago."""
    query = select(memories.c.value).where(*(memories.c[name] == value for name, value in RESTORED.items()))
    found = conn.scalar(query)
    made = None if found is None else msgspec.convert(found, RestoreMark)
    return made if made is not None and now < made.until + CAUGHT_UP else None


def doubt_new(conn: Connection, rows: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """Put rows that are about to be planned in doubt if what they are made of was said before a restore was over."""
    made = restored(conn, now=now) if rows else None
    if made is None:
        return
    later: set[str] = set()
    for part in chunks(sorted({row["signal_key"] for row in rows})):
        query = select(signals.c.key).where(among(signals.c.key, part), signals.c.published_at > made.until)
        later.update(conn.scalars(query))
    for row in rows:
        doubtful = row["state"] == "pending" and row["operation"] != "tombstone" and row["signal_key"] not in later
        row["first_sent_at"] = made.taken_at if doubtful else None
        if doubtful:
            row["state"] = "uncertain"


def doubt_waiting(conn: Connection, *, taken_at: datetime, now: datetime) -> int:
    """Put all that waited when the backup was made in doubt; returns how many deliveries.

    What awaits a person, and dead letters, keep their state; a mark among their attempts puts them in doubt once a person lets
    them go on.
    """
    sent = {"first_sent_at": func.coalesce(T.c.first_sent_at, literal(taken_at, Time))}
    waits = moving("uncertain", of=WAITING).where(T.c.operation != "tombstone")  # what is taken back twice is gone too
    count = conn.execute(waits.values(due_at=now, **sent)).rowcount
    stays = T.c.state.in_(sorted(IN_DEAD_END))
    mark = (literal(MARK), literal(taken_at, Time), literal(now, Time), literal(MARK))
    rows = select(T.c.id, T.c.attempts, *mark).where(stays)
    names = ["delivery_id", "attempt", "lease", "started_at", "finished_at", "outcome"]
    conn.execute(insert(attempts).from_select(names, rows))
    conn.execute(update(T).where(stays).values(sent))
    return count


def is_marked() -> ColumnElement[bool]:
    """Return the condition that nothing was tried since a restore put a mark."""
    tried = select(attempts.c.outcome).where(attempts.c.delivery_id == T.c.id).order_by(attempts.c.id.desc()).limit(1)
    return tried.correlate(T).scalar_subquery() == MARK
