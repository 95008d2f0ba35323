"""What waits behind a delivery that does not move, and the ways to let it go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select

from hub.core import ledger
from hub.core.ledger import GIVING_WAY
from hub.store.audit import Audit, AuditEntry
from hub.store.database import Database, among, chunks
from hub.store.ledger.moves import moving
from hub.store.schema import DUE, TROUBLED, Time, needs, refs, written_out
from hub.store.schema import deliveries as T

MOST_NAMED = 100  # of the deliveries of one entry


class Head(NamedTuple):
    """A delivery that others wait for: how many are due behind it, the oldest of them since when."""

    id: int
    state: str
    provides: str
    waiting: int
    since: datetime


class WaitingDelivery(NamedTuple):
    """A delivery that waits behind a head."""

    id: int
    operation: str


class Undecided(NamedTuple):
    """A tombstone that waits since then for a person to decide whether a record (`head`, a delivery) was made."""

    id: int
    destination: str
    head: int
    since: datetime


class HeldBack:
    """Queries over what is held back. States are written out, so that partial indexes serve."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def heads(self, destination: str, *, now: datetime) -> list[Head]:
        """Return the deliveries that were tried, have not landed, and hold others back; the longest waited for first."""
        with self.database.read() as conn:
            stuck = select(T.c.id, T.c.state, T.c.provides).where(T.c.destination == destination)
            found = conn.execute(stuck.where(TROUBLED)).all()
            waits = self._waits(conn, destination, now) if found else {}
            held = [row for row in found if row.provides in waits]
            landed = self._landed(conn, destination, sorted({row.provides for row in held}))
        heads = [Head(*row, *waits[row.provides]) for row in held if row.provides not in landed]
        return sorted(heads, key=lambda head: (head.since, head.id))

    def _waits(self, conn: Connection, destination: str, now: datetime) -> dict[str, tuple[int, datetime]]:
        """Count the due deliveries that need each record, with the time since when.

        Not joined with what they wait for: without statistics a database tries each pair of the two.
        """
        columns = (needs.c.need, func.count(), func.min(T.c.due_at, type_=Time))
        query = select(*columns).join(T, T.c.id == needs.c.delivery_id).where(*_due(destination, now))
        return {need: (count, since) for need, count, since in conn.execute(query.group_by(needs.c.need))}

    def _landed(self, conn: Connection, destination: str, provides: Sequence[str]) -> set[str]:
        query = select(refs.c.provides).where(refs.c.destination == destination)
        return {name for part in chunks(provides) for name in conn.scalars(query.where(among(refs.c.provides, part)))}

    def undecided(self, ids: Collection[int] | None = None) -> list[Undecided]:
        """Return tombstones (of these deliveries; None: all) behind a doubt about their record that only a person can end."""
        record = (T.c.destination, T.c.object, T.c.record_key)
        in_review = TROUBLED, T.c.state == "review", T.c.operation != "tombstone"
        waiting = T.c.operation == "tombstone", DUE
        with self.database.read() as conn:
            # In two steps: the doubts are few, and a database that joins may look at all deliveries for them.
            doubts = conn.execute(select(T.c.id, *record).where(*in_review).order_by(T.c.id)).all()
            heads = {tuple(row[1:]): row.id for row in reversed(doubts)}
            rows: list[Any] = []
            for part in chunks(sorted({row.record_key for row in doubts})):
                query = select(T.c.id, T.c.created_at, *record).where(among(T.c.record_key, part), *waiting)
                rows += conn.execute(query).all()
        held = ((row, heads.get(tuple(row[2:]))) for row in sorted(rows, key=lambda row: row.id))
        found = [
            Undecided(row.id, row.destination, head, row.created_at) for row, head in held if head and head < row.id
        ]
        return [one for one in found if ids is None or one.id in ids]

    def behind(self, destination: str, provides: str, *, before: datetime) -> list[WaitingDelivery]:
        """Return what waits for one record, due since `before` or longer."""
        query = select(T.c.id, T.c.operation).join(needs, needs.c.delivery_id == T.c.id)
        query = query.where(*_due(destination, before), needs.c.need == provides)
        with self.database.read() as conn:
            return [WaitingDelivery(*row) for row in conn.execute(query)]

    def release(self, ids: Sequence[int], provides: str, *, entry: AuditEntry, now: datetime) -> int:
        """Let deliveries go without the record that they wait for. Return how many."""
        done = 0
        with self.database.write() as conn:
            for part in chunks(ids):
                wanted = among(needs.c.delivery_id, part), needs.c.need == provides
                done += conn.execute(delete(needs).where(*wanted)).rowcount
            self._note(conn, entry, done, now)
        return done

    def review(self, ids: Sequence[int], error: dict[str, Any], *, entry: AuditEntry, now: datetime) -> int:
        """Leave waiting deliveries to a person, with the reason. Return how many."""
        done = 0
        with self.database.write() as conn:
            for part in chunks(ids):
                left = moving("review", of=ledger.DUE).where(among(T.c.id, part))
                done += conn.execute(left.values(error=error)).rowcount
            self._note(conn, entry, done, now)
        return done

    def give_way(self, destination: str, *, before: datetime, entry: AuditEntry, now: datetime) -> int:
        """Give up failed writes if a newer version of the same record has waited since `before`. Return how many.

        The entry tells the first of them by their ids.
        """
        newer = T.alias("newer")
        later = exists().where(
            newer.c.destination == destination,
            newer.c.object == T.c.object,
            newer.c.record_key == T.c.record_key,
            newer.c.operation == "upsert",
            newer.c.seq > T.c.seq,
            newer.c.state.in_(written_out(ledger.DUE)),
            newer.c.due_at <= before,
        )
        failed = T.c.destination == destination, T.c.state.in_(written_out(GIVING_WAY)), T.c.operation == "upsert"
        query = select(T.c.id).where(*failed, later)
        error = {"note": "a newer version of the record waited behind it for too long", "code": "held"}
        with self.database.read() as conn:
            ids = list(conn.scalars(query))
        if not ids:
            return 0
        given_up = (
            moving("discarded", of=GIVING_WAY).where(*failed).values(settled_at=now, error=error).returning(T.c.id)
        )
        with self.database.write() as conn:
            gone = [one for part in chunks(ids) for one in conn.scalars(given_up.where(among(T.c.id, part)))]
            told = entry._replace(detail={**(entry.detail or {}), "deliveries": gone[:MOST_NAMED]})
            self._note(conn, told, len(gone), now)
        return len(gone)

    def _note(self, conn: Connection, entry: AuditEntry, count: int, now: datetime) -> None:
        if count:
            noted = entry._replace(detail={**(entry.detail or {}), "count": count})
            Audit(self.database).note_in(conn, noted, now=now)


def _due(destination: str, before: datetime) -> tuple[ColumnElement[bool], ...]:
    return T.c.destination == destination, DUE, T.c.due_at <= before
