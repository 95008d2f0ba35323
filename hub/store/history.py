"""What is read when history is run again: signals as they were decided, the ledger beside them, and what was really called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, not_, select, update
from sqlalchemy.sql import exists

from hub.core.decide.trace import Trace, decode_trace, encode_trace
from hub.core.ledger import RECORDS, Need
from hub.core.model import GONE, Label, RawItem, Signal
from hub.store.database import Database, among, chunks
from hub.store.inbox import Inbox
from hub.store.schema import UNCLOSED, attempts, refs
from hub.store.schema import deliveries as T
from hub.store.schema import inbox as I
from hub.store.schema import labels as L
from hub.store.schema import signals as S
from hub.store.schema import tombstones as D

TAKEN_FORMS = ("item", "body")
_signal = msgspec.json.Decoder(Signal)


class HistoryScope(NamedTuple):
    """Which signals are run again: published since then (None: all), and stored up to this row."""

    since: datetime | None
    until: int


class Span(NamedTuple):
    """How many signals a scope holds, how many of them are gone at their network, and when the first was published."""

    signals: int
    gone: int
    first: datetime | None


class Stored(NamedTuple):
    """A signal as it was decided: its trace, the labels that a person gave, and its raw item (None: it is gone)."""

    id: int
    source: str
    raw_id: int
    signal: Signal
    trace: Trace
    corrected: tuple[Label, ...]
    raw: RawItem | None


class Latest(NamedTuple):
    """The newest row of the ledger for a record."""

    id: int
    state: str
    stable: str
    signal_key: str | None
    rule: str | None
    mapping: str
    created_at: datetime


class CallBatch(NamedTuple):
    """`records` of one kind that went out in batches of `size`, by the rule that asked and the signal's source."""

    destination: str
    object: str
    operation: str
    size: int
    rule: str | None
    source: str | None
    records: int


class Target(NamedTuple):
    """What tells records apart in the ledger."""

    destination: str
    object: str
    record_key: str
    operation: str


class Made(NamedTuple):
    """A row of the ledger by the signal that caused it; `keyed_by` is signal, author or conversation."""

    target: Target
    signal: str
    rule: str
    keyed_by: str
    created_at: datetime


class History:
    """Queries that walk over everything, a batch at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def last(self) -> int:
        """Return the newest signal's row, 0 if there is none."""
        with self.database.read() as conn:
            return conn.scalar(select(func.max(S.c.id))) or 0

    def span(self, scope: HistoryScope) -> Span:
        """Count what a scope holds."""
        query = select(func.count(), func.min(S.c.published_at)).select_from(S).where(*_inside(scope))
        with self.database.read() as conn:
            total, first = conn.execute(query).one()
            alive = conn.scalar(select(func.count()).select_from(S).where(*_inside(scope), *_ALIVE)) or 0
        return Span(total, total - alive, first)

    def signals(self, scope: HistoryScope, *, after: int, limit: int) -> list[Stored]:
        """Return the next signals behind a row, oldest first; what is gone or buried is left out."""
        query = select(S.c.id, S.c.key, S.c.source, S.c.raw_id, S.c.body, S.c.trace)
        query = query.where(*_inside(scope), *_ALIVE, S.c.id > after).order_by(S.c.id).limit(limit)
        with self.database.read() as conn:
            rows = conn.execute(query).all()
            corrected = self._corrected(conn, [row.key for row in rows])
        return self._stored(rows, corrected)

    def by_key(self, keys: Sequence[str]) -> list[Stored]:
        """Return those of these signals that are there, oldest first; what is gone or buried is left out."""
        query = select(S.c.id, S.c.key, S.c.source, S.c.raw_id, S.c.body, S.c.trace).where(*_ALIVE)
        with self.database.read() as conn:
            rows = [row for part in chunks(keys) for row in conn.execute(query.where(among(S.c.key, part)))]
            corrected = self._corrected(conn, [row.key for row in rows])
        return self._stored(sorted(rows, key=lambda row: row.id), corrected)

    def _stored(self, rows: Sequence[Any], corrected: Mapping[str, Sequence[Label]]) -> list[Stored]:
        raws = Inbox(self.database).get([row.raw_id for row in rows])
        return [
            Stored(
                row.id,
                row.source,
                row.raw_id,
                _signal.decode(row.body),
                decode_trace(row.trace),
                tuple(corrected.get(row.key, ())),
                raw if (raw := raws.get(row.raw_id)) and raw.payload else None,  # a blanked one says nothing any more
            )
            for row in rows
        ]

    def source_names(self) -> list[str]:
        """Return the sources that signals came from, those too that are no longer configured."""
        with self.database.read() as conn:
            return list(conn.scalars(select(S.c.source).distinct().order_by(S.c.source)))

    def items(self, scope: HistoryScope) -> dict[str, int]:
        """Count the signals of a scope by source."""
        query = select(S.c.source, func.count()).where(*_inside(scope), *_ALIVE).group_by(S.c.source)
        with self.database.read() as conn:
            return {row[0]: row[1] for row in conn.execute(query)}

    def alive(self, conn: Connection, keys: Sequence[str]) -> frozenset[str]:
        """Return those of these keys whose signals may still be delivered."""
        query = select(S.c.key).where(*_ALIVE)
        return frozenset(key for part in chunks(keys) for key in conn.scalars(query.where(among(S.c.key, part))))

    def sources(self, conn: Connection, keys: Sequence[str]) -> dict[str, str]:
        """Return the sources of signals."""
        query = select(S.c.key, S.c.source)
        return {row[0]: row[1] for part in chunks(keys) for row in conn.execute(query.where(among(S.c.key, part)))}

    def latest(self, conn: Connection, record_keys: Sequence[str]) -> dict[Target, Latest]:
        """Return the newest row of each record that has one of these keys."""
        columns = (T.c.id, T.c.state, T.c.stable, T.c.signal_key, T.c.rule, T.c.mapping, T.c.created_at)
        query = select(T.c.destination, T.c.object, T.c.record_key, T.c.operation, *columns).order_by(T.c.seq)
        return {
            Target(*row[:4]): Latest(*row[4:])
            for part in chunks(sorted(set(record_keys)))
            for row in conn.execute(query.where(among(T.c.record_key, part)))
        }

    def provided(self, conn: Connection, wanted: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Return (destination, name) of what is or will be provided, by its present name: joined conversations change keys."""
        names: dict[str, list[str]] = {}
        for destination, name in wanted:
            names.setdefault(destination, []).append(name)
        return frozenset(
            (destination, name)
            for destination, mine in names.items()
            for part in chunks(mine)
            for query in (
                select(refs.c.provides).where(refs.c.destination == destination, among(refs.c.provides, part)),
                select(T.c.provides).where(T.c.destination == destination, among(T.c.provides, part), UNCLOSED),
            )
            for name in conn.scalars(query)
        )

    def made_by(self, signal_keys: Sequence[str]) -> list[Made]:
        """Return the records that mappings made for these signals."""
        target = (T.c.destination, T.c.object, T.c.record_key, T.c.operation)
        query = select(*target, T.c.signal_key, T.c.rule, T.c.provides, T.c.created_at)
        query = query.where(T.c.operation.in_(RECORDS))
        with self.database.read() as conn:
            rows = [
                row for part in chunks(signal_keys) for row in conn.execute(query.where(among(T.c.signal_key, part)))
            ]
        return [Made(Target(*row[:4]), row[4], row[5] or "", Need.read(row[6]).kind, row[7]) for row in rows]

    def fields(self, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """Return the payloads of deliveries."""
        with self.database.read() as conn:
            rows = (
                row
                for part in chunks(ids)
                for row in conn.execute(select(T.c.id, T.c.fields).where(among(T.c.id, part)))
            )
            return {row.id: row.fields or {} for row in rows}

    def retell(self, conn: Connection, traces: Mapping[str, tuple[int, Trace, bool]]) -> None:
        """Give signals the trace of a later decision: key to (raw row, trace, matched); one revised since keeps its own."""
        rows = [
            {"this": key, "still": raw_id, "told": encode_trace(trace), "fits": matched}
            for key, (raw_id, trace, matched) in traces.items()
        ]
        if rows:
            conn.execute(_RETELL, rows)

    def tries(self, delivery_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """Return the attempts of deliveries, oldest first."""
        found: dict[int, list[dict[str, Any]]] = {}
        columns = [attempts.c[name] for name in ("attempt", "started_at", "finished_at", "outcome", "error")]
        with self.database.read() as conn:
            for part in chunks(delivery_ids):
                query = select(attempts.c.delivery_id, *columns).where(among(attempts.c.delivery_id, part))
                for row in conn.execute(query.order_by(attempts.c.id)).mappings():
                    found.setdefault(row["delivery_id"], []).append({name.name: row[name.name] for name in columns})
        return found

    def called(self, since: datetime | None) -> list[CallBatch]:
        """Return what was really sent since then: a batch is one claim, and each of its attempts one record."""
        when = () if since is None else (attempts.c.started_at >= since,)
        kind = (T.c.destination, T.c.object, T.c.operation)
        sent = select(attempts.c.lease, func.count().label("size")).where(*when).group_by(attempts.c.lease).subquery()
        by = (*kind, sent.c.size, T.c.rule, S.c.source)
        query = (
            select(*by, func.count())
            .select_from(attempts)
            .join(T, T.c.id == attempts.c.delivery_id)
            .join(sent, sent.c.lease == attempts.c.lease)
            .outerjoin(S, S.c.key == T.c.signal_key)
        )
        with self.database.read() as conn:
            return [CallBatch(*row) for row in conn.execute(query.where(*when).group_by(*by).order_by(*by))]

    def taken(self, since: datetime | None) -> dict[str, int]:
        """Count the raw items of each source since then; a webhook's body that was taken apart counts by its parts."""
        query = select(I.c.connection, func.count()).where(I.c.form.in_(TAKEN_FORMS), I.c.state != "split")
        query = query if since is None else query.where(I.c.received_at >= since)
        with self.database.read() as conn:
            return {row[0]: row[1] for row in conn.execute(query.group_by(I.c.connection).order_by(I.c.connection))}

    def began(self) -> datetime | None:
        """Return when the first raw item came in or the first delivery was tried, whichever was earlier."""
        with self.database.read() as conn:
            found = [conn.scalar(select(func.min(one))) for one in (I.c.received_at, attempts.c.started_at)]
        return min((one for one in found if one is not None), default=None)

    def days_of_posts(self) -> float:
        """Return over how many days the stored posts were published, from the first to the last."""
        with self.database.read() as conn:
            first, last = conn.execute(select(func.min(S.c.published_at), func.max(S.c.published_at))).one()
        return 0.0 if first is None else (last - first) / timedelta(days=1)

    def _corrected(self, conn: Connection, keys: Sequence[str]) -> dict[str, list[Label]]:
        query = select(L).where(L.c.by == "person").order_by(L.c.name)
        found: dict[str, list[Label]] = {}
        for part in chunks(keys):
            for row in conn.execute(query.where(among(L.c.signal_key, part))):
                label = Label(row.name, row.value, row.model, row.score, row.confidence, row.version, "person")
                found.setdefault(row.signal_key, []).append(label)
        return found


_RETELL = (
    update(S)
    .where(S.c.key == bindparam("this"), S.c.raw_id == bindparam("still"))
    .values(trace=bindparam("told"), matched=bindparam("fits"))
)
_ALIVE: tuple[ColumnElement[bool], ...] = (S.c.state.not_in(GONE), not_(exists().where(D.c.key == S.c.key)))


def _inside(scope: HistoryScope) -> tuple[ColumnElement[bool], ...]:
    inside = and_(S.c.id <= scope.until)
    return (inside,) if scope.since is None else (inside, S.c.published_at >= scope.since)
