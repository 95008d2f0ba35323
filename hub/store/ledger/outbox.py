"""The ledger's beginning and what people do with it: outbox rows are planned, listed, retried, discarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy import insert as plain_insert

from hub.core.access import EVERYTHING, Sight
from hub.core.errors import Conflict
from hub.core.keys import idempotency_key
from hub.core.ledger import DISCARDABLE, IN_DEAD_END, RETRYABLE, SETTLED
from hub.core.model import Planned, Record
from hub.store.database import Database, among, chunks
from hub.store.ledger.counts import counts
from hub.store.ledger.moves import moving
from hub.store.ledger.restored import doubt_new, is_marked
from hub.store.schema import attempts, needs
from hub.store.schema import deliveries as T
from hub.store.sight import seen_deliveries

ONCE_ONLY = ("create", "comment", "reply")
GONE = ""  # in place of the hash: what was written is not there any more, and counts for nothing
RowTarget = tuple[str, str, str, str]


class Outbox:
    """Queries over the ledger's rows as a whole; `Deliveries` sends them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def opened(self, conn: Connection, conversation_keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the destinations that have, or will have, a ticket for each conversation, with the signal that opened it."""
        columns = (T.c.record_key, T.c.destination, T.c.signal_key)
        query = select(*columns).where(T.c.operation == "create", T.c.state != "discarded", T.c.stable != GONE)
        found: dict[str, dict[str, str]] = {}
        for part in chunks(conversation_keys):
            for key, destination, signal_key in conn.execute(query.where(among(T.c.record_key, part))):
                found.setdefault(key, {})[destination] = signal_key or ""
        return found

    def ticket_urls(
        self, conn: Connection, conversation_keys: Sequence[str], *, sight: Sight = EVERYTHING
    ) -> dict[str, str]:
        """Return the link of each conversation's ticket, for those that have one with a link (the first that was opened)."""
        query = select(T.c.record_key, T.c.remote_url).where(
            T.c.operation == "create", T.c.remote_url.is_not(None), *seen_deliveries(sight)
        )
        found: dict[str, str] = {}
        for part in chunks(conversation_keys):
            for key, url in conn.execute(query.where(among(T.c.record_key, part)).order_by(T.c.id)):
                found.setdefault(key, url)
        return found

    def plan(self, conn: Connection, planned: Sequence[Planned], *, now: datetime) -> list[RowTarget]:
        """Write the outbox rows of a batch; returns those written. Raises Conflict if another process plans or sends the same.

        Unchanged records cause nothing; a newer payload replaces an unsent one; a ticket or comment is planned once ever.
        """
        wanted = {_target(item.record): item for item in planned}
        latest = self._latest(conn, {item.record.key for item in planned})
        rows = [row for target, item in wanted.items() if (row := _new_row(item, latest.get(target), now))]
        doubt_new(conn, rows, now=now)
        replaced = [latest[_row_target(row)].id for row in rows if _unsent(latest.get(_row_target(row)))]
        for part in chunks(replaced):
            superseded = moving("superseded", of=["pending"]).where(among(T.c.id, part), T.c.attempts == 0)
            if conn.execute(superseded.values(settled_at=now)).rowcount != len(part):
                raise Conflict
        self._insert(conn, rows, {target: item.record for target, item in wanted.items()})
        return [_row_target(row) for row in rows]

    def _latest(self, conn: Connection, record_keys: set[str]) -> dict[RowTarget, Any]:
        columns = (
            T.c.id,
            T.c.destination,
            T.c.object,
            T.c.record_key,
            T.c.operation,
            T.c.seq,
            T.c.state,
            T.c.attempts,
            T.c.stable,
        )
        latest: dict[RowTarget, Any] = {}
        for part in chunks(sorted(record_keys)):
            for row in conn.execute(select(*columns).where(among(T.c.record_key, part)).order_by(T.c.seq)):
                latest[(row.destination, row.object, row.record_key, row.operation)] = row
        return latest

    def _insert(self, conn: Connection, rows: list[dict[str, Any]], records: Mapping[RowTarget, Record]) -> None:
        if not rows:
            return
        insert = self.database.insert(T).on_conflict_do_nothing()
        columns = (T.c.id, T.c.destination, T.c.object, T.c.record_key, T.c.operation)
        made = conn.execute(insert.returning(*columns), rows).all()
        if len(made) != len(rows):
            raise Conflict
        wants = [
            {"delivery_id": row[0], "need": need}
            for row in made
            for need in records[(row[1], row[2], row[3], row[4])].needs
        ]
        if wants:
            conn.execute(plain_insert(needs), wants)

    def of_signals(self, keys: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the deliveries that each signal caused, oldest first."""
        found: dict[str, list[dict[str, Any]]] = {}
        with self.database.read() as conn:
            for part in chunks(keys):
                query = select(*_LISTED).where(among(T.c.signal_key, part)).order_by(T.c.id)
                for row in conn.execute(query).mappings():
                    found.setdefault(row["signal_key"], []).append(dict(row))
        return found

    def recent(
        self,
        *,
        limit: int = 50,
        before: int | None = None,
        after: int | None = None,
        sight: Sight = EVERYTHING,
        **wanted: Any,
    ) -> list[dict[str, Any]]:
        """Return deliveries, newest first (with `after`: oldest first from there on); `wanted` filters by column (state, ...)."""
        seen = select(*_LISTED).where(*seen_deliveries(sight))
        query = seen.order_by(T.c.id.desc() if after is None else T.c.id).limit(limit)
        query = query if after is None else query.where(T.c.id > after)
        for name, value in wanted.items():
            query = query if value is None else query.where(T.c[name] == value)
        with self.database.read() as conn:
            return [
                dict(row) for row in conn.execute(query if before is None else query.where(T.c.id < before)).mappings()
            ]

    def matching(
        self,
        states: Sequence[str],
        *,
        ids: Sequence[int] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        conn: Connection | None = None,
        sight: Sight = EVERYTHING,
        **wanted: Any,
    ) -> list[dict[str, Any]]:
        """Return deliveries in these states, oldest first: id, destination, object, state, error; `wanted` filters by column.

        The span is of their settling, or if they are not settled of their planning. In the caller's transaction the rows are
        locked.
        """
        at = func.coalesce(T.c.settled_at, T.c.created_at, type_=T.c.created_at.type)
        query = select(T.c.id, T.c.destination, T.c.object, T.c.state, T.c.error).where(T.c.state.in_(states))
        query = query.where(*seen_deliveries(sight))
        query = query if since is None else query.where(at >= since)
        query = query if until is None else query.where(at < until)
        query = query if ids is None else query.where(among(T.c.id, ids))
        for name, value in wanted.items():
            query = query if value is None else query.where(T.c[name] == value)
        # Who reads in a transaction of its own changes these rows: no worker may lease them before.
        query = query if conn is None else query.with_for_update()
        with self.database.read() if conn is None else nullcontext(conn) as within:
            return [dict(row) for row in within.execute(query.order_by(T.c.id)).mappings()]

    def get(self, delivery_id: int, *, sight: Sight = EVERYTHING) -> dict[str, Any] | None:
        """Return one delivery, whole: its payload, what it needs, and its attempts."""
        with self.database.read() as conn:
            row = conn.execute(select(T).where(T.c.id == delivery_id, *seen_deliveries(sight))).mappings().first()
            if row is None:
                return None
            tried = conn.execute(select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.id))
            wants = conn.scalars(select(needs.c.need).where(needs.c.delivery_id == delivery_id))
            return {**row, "tries": [dict(one) for one in tried.mappings()], "needs": list(wants)}

    def retry(self, ids: Sequence[int] | None, *, now: datetime, conn: Connection | None = None, **wanted: Any) -> int:
        """Make deliveries due again under the same keys; dead letters begin their schedule again. Return how many."""
        conditions = [T.c[name] == value for name, value in wanted.items() if value is not None]
        conditions += [] if ids is None else [among(T.c.id, ids)]
        # A doubtful delivery keeps its doubt: it is looked into again, never simply sent as if it were new.
        doubtful = update(T).where(T.c.state == "uncertain", *conditions).values(due_at=now)
        restored = moving("uncertain", of=IN_DEAD_END).where(is_marked(), *conditions)
        others = moving("pending", of=RETRYABLE - {"pending", "uncertain"}).where(*conditions)
        waiting = update(T).where(T.c.state == "pending", *conditions)
        again = {"due_at": now, "attempts": 0, "settled_at": None}
        with self.database.within(conn) as within:
            # Those that are in doubt or wait already first, or the others would be counted twice.
            changes = (doubtful, waiting.values(again), restored.values(again), others.values(again))
            return sum(within.execute(change).rowcount for change in changes)

    def discard(self, ids: Sequence[int], *, note: str, now: datetime, conn: Connection | None = None) -> int:
        """Give up dead or blocked deliveries, or those that await a person, for good, with a note that says why.

        Returns how many.
        """
        given_up = moving("discarded", of=DISCARDABLE).where(among(T.c.id, ids))
        with self.database.within(conn) as within:
            return within.execute(given_up.values(settled_at=now, error={"note": note})).rowcount

    def counts(self, sight: Sight = EVERYTHING) -> Mapping[str, Mapping[str, int]]:
        """Count the deliveries in each state, by destination; of those that not all may see, row by row."""
        found: dict[str, dict[str, int]] = {}
        seen = list(seen_deliveries(sight))
        each = select(T.c.destination, T.c.state, func.count()).where(*seen).group_by(T.c.destination, T.c.state)
        with self.database.read() as conn:
            for destination, state, count in conn.execute(each if seen else _COUNTS):
                if count:
                    found.setdefault(destination, {})[state] = count
        return found


_COUNTS = counts()
_LISTED = (
    T.c.id,
    T.c.destination,
    T.c.object,
    T.c.operation,
    T.c.record_key,
    T.c.signal_key,
    T.c.rule,
    T.c.mapping,
    T.c.mapping_version,
    T.c.state,
    T.c.attempts,
    T.c.due_at,
    T.c.created_at,
    T.c.settled_at,
    T.c.remote_id,
    T.c.remote_url,
    T.c.error,
)


def _target(record: Record) -> RowTarget:
    return (record.destination, record.object, record.key, record.operation)


def _row_target(row: Mapping[str, Any]) -> RowTarget:
    return (row["destination"], row["object"], row["record_key"], row["operation"])


def _unsent(row: Any) -> bool:
    return row is not None and row.state == "pending" and row.attempts == 0


def _new_row(item: Planned, latest: Any, now: datetime) -> dict[str, Any] | None:
    record = item.record
    is_there = latest is not None and latest.stable != GONE
    if is_there and (record.operation in ONCE_ONLY or (latest.stable == record.stable and not item.forced)):
        return None
    stable = latest.stable if is_there and item.forced else record.stable
    seq = 0 if latest is None else latest.seq + 1
    target = _target(record)
    return {
        "destination": record.destination,
        "object": record.object,
        "record_key": record.key,
        "operation": record.operation,
        "seq": seq,
        "key": idempotency_key(*target[:3], operation=record.operation, seq=seq),
        "state": item.state,
        "due_at": now,
        "created_at": now,
        "settled_at": now if item.state in SETTLED else None,
        "error": item.error,
        "signal_key": item.signal_key,
        "rule": item.rule,
        "mapping": record.mapping,
        "mapping_version": record.mapping_version,
        "stable": stable,
        "key_field": record.key_field,
        "once": dict(record.written) if record.operation == "tombstone" else list(record.once),
        "fields": record.fields,
        "provides": record.provides,
    }
