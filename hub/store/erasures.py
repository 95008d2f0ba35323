"""What is gone and must be forgotten: where its text stands in the hub, and the receipts of those who had it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Event
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    CompoundSelect,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)

from hub.core.access import EVERYTHING, Sight
from hub.core.decide.trace import decode_trace, encode_trace, forget_last_word, forget_post, mark_of
from hub.core.errors import Conflict
from hub.core.ledger import IDLE, OPEN, RECORDS, STOPPABLE, WITHDRAWN, State
from hub.core.model import Delivery, RawItem, Signal, Tombstone
from hub.store.database import Database, among, chunks
from hub.store.inbox import UNLABELLED
from hub.store.ledger.moves import moving
from hub.store.ledger.outbox import GONE
from hub.store.residue import Scrubbed, scrub
from hub.store.schema import (
    UNFINISHED,
    alerts,
    attempts,
    audit,
    connections,
    cursors,
    erasures,
    json_text,
    links,
    needs,
    of_kind,
    people,
    sightings,
)
from hub.store.schema import authors as A
from hub.store.schema import deliveries as T
from hub.store.schema import inbox as I
from hub.store.schema import signals as S
from hub.store.schema import tombstones as D
from hub.store.sight import seen_deliveries
from hub.store.signals import ERASED

DOUBTS = ("uncertain", "review", "lost")  # outcomes of attempts that leave the record in doubt
_signal = msgspec.json.Decoder(Signal)


class Sent(NamedTuple):
    """A row of the ledger that a signal or author caused, and what it needed; `was_let_go`: it goes on after a doubt."""

    id: int
    destination: str
    object: str
    record_key: str
    operation: str
    seq: int
    state: str
    signal_key: str | None
    rule: str | None
    mapping: str
    mapping_version: str
    key_field: str
    provides: str
    fields: Mapping[str, Any]
    was_sent: bool
    remote_id: str | None
    was_let_go: bool
    once: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class Ticketed(NamedTuple):
    """A destination that got tickets or comments because of an author: the last row, and what the open ones provide."""

    author: str
    destination: str
    last: int
    open: tuple[str, ...]


class Erasures:
    """Queries over what is gone."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._is_stained = Event()

    def sighted(self, conn: Connection, pairs: Sequence[tuple[str, int]], moved: Sequence[str]) -> None:
        """Note raw rows that hold a signal's text beside its own; `moved` are keys whose raw row is about to be another."""
        rows = [{"signal_key": key, "raw_id": raw_id} for key, raw_id in sorted(set(pairs)) if raw_id]
        for part in chunks(moved):
            old = select(S.c.key, S.c.raw_id).join(I, I.c.id == S.c.raw_id).where(among(S.c.key, part))
            rows += [{"signal_key": row.key, "raw_id": row.raw_id} for row in conn.execute(old)]
        if rows:
            conn.execute(self.database.insert_new(sightings), rows)

    def of_authors(
        self, conn: Connection, keys: Sequence[str], *, until: Mapping[str, datetime] | None = None
    ) -> dict[str, str]:
        """Return the signals of the authors among the keys, each with its author's key.

        Of those in `until` only what had come in by then.
        """
        query, ends = select(S.c.key, S.c.author_key, S.c.observed_at), until or {}
        rows = (row for part in chunks(keys) for row in conn.execute(query.where(among(S.c.author_key, part))))
        return {row[0]: row[1] for row in rows if row[1] not in ends or row[2] <= ends[row[1]]}

    def returned(self, conn: Connection, since: Mapping[str, datetime]) -> list[str]:
        """Return those of these authors who were met for the first time after the time given with each."""
        query = select(A.c.key, A.c.first_seen)
        rows = (row for part in chunks(list(since)) for row in conn.execute(query.where(among(A.c.key, part))))
        return [row.key for row in rows if row.first_seen > since[row.key]]

    def reposts(self, conn: Connection, keys: Sequence[str]) -> dict[str, str]:
        """Return stored reposts of the signals, which repeat their words; each with the key of what it repeats."""
        found: dict[str, str] = {}
        for part in chunks(keys):
            # One raw row may bring a post and its repost: it is the post's own then.
            beside = select(sightings.c.raw_id).where(among(sightings.c.signal_key, part))
            held = union_all(beside, select(S.c.raw_id).where(among(S.c.key, part)))
            for row in conn.execute(select(S.c.key, S.c.body).where(S.c.kind == "repost", S.c.raw_id.in_(held))):
                quoted = _signal.decode(row.body).quotes
                if quoted in part and row.key != quoted:
                    found[row.key] = quoted or ""
        return found

    def seen(self, conn: Connection, key: str) -> dict[int, RawItem]:
        """Return every raw item that spoke of a signal, by row, earlier forms of it too, as long as they hold anything."""
        columns = (I.c.connection, I.c.plugin, I.c.payload, I.c.received_at, I.c.external_id, I.c.realm, I.c.revision)
        query = select(I.c.id, *columns).where(I.c.id.in_(self._rows(key)), I.c.state != ERASED).order_by(I.c.id)
        return {row[0]: RawItem(*row[1:]) for row in conn.execute(query)}

    def rows_of(self, conn: Connection, key: str) -> list[int]:
        """Return the rows of these raw items."""
        query = select(I.c.id).where(I.c.id.in_(self._rows(key)), I.c.state != ERASED).order_by(I.c.id)
        return list(conn.scalars(query))

    def waiting_answers(self, conn: Connection, keys: Sequence[str]) -> list[int]:
        """Return replies to these signals that were not sent yet, and are not under way."""
        found: list[int] = []
        for part in chunks(keys):
            mine = T.c.operation == "reply", among(T.c.signal_key, part), T.c.first_sent_at.is_(None)
            found += conn.scalars(select(T.c.id).where(*mine, T.c.state.in_(STOPPABLE)))
        return found

    def _rows(self, key: str) -> CompoundSelect[Any]:
        own = select(S.c.raw_id).where(S.c.key == key)
        return union_all(select(sightings.c.raw_id).where(sightings.c.signal_key == key), own)

    def stored(self, conn: Connection, keys: Sequence[str]) -> dict[str, Signal]:
        """Return the signals among the keys that are stored and not yet blanked."""
        query = select(S.c.key, S.c.body).where(S.c.content_hash != ERASED)
        rows = (row for part in chunks(keys) for row in conn.execute(query.where(among(S.c.key, part))))
        return {row.key: _signal.decode(row.body) for row in rows}

    def fresh(self, conn: Connection, keys: Sequence[str]) -> list[str]:
        """Return the keys of those alone: there may be very many."""
        query = select(S.c.key).where(S.c.content_hash != ERASED)
        return [key for part in chunks(keys) for key in conn.scalars(query.where(among(S.c.key, part)))]

    def sent(
        self, conn: Connection, signals: Sequence[str], people: Sequence[str] = (), *, kin: Sequence[str] = ()
    ) -> list[Sent]:
        """Return all rows that wrote, or may write, records because of these signals, and these authors' own, oldest first.

        Also those of `kin`: people and accounts, whose records tell of what others among their authors said.
        """
        found: dict[int, Any] = {}
        of_signals = (among(T.c.signal_key, part) for part in chunks(signals))
        of_people = (and_(among(T.c.record_key, part), _OF_AUTHOR) for part in chunks(people))
        of_kin = (and_(among(T.c.record_key, part), _OF_KIN) for part in chunks(kin))
        for mine in (*of_signals, *of_people, *of_kin):
            rows = conn.execute(select(*_SENT).where(mine, T.c.operation.in_(RECORDS)))
            found.update((row.id, row) for row in rows)
        return self._with_needs(conn, found)

    def rows(self, conn: Connection, ids: Sequence[int]) -> list[Sent]:
        """Return rows by their ids."""
        found = {row.id: row for part in chunks(ids) for row in conn.execute(select(*_SENT).where(among(T.c.id, part)))}
        return self._with_needs(conn, found)

    def _with_needs(self, conn: Connection, found: Mapping[int, Any]) -> list[Sent]:
        wanted = self._needs(conn, sorted(found))
        return [Sent._make((*found[id_], wanted.get(id_, ()))) for id_ in sorted(found)]

    def record(self, conn: Connection, row: Sent) -> list[Sent]:
        """Return all rows of one record, in the order of their sending."""
        this = T.c.record_key == row.record_key, T.c.destination == row.destination, T.c.object == row.object
        query = select(*_SENT).where(*this, T.c.operation == row.operation).order_by(T.c.seq)
        return [Sent._make((*one, ())) for one in conn.execute(query)]

    def may_hold(self, conn: Connection, tombstone: Delivery) -> bool:
        """Return True if a destination has, or may get, the record that a tombstone without a reference is about."""
        this = T.c.record_key == tombstone.record_key, T.c.destination == tombstone.destination
        kind = T.c.object == tombstone.object, T.c.operation == tombstone.fields.get("operation")
        return bool(conn.scalar(select(exists().where(*this, *kind, T.c.state.not_in(WITHDRAWN)))))

    def ticketed(self, conn: Connection, authors: Sequence[str]) -> list[Ticketed]:
        """Return the destinations that got tickets or comments because of these authors, with what of that is still under way."""
        found: dict[tuple[str, str], Ticketed] = {}
        for part in chunks(authors):
            query = select(S.c.author_key, T.c.destination, T.c.id, T.c.provides, T.c.state)
            query = query.join(T, T.c.signal_key == S.c.key).where(among(S.c.author_key, part))
            for row in conn.execute(query.where(T.c.operation.in_(("create", "comment"))).order_by(T.c.id)):
                old = found.get((row.author_key, row.destination))
                open_ = (*(old.open if old else ()), *((row.provides,) if row.state in OPEN else ()))
                one = Ticketed(row.author_key, row.destination, row.id, tuple(dict.fromkeys(open_)))
                found[(row.author_key, row.destination)] = one
        return list(found.values())

    def answers(self, conn: Connection, keys: Sequence[str]) -> list[tuple[int, str, Mapping[str, Any]]]:
        """Return replies to these signals, and notes of them, that are settled: id, signal and payload."""
        found: list[tuple[int, str, Mapping[str, Any]]] = []
        for part in chunks(keys):
            mine = T.c.operation.in_(("reply", "note")), among(T.c.signal_key, part), T.c.settled_at.is_not(None)
            found += [(row[0], row[1], row[2]) for row in conn.execute(select(*_ANSWER).where(*mine))]
        return found

    def _needs(self, conn: Connection, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        wanted: dict[int, tuple[str, ...]] = {}
        for part in chunks(ids):
            for id_, need in conn.execute(select(needs).where(among(needs.c.delivery_id, part))):
                wanted[id_] = (*wanted.get(id_, ()), need)
        return wanted

    def awaited(self, conn: Connection, row: Sent) -> str | None:
        """Return the signal of another open delivery of this destination that waits for what this row provides."""
        other = T.c.destination == row.destination, T.c.state.in_(OPEN), T.c.signal_key != row.signal_key
        query = (
            select(T.c.signal_key)
            .join(needs, needs.c.delivery_id == T.c.id)
            .where(*other, needs.c.need == row.provides)
        )
        return conn.scalar(query.order_by(T.c.id).limit(1))

    def hand_over(self, conn: Connection, row: Sent, signal_key: str, fields: Mapping[str, Any]) -> None:
        """Let a row that was not sent be another signal's, with another payload. Raises Conflict if it is being sent."""
        this = T.c.id == row.id, T.c.state == row.state
        if conn.execute(update(T).where(*this).values(signal_key=signal_key, fields=fields)).rowcount != 1:
            raise Conflict

    def stop(self, conn: Connection, ids: Sequence[int], to: State, *, now: datetime, **values: Any) -> None:
        """Give up rows that were not sent. Raises Conflict if one of them is being sent since they were read."""
        stopped = 0
        for part in chunks(ids):
            idle = moving(to, of=STOPPABLE).where(among(T.c.id, part))
            stopped += conn.execute(idle.values({"settled_at": now, **values})).rowcount
        if stopped != len(ids):
            raise Conflict

    def look_again(self, conn: Connection, ids: Sequence[int], *, now: datetime) -> None:
        """Let doubts that a person has, or let go on, be looked into again. Raises Conflict if one is under way or decided."""
        again = moving("uncertain", of=STOPPABLE - {"approval"}).values(due_at=now)
        if sum(conn.execute(again.where(among(T.c.id, part))).rowcount for part in chunks(ids)) != len(ids):
            raise Conflict

    def rewrite(self, conn: Connection, rows: Sequence[Sent]) -> None:
        """Replace payloads by those of these rows. Raises Conflict if a row is in another state: it may be being sent."""
        same = (update(T).where(T.c.id == row.id, T.c.state == row.state).values(fields=row.fields) for row in rows)
        if not all(conn.execute(one).rowcount == 1 for one in same):
            raise Conflict

    def redact(self, conn: Connection, fields: Mapping[int, Mapping[str, Any]]) -> None:
        """Replace payloads of settled rows."""
        for id_, payload in fields.items():
            conn.execute(update(T).where(T.c.id == id_).values(fields=payload))

    def discount(self, ids: Sequence[int], *, conn: Connection | None = None) -> None:
        """Let rows count for nothing: a later signal of the same record writes it whole, or opens a ticket again."""
        with self.database.within(conn) as within:
            for part in chunks(ids):
                within.execute(update(T).where(among(T.c.id, part)).values(stable=GONE))

    def open(self, conn: Connection, stones: Sequence[Tombstone], *, now: datetime) -> None:
        """Note erasures that have begun; `finish` ends them."""
        rows = [{"key": stone.key, "reason": stone.reason, "at": now, "finished_at": None} for stone in stones]
        if rows:
            conn.execute(self.database.upsert(erasures, index=["key"], update=["reason", "at", "finished_at"]), rows)

    def blank(self, conn: Connection, signals: Mapping[str, Signal], *, state: str) -> None:
        """Take what these signals say out of signals and raw rows; keys, times, labels and versions stay."""
        for part in chunks(sorted(signals)):
            raws = set(conn.scalars(select(sightings.c.raw_id).where(among(sightings.c.signal_key, part))))
            bare: list[dict[str, Any]] = []
            for row in conn.execute(select(S.c.key, S.c.raw_id, S.c.trace).where(among(S.c.key, part))).all():
                raws.add(row.raw_id)
                body = json_text(_bare(signals[row.key], state))
                trace = encode_trace(forget_post(decode_trace(row.trace)))
                bare.append({"this": row.key, "body": body, "trace": trace, "state": state})
            if bare:
                conn.execute(_BLANK, bare)
            self.blank_raw(conn, sorted(raws))

    def untell(self, conn: Connection, authors: Sequence[str], traces: frozenset[str]) -> None:
        """Take links and times that are gone out of what was kept of these authors' people when other signals were decided."""
        for part in chunks(authors):
            told = S.c.trace.contains(mark_of("last_at"), autoescape=True)
            for row in conn.execute(select(S.c.key, S.c.trace).where(among(S.c.author_key, part), told)).all():
                kept = decode_trace(row.trace)
                bare = forget_last_word(kept, traces)
                if bare != kept:
                    conn.execute(update(S).where(S.c.key == row.key).values(trace=encode_trace(bare)))

    def blank_raw(self, conn: Connection, ids: Sequence[int]) -> None:
        """Empty raw rows, and the webhook bodies that they were parts of."""
        empty = {"payload": b"", "external_id": "", "revision": "", "state": ERASED, "note": "its post is gone"}
        for part in chunks(ids):
            mine = select(I.c.connection, I.c.received_at).where(among(I.c.id, part)).distinct()
            for row in conn.execute(mine).all():
                body = I.c.connection == row.connection, I.c.received_at == row.received_at, I.c.state == "split"
                conn.execute(update(I).where(*body).values(payload=b""))
            conn.execute(update(I).where(among(I.c.id, part)).values(empty))

    def blank_late(self, conn: Connection, ids: Sequence[int]) -> None:
        """Empty raw rows that brought again what is gone; `wash` takes them out of the files."""
        self.blank_raw(conn, ids)
        if ids:
            self._is_stained.set()

    def wash(self) -> None:
        """Take what came again out of the write-ahead log, or at the next call if others read now. Raises StoreUnavailable."""
        if self._is_stained.is_set() and scrub(self.database, (), whole=False) == "clean":
            self._is_stained.clear()

    def blank_ledger(self, conn: Connection, rows: Sequence[Sent]) -> None:
        """Take payloads and what vendors said of them out of the ledger; a failure keeps its class and code."""
        for part in chunks([row.id for row in rows]):
            conn.execute(update(T).where(among(T.c.id, part)).values(fields={}))
        self.blank_errors(conn, [row.id for row in rows])

    def blank_errors(self, conn: Connection, ids: Sequence[int]) -> None:
        """Take what vendors said of these rows out of the ledger; a failure keeps its class and code."""
        for part in chunks(ids):
            failed = select(T.c.id, T.c.error).where(among(T.c.id, part), T.c.error.is_not(None))
            for row in conn.execute(failed).all():
                conn.execute(update(T).where(T.c.id == row.id).values(error=_bare_error(row.error)))
            tried = select(attempts.c.id, attempts.c.error).where(among(attempts.c.delivery_id, part))
            for row in conn.execute(tried.where(attempts.c.error.is_not(None))).all():
                conn.execute(update(attempts).where(attempts.c.id == row.id).values(error=_bare_error(row.error)))

    def forget_authors(self, conn: Connection, keys: Sequence[str]) -> int:
        """Delete authors; return how many there were."""
        return sum(conn.execute(delete(A).where(among(A.c.key, part))).rowcount for part in chunks(keys))

    def settled(self, conn: Connection, *, limit: int = 100) -> list[str]:
        """Return erasures that are not finished although all their deliveries have ended."""
        # What an author caused who spoke again since is no part of it.
        fell = exists().where(D.c.key == T.c.signal_key)
        mine = or_(T.c.signal_key == erasures.c.key, and_(T.c.record_key == erasures.c.key, _OF_AUTHOR, fell))
        busy = exists().where(mine, T.c.state.in_(OPEN), T.c.operation.in_((*RECORDS, "tombstone")))
        done = select(erasures.c.key, erasures.c.at).where(UNFINISHED, ~busy).order_by(erasures.c.at).limit(limit)
        rows = conn.execute(done).all()
        # What had come in before is not read yet: it may be of the same author. A mark says nothing, and may wait for weeks.
        unread = I.c.state.in_(("new", "leased")), I.c.form != UNLABELLED
        waiting = select(func.min(I.c.received_at, type_=I.c.received_at.type)).where(*unread)
        first = conn.scalar(waiting) if rows else None
        return [row.key for row in rows if first is None or row.at < first]

    def scrub(self, keys: Sequence[str]) -> Scrubbed:
        """Take what was deleted for these erasures out of the database's files too; most thoroughly if a person asked for one."""
        asked = UNFINISHED, erasures.c.reason == "erasure"
        with self.database.read() as conn:
            queries = (select(erasures.c.key).where(*asked, among(erasures.c.key, part)) for part in chunks(keys))
            whole = any(conn.execute(query.limit(1)).first() is not None for query in queries)
        return scrub(
            self.database, (S, A, T, I, attempts, links, people, audit, alerts, connections, cursors), whole=whole
        )

    def finish(self, conn: Connection, keys: Sequence[str], *, now: datetime) -> None:
        """Close erasures; what their tombstones knew of fields that were written is not needed any more."""
        for part in chunks(keys):
            asked = T.c.operation == "tombstone", among(T.c.signal_key, part)
            conn.execute(update(T).where(*asked).values(once=[]))
            conn.execute(update(erasures).where(among(erasures.c.key, part)).values(finished_at=now))

    def receipts(self, key: str, *, sight: Sight = EVERYTHING) -> list[dict[str, Any]]:
        """Return what was asked of the destinations because a signal or an author is gone, oldest first."""
        # One list of keys: with two conditions PostgreSQL reads the whole ledger.
        mine = T.c.signal_key.in_(union_all(select(literal(key)), _signals_of(key)))
        asked = or_(T.c.operation == "tombstone", T.c.stable.startswith(f"{ERASED}:"))
        with self.database.read() as conn:
            rows = conn.execute(
                select(*_RECEIPT).where(mine, asked, *seen_deliveries(sight)).order_by(T.c.id)
            ).mappings()
            return [dict(row) for row in rows]

    def status(self, key: str) -> dict[str, Any] | None:
        """Return when and why a signal or author was erased, and when the last receipt was in; None if it was not erased."""
        with self.database.read() as conn:
            row = conn.execute(select(erasures).where(erasures.c.key == key)).mappings().first()
        return None if row is None else dict(row)


_BLANK = (
    update(S)
    .where(S.c.key == bindparam("this"))
    .values(
        body=bindparam("body"),
        trace=bindparam("trace"),
        state=bindparam("state"),
        content_hash=ERASED,
        revision="",
    )
)
# A conversation's key is its root's key: only an author's records are found by the record's key.
_OF_AUTHOR = of_kind(T.c.provides, "author")
_OF_KIN = of_kind(T.c.provides, "person", "account")
_DOUBTED = exists().where(attempts.c.delivery_id == T.c.id, attempts.c.outcome.in_(DOUBTS))
_SENT = (
    T.c.id,
    T.c.destination,
    T.c.object,
    T.c.record_key,
    T.c.operation,
    T.c.seq,
    T.c.state,
    T.c.signal_key,
    T.c.rule,
    T.c.mapping,
    T.c.mapping_version,
    T.c.key_field,
    T.c.provides,
    T.c.fields,
    T.c.first_sent_at.is_not(None).label("was_sent"),
    T.c.remote_id,
    and_(T.c.state.in_(IDLE), _DOUBTED).label("was_let_go"),
    T.c.once,
)
_ANSWER = (T.c.id, T.c.signal_key, T.c.fields)
_RECEIPT = (
    T.c.id,
    T.c.destination,
    T.c.object,
    T.c.operation,
    T.c.record_key,
    T.c.signal_key,
    T.c.state,
    T.c.created_at,
    T.c.settled_at,
    T.c.due_at,
    T.c.remote_id,
    T.c.remote_url,
    T.c.error,
)


def _signals_of(author: str) -> Any:
    return select(S.c.key).where(S.c.author_key == author)


def _bare(signal: Signal, state: Any) -> Signal:
    """Return what stays of a signal: keys, kind, times and where it came from."""
    return Signal(
        key=signal.key,
        network=signal.network,
        native_id="",
        kind=signal.kind,
        text="",
        author_key=signal.author_key,
        published_at=signal.published_at,
        observed_at=signal.observed_at,
        lang=signal.lang,
        in_reply_to=signal.in_reply_to,
        conversation_key=signal.conversation_key,
        visibility=signal.visibility,
        can_reply="no",
        state=state,
        origin=signal.origin,
        provenance=signal.provenance,
    )


def _bare_error(error: Mapping[str, Any]) -> dict[str, Any]:
    return {name: error[name] for name in ("class", "code", "field") if name in error} | {"note": ERASED}
