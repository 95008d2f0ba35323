"""Figures for alerts and metrics: counts over small indexes, and when each source was heard."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    TextClause,
    case,
    delete,
    func,
    literal,
    select,
    text,
)

from hub.core.errors import Conflict
from hub.store.database import Database
from hub.store.schema import DUE, EPOCH, TROUBLED, Time, arrivals, heartbeats, inbox, memories
from hub.store.schema import attempts as A
from hub.store.schema import deliveries as T

SLOT = timedelta(minutes=5)
KEPT_SLOTS = timedelta(days=8) // SLOT
READ = 20_000
PROBE = {"connection": "readiness", "name": "probe", "value": None}
MARK = {"connection": "watch", "name": "inbox"}
# Written out, not bound: SQLite uses a partial index only if it sees the index's own condition.
_UNREAD = text("state = 'new' and form <> 'label'")


class Dead(NamedTuple):
    """Dead letters of a destination: all, those of the last hour, those of the day before that."""

    total: int
    hour: int
    day: int


class ToBeDone(NamedTuple):
    """What is to be done now: raw rows that wait and that are held by a worker, deliveries that are due and that are held.

    `told` are those of the rows that destinations told: no items that anyone said.
    """

    rows: int
    rows_held: int
    due: int
    held: int
    told: int = 0

    def __bool__(self) -> bool:
        """Return True if anything is to be done."""
        return any(self)


class Figures:
    """Queries that only count."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def dead(self, *, now: datetime) -> dict[str, Dead]:
        """Count dead letters by destination."""
        hour, day = now - timedelta(hours=1), now - timedelta(hours=25)
        recent = func.sum(case((T.c.settled_at >= hour, 1), else_=0))
        before = func.sum(case((T.c.settled_at >= hour, 0), (T.c.settled_at >= day, 1), else_=0))
        query = select(T.c.destination, func.count(), recent, before).where(TROUBLED, T.c.state == "dead")
        with self.database.read() as conn:
            return {row[0]: Dead(*row[1:]) for row in conn.execute(query.group_by(T.c.destination))}

    def blocked(self) -> dict[str, int]:
        """Count deliveries that wait for a connection's authorisation, by destination."""
        query = select(T.c.destination, func.count()).where(TROUBLED, T.c.state == "blocked")
        with self.database.read() as conn:
            return {row[0]: row[1] for row in conn.execute(query.group_by(T.c.destination))}

    def oldest_due(self, *, now: datetime) -> dict[str, datetime]:
        """Return since when the oldest due delivery waits, by destination."""
        due = DUE, T.c.due_at <= now
        query = select(T.c.destination, func.min(T.c.due_at, type_=Time)).where(*due)
        with self.database.read() as conn:
            return {row[0]: row[1] for row in conn.execute(query.group_by(T.c.destination))}

    def waiting(self) -> dict[str, tuple[int, datetime]]:
        """Count what waits to be sent and since when the oldest is due, by destination; it reads one small index."""
        query = select(T.c.destination, func.count(), func.min(T.c.due_at, type_=Time)).where(DUE)
        with self.database.read() as conn:
            return {row[0]: (row[1], row[2]) for row in conn.execute(query.group_by(T.c.destination))}

    def unread(self) -> tuple[int, datetime | None]:
        """Count what waits to be processed, and since when the oldest does; marks of signals to be labelled are no such thing."""
        with self.database.read() as conn:
            count, oldest = conn.execute(
                select(func.count(), func.min(inbox.c.due_at, type_=Time)).select_from(inbox).where(_UNREAD)
            ).one()
        return count, oldest

    def size(self) -> int:
        """Return how many bytes the database takes, without what stands beside the file."""
        pages = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        query = pages if self.database.is_sqlite else text("SELECT pg_database_size(current_database())")
        with self.database.read() as conn:
            return int(conn.scalar(query) or 0)

    def ahead(self, *, now: datetime, most: int = 10_000) -> ToBeDone:
        """Count what is to be done now, each up to `most`; marks of signals to be labelled wait for their enricher."""
        leased = text("state = 'leased'")  # written out, as above
        with self.database.read() as conn:

            def rows(where: TextClause) -> tuple[int, int]:
                some = select(inbox.c.form).where(where).limit(most).subquery()
                told = func.sum(case((some.c.form.in_(("event", "change")), 1), else_=0))
                count, ours = conn.execute(select(func.count(), told).select_from(some)).one()
                return count, ours or 0

            def sends(*where: ColumnElement[bool] | TextClause) -> int:
                some = select(T.c.id).where(*where).limit(most).subquery()
                return conn.scalar(select(func.count()).select_from(some)) or 0

            (new, told), (held, told_held) = rows(_UNREAD), rows(leased)
            return ToBeDone(new, held, sends(DUE, T.c.due_at <= now), sends(leased), told + told_held)

    def attempts(self) -> dict[tuple[str, str], int]:
        """Count attempts by destination and outcome (those under way are left out); it reads the whole table."""
        query = select(T.c.destination, A.c.outcome, func.count()).join(T, T.c.id == A.c.delivery_id)
        query = query.where(A.c.outcome.is_not(None)).group_by(T.c.destination, A.c.outcome)
        with self.database.read() as conn:
            return {(name, outcome): count for name, outcome, count in conn.execute(query)}

    def last_beats(self) -> dict[str, datetime]:
        """Return the last sign of life by role."""
        query = select(heartbeats.c.role, func.max(heartbeats.c.at, type_=Time)).group_by(heartbeats.c.role)
        with self.database.read() as conn:
            return {row[0]: row[1] for row in conn.execute(query)}

    # ------------------------------------------------------------------------------------------------------ the database

    def probe(self) -> None:
        """Write something that has no effect. Raises StoreUnavailable if the database cannot take it now."""
        with self.database.borrow() as conn:
            conn.execute(self.database.upsert(memories, index=["connection", "name"], update=["value"]), [PROBE])

    def free_bytes(self) -> int | None:
        """Return the room that is left on the disk of the database; None if it is not this machine's."""
        place = self.database.engine.url.database
        if not self.database.is_sqlite or not place or place == ":memory:":
            return None
        return shutil.disk_usage(Path(place).parent).free

    # ------------------------------------------------------------------------------------------------------ arrivals

    def note_arrivals(self) -> bool:
        """Note what came in since the last call, by source and slot; False if more is left than one call takes.

        The raw rows' ids tell what is new, so the ways in carry nothing for this. Raises Conflict if another scheduler noted
        the same rows.
        """
        with self.database.read() as conn:
            mark = conn.scalar(_mark()) or 0
            columns = (inbox.c.id, inbox.c.connection, inbox.c.received_at, inbox.c.form)
            rows = conn.execute(select(*columns).where(inbox.c.id > mark).order_by(inbox.c.id).limit(READ)).all()
        if not rows:
            return True
        found: dict[tuple[str, int], datetime] = {}
        for _, source, at, form in rows:
            if form in ("item", "body"):
                place = (source, slot_of(at))
                found[place] = max(found.get(place, at), at)
        self._add(found, mark, rows[-1].id)
        return len(rows) < READ

    def _add(self, found: Mapping[tuple[str, int], datetime], mark: int, end: int) -> None:
        values = [{"source": source, "slot": slot, "last_at": at} for (source, slot), at in sorted(found.items())]
        with self.database.write() as conn:
            conn.execute(self.database.insert_new(memories), [{**MARK, "value": 0}])
            if (conn.scalar(_mark().with_for_update()) or 0) != mark:
                raise Conflict
            conn.execute(self.database.upsert(memories, index=[*MARK], update=["value"]), [{**MARK, "value": end}])
            if values:
                upsert = self.database.upsert(arrivals, index=["source", "slot"], update=["last_at"])
                conn.execute(upsert, values)
            newest = arrivals.alias("newest")
            last = select(func.max(newest.c.slot)).where(newest.c.source == arrivals.c.source).scalar_subquery()
            conn.execute(delete(arrivals).where(arrivals.c.slot < last - literal(KEPT_SLOTS)))

    def last_arrivals(self) -> dict[str, datetime]:
        """Return when each source was heard last."""
        query = select(arrivals.c.source, func.max(arrivals.c.last_at, type_=Time)).group_by(arrivals.c.source)
        with self.database.read() as conn:
            return {row[0]: row[1] for row in conn.execute(query)}

    def slots(self, source: str) -> list[int]:
        """Return the slots of five minutes, ascending, in which a source was heard, up to a week before it was heard last."""
        with self.database.read() as conn:
            query = select(arrivals.c.slot).where(arrivals.c.source == source).order_by(arrivals.c.slot)
            return list(conn.scalars(query))


def slot_of(at: datetime) -> int:
    """Return the slot of a time."""
    return (at - EPOCH) // SLOT


def _mark() -> Select[Any]:
    return select(memories.c.value).where(memories.c.connection == MARK["connection"], memories.c.name == MARK["name"])
