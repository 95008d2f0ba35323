"""Times that lie too far ahead: a clock that ran ahead and was set back leaves them, and nothing would be due until then.

Each noun has a longest pause that it is ever given. What lies farther away, or was written at a time that has not come yet, is
pulled back: to be asked a little early does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, case, delete, exists, or_, select, update

from hub.core.accounts import LIVES, LONGEST
from hub.core.retry import JITTER, LONGEST_PARK, LONGEST_WAIT
from hub.store.accounts.failures import LONGEST_BAR
from hub.store.connections import LEASE as CURSOR_LEASE
from hub.store.database import Database
from hub.store.inbox import LABEL_PAUSES, PAUSES, UNLABELLED
from hub.store.inbox import LEASE as INBOX_LEASE
from hub.store.ledger.deliveries import LEASE as DELIVERY_LEASE
from hub.store.monitor.figures import SLOT, slot_of
from hub.store.schema import (
    DUE,
    alerts,
    arrivals,
    attempts,
    connections,
    cursors,
    heartbeats,
    inbox,
    log_in_failures,
    one_time_links,
    rechecks,
    sessions,
)
from hub.store.schema import deliveries as T

SLACK = timedelta(seconds=5)
"""Clocks of several machines differ by that much."""
LONGEST_RETRY = timedelta(seconds=LONGEST_WAIT * (1 + JITTER))
AT_ONCE = ("pending", "blocked")
"""States of deliveries whose time has come when they are written, or that a pause of their connection holds."""


class _Late(NamedTuple):
    """Rows of a table whose times were set by another clock, and the values that they get."""

    table: Table
    rows: ColumnElement[bool]
    values: Mapping[str, Any]


class Ahead:
    """Pulls back what lies too far ahead."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def pull_back(self, *, now: datetime, pauses: Mapping[str, timedelta], repeat: timedelta) -> dict[str, int]:
        """Pull back due times, leases and signs of life; returns how many rows of which table.

        `pauses` holds the longest pause of each cursor between two polls, `repeat` that between two words of an alert.
        Nothing is written, and no lock taken, as long as all times are as they should be.
        """
        late = [*_late(now), *_late_alerts(now, repeat)]
        with self.database.read() as conn:
            cursors_late = _late_cursors(conn, now, pauses)
            sources = list(conn.scalars(select(arrivals.c.source).where(_heard_later(now)).distinct()))
            found = [one for one in late if conn.scalar(select(exists().where(one.rows)))]
        if not (found or cursors_late or sources):
            return {}
        done: dict[str, int] = {}
        with self.database.write() as conn:
            for table, rows, values in (*late, *_late_windows(now), *map(_pulled(now), cursors_late)):
                changed = conn.execute(update(table).where(rows).values(values)).rowcount
                done[table.name] = done.get(table.name, 0) + changed
            done["arrivals"] = self._pull_arrivals(conn, sources, now)
        return {name: count for name, count in done.items() if count}

    def _pull_arrivals(self, conn: Connection, sources: list[str], now: datetime) -> int:
        """Let sources that were heard at a time that has not come yet be heard now: silence counts from now on."""
        if sources:
            conn.execute(delete(arrivals).where(_heard_later(now)))
            rows = [{"source": name, "slot": slot_of(now), "last_at": now} for name in sources]
            conn.execute(self.database.upsert(arrivals, index=["source", "slot"], update=["last_at"]), rows)
        return len(sources)


def _heard_later(now: datetime) -> ColumnElement[bool]:
    return or_(arrivals.c.last_at > now + SLACK, arrivals.c.slot > slot_of(now + SLOT))


def _late(now: datetime) -> Iterator[_Late]:
    soon = now + SLACK
    too_far = or_(inbox.c.form != UNLABELLED, inbox.c.due_at > soon + LABEL_PAUSES[1])
    yield _Late(
        inbox, and_(inbox.c.state == "new", inbox.c.due_at > soon + max(PAUSES.values()), too_far), {"due_at": now}
    )
    yield _lease(inbox, now, INBOX_LEASE)
    yield _Late(T, and_(DUE, T.c.due_at > soon, or_(_too_far(now), _tried_later(soon))), {"due_at": now})
    yield _lease(T, now, DELIVERY_LEASE)
    of_later, too_far = connections.c.at > soon, connections.c.paused_until > now + LONGEST_PARK
    pause = and_(connections.c.paused_until > now, or_(of_later, too_far))
    yield _Late(connections, pause, {"paused_until": now, "at": now})
    yield _Late(connections, of_later, {"at": now})
    until = now + CURSOR_LEASE
    yield _Late(cursors, cursors.c.lease_until > until + SLACK, {"lease_until": until})
    yield _Late(cursors, cursors.c.polled_at > soon, {"due_at": now, "polled_at": now})
    yield _Late(heartbeats, heartbeats.c.at > soon, {"at": now})
    for column in (rechecks.c.checked_at, rechecks.c.seen_at):
        yield _Late(rechecks, column > soon, {column.name: now})
    yield from _late_accounts(now)


def _late_accounts(now: datetime) -> Iterator[_Late]:
    """Yield sessions and links that would live too long, and log-ins that would be barred too long."""
    yield _Late(sessions, sessions.c.until > now + LONGEST + SLACK, {"until": now + LONGEST})
    yield _Late(sessions, sessions.c.seen_at > now + SLACK, {"seen_at": now})
    yield _Late(one_time_links, one_time_links.c.until > now + max(LIVES.values()) + SLACK, {"until": now})
    yield _Late(log_in_failures, log_in_failures.c.until > now + LONGEST_BAR + SLACK, {"until": now})


def _late_windows(now: datetime) -> Iterator[_Late]:
    """Yield sendings of a time that has not come: a key's window and a search's lag begin now at the latest."""
    yield _Late(T, and_(DUE, T.c.first_sent_at > now + SLACK), {"first_sent_at": now})


def _too_far(now: datetime) -> ColumnElement[bool]:
    return case(
        (T.c.state.in_(AT_ONCE), T.c.due_at > now + SLACK),
        (T.c.state == "parked", T.c.due_at > now + LONGEST_PARK),
        else_=T.c.due_at > now + LONGEST_RETRY,
    )


def _tried_later(soon: datetime) -> ColumnElement[bool]:
    return exists().where(attempts.c.delivery_id == T.c.id, attempts.c.finished_at > soon)


def _lease(table: Table, now: datetime, span: timedelta) -> _Late:
    late = and_(table.c.state == "leased", table.c.lease_until > now + span + SLACK)
    return _Late(table, late, {"lease_until": now + span})


def _late_alerts(now: datetime, repeat: timedelta) -> Iterator[_Late]:
    soon = now + SLACK
    of_later = alerts.c.told_at > soon
    yield _Late(alerts, and_(alerts.c.due_at > now, or_(of_later, alerts.c.due_at > soon + repeat)), {"due_at": now})
    for column in (alerts.c.told_at, alerts.c.since):
        yield _Late(alerts, column > soon, {column.name: now})


def _late_cursors(conn: Connection, now: datetime, pauses: Mapping[str, timedelta]) -> list[str]:
    """Return the cursors that are due later than their pause allows or, after an error, than any pause does."""
    rows = conn.execute(select(cursors).where(cursors.c.due_at > now + SLACK)).all()
    return [row.source for row in rows if row.due_at > now + _longest(row, pauses) + SLACK]


def _longest(row: Any, pauses: Mapping[str, timedelta]) -> timedelta:
    longest = pauses.get(row.source, LONGEST_RETRY)
    if row.error:
        return max(longest, LONGEST_PARK if row.error.startswith("QuotaExhausted") else LONGEST_RETRY)
    return longest


def _pulled(now: datetime) -> Callable[[str], _Late]:
    return lambda source: _Late(cursors, cursors.c.source == source, {"due_at": now})
