"""Conversations: their state as people keep it at a destination, and the records there that stand for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, delete, func, literal_column, or_, select, text, update

from hub.core.decide.trace import decode_trace
from hub.core.ledger import DUE as DUE_STATES
from hub.core.ledger import MAYBE_THERE, OPEN, PARTS, RECORDS, Need
from hub.core.model import Author, RawItem, RemoteRef, Signal
from hub.store.database import Database, among, chunks, is_empty
from hub.store.inbox import RAW_ITEM
from hub.store.ledger.moves import moving
from hub.store.ledger.outbox import GONE
from hub.store.merges import winners_of
from hub.store.schema import (
    CONVERSATION_NEED,
    DUE,
    UNCLOSED,
    conversations,
    merged,
    needs,
    refs,
    retired,
)
from hub.store.schema import authors as A
from hub.store.schema import deliveries as D
from hub.store.schema import inbox as I
from hub.store.schema import signals as S

MERGE_LOCK = 0x48554244  # any number that no other program on this database uses
VALUES = ("state", "assignee", "tags")
_signal = msgspec.json.Decoder(Signal)
_author = msgspec.json.Decoder(Author)


class SignalForReply(NamedTuple):
    """A stored signal as an answer needs it: its source's name, and the rules that matched."""

    signal: Signal
    source: str
    matched: tuple[str, ...]


class Conversations:
    """Queries over conversations and remote references."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def known(self, conn: Connection, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return state, assignee and tags of conversations that have any, by key."""
        if is_empty(conn, conversations):
            return {}
        columns = (conversations.c.key, *(conversations.c[name] for name in VALUES))
        found: dict[str, dict[str, Any]] = {}
        for part in chunks(keys):
            for row in conn.execute(select(*columns).where(among(conversations.c.key, part))).mappings():
                found[row["key"]] = {name: row[name] for name in VALUES}
        return found

    def get(self, key: str) -> dict[str, Any] | None:
        """Return one conversation, None if nothing was ever set."""
        with self.database.read() as conn:
            row = conn.execute(select(conversations).where(conversations.c.key == key)).mappings().first()
        return None if row is None else dict(row)

    def assign(self, conn: Connection, assignees: Mapping[str, str], *, now: datetime) -> None:
        """Give new conversations the assignee that a rule named (key to assignee); one that is set already is left alone."""
        stamps = {"assignee": now.isoformat()}
        rows = [
            {"key": key, "assignee": name, "updated_at": now, "by": "rule", "stamps": stamps}
            for key, name in sorted(assignees.items())
        ]
        if rows:
            conn.execute(self.database.insert_new(conversations), rows)

    def put(self, conn: Connection, key: str, values: Mapping[str, Any], *, at: datetime, by: str) -> bool:
        """Set state, assignee or tags as of `at`; what was set later already stays. Return True if anything changed."""
        query = select(conversations).where(conversations.c.key == key).with_for_update()
        row = conn.execute(query).mappings().first()
        stamps = dict(row["stamps"]) if row else {}
        newer = {name: value for name, value in values.items() if not _is_late(stamps.get(name), at)}
        if not newer:
            return False
        stamps |= dict.fromkeys(newer, at.isoformat())
        new = {"key": key, **newer, "updated_at": at, "by": by, "stamps": stamps}
        names = [name for name in new if name != "key"]
        conn.execute(self.database.upsert(conversations, index=["key"], update=names), [new])
        return True

    def targets(self, conn: Connection, destination: str, object_: str, remote_id: str) -> list[str]:
        """Return what a record there stands for, as the ledger writes it; several if tickets were merged."""
        whole = refs.c.object == object_, refs.c.operation.not_in(PARTS)
        query = select(refs.c.provides).where(refs.c.destination == destination, refs.c.remote_id == remote_id, *whole)
        return list(conn.scalars(query.order_by(refs.c.provides)))

    def has_part(self, conn: Connection, destination: str, part_id: str) -> bool:
        """Return True if the hub itself wrote a part (a comment, a note) of a record there."""
        part = refs.c.destination == destination, refs.c.remote_id == part_id, refs.c.operation.in_(PARTS)
        return conn.execute(select(refs.c.provides).where(*part).limit(1)).first() is not None

    def take_turns_at_merges(self, conn: Connection) -> None:
        """Lock out other merges for the rest of the transaction: two at once would each overlook what the other was told."""
        if not self.database.is_sqlite:  # SQLite has one writer anyway
            conn.execute(text("SELECT pg_advisory_xact_lock(:this)"), {"this": MERGE_LOCK})

    def merge(self, conn: Connection, destination: str, object_: str, *, loser: str, winner: str) -> str:
        """Remember that a record there was merged into another; return the winner by all merges told, in whatever order."""
        place = {"destination": destination, "object": object_}
        row = {**place, "remote_id": loser, "winner": winner}
        conn.execute(self.database.upsert(merged, index=[*place, "remote_id"], update=["winner"]), [row])
        return winners_of(conn, destination, object_, [loser])[loser]

    def move(self, conn: Connection, destination: str, *, old: str, new: RemoteRef, where: Sequence[str]) -> int:
        """Re-point what stands for these at a record there from one id to another; return how many."""
        moved = 0
        for part in chunks(where):
            wanted = (refs.c.destination == destination, refs.c.remote_id == old, among(refs.c.provides, part))
            moved += conn.execute(update(refs).where(*wanted).values(remote_id=new.id, url=new.url)).rowcount
        return moved

    def forget(self, conn: Connection, destination: str, provides: Sequence[str]) -> None:
        """Count records as not there: a later signal makes new ones."""
        for part in chunks(provides):
            wanted = refs.c.destination == destination, among(refs.c.provides, part)
            rows = conn.execute(select(refs.c.object, refs.c.record_key).where(*wanted)).all()
            for row in rows:
                made = and_(D.c.destination == destination, D.c.object == row.object, D.c.record_key == row.record_key)
                of_record = D.c.operation.in_(("upsert", "create"))
                conn.execute(update(D).where(made, of_record, D.c.state == "delivered").values(stable=GONE))
            conn.execute(delete(refs).where(*wanted))

    def shown(
        self, conn: Connection, destination: str, provides: Sequence[str], *, limit: int = 200
    ) -> list[SignalForReply]:
        """Return the signals that were sent to a record there: what people who open it see."""
        keys: dict[str, None] = {}
        for one in provides:
            needing = select(needs.c.delivery_id).where(needs.c.need == one, literal_column(CONVERSATION_NEED))
            for wanted in ((D.c.id.in_(needing), D.c.destination == destination), _of_record(destination, one)):
                query = select(D.c.signal_key).where(*wanted, _SENT).order_by(D.c.id.desc()).limit(limit)
                keys.update(dict.fromkeys(key for key in conn.scalars(query) if key))
        query = select(S.c.body, S.c.state, S.c.source, S.c.trace)
        return [_said(row) for part in chunks(list(keys)) for row in conn.execute(query.where(among(S.c.key, part)))]

    def members(self, conn: Connection, key: str, *, limit: int = 50) -> list[SignalForReply]:
        """Return the newest signals of a conversation."""
        query = select(S.c.body, S.c.state, S.c.source, S.c.trace).where(S.c.conversation_key == key)
        return [_said(row) for row in conn.execute(query.order_by(S.c.published_at.desc()).limit(limit))]

    def answered(self, conn: Connection, key: str) -> tuple[Signal, Author | None, RawItem | None] | None:
        """Return a signal with its author and raw item, as a reply to it needs them."""
        row = conn.execute(select(S.c.body, S.c.state, S.c.author_key, S.c.raw_id).where(S.c.key == key)).first()
        if row is None:
            return None
        raw = conn.execute(select(*RAW_ITEM).where(I.c.id == row.raw_id)).first()
        author = conn.scalar(select(A.c.body).where(A.c.key == row.author_key))
        return _stored(row), _author.decode(author) if author else None, RawItem(*raw) if raw else None

    def last_reply(self, conn: Connection, lane: str, signal_keys: Sequence[str]) -> str | None:
        """Return what the latest reply to these signals that is still on its way provides."""
        query = select(func.max(D.c.id)).where(
            D.c.destination == lane, D.c.operation == "reply", UNCLOSED, D.c.state.in_(OPEN)
        )
        latest = [conn.scalar(query.where(among(D.c.signal_key, part))) or 0 for part in chunks(signal_keys)]
        return conn.scalar(select(D.c.provides).where(D.c.id == max(latest, default=0)))

    def our_posts(self, conn: Connection, lanes: Sequence[str], native_ids: Sequence[str]) -> frozenset[str]:
        """Return those of these native ids that are replies which the hub posted through sources."""
        found: set[str] = set()
        for part in chunks(native_ids):
            posted = refs.c.destination.in_(lanes), among(refs.c.remote_id, part)
            found.update(conn.scalars(select(refs.c.remote_id).where(*posted)))
        return frozenset(found)

    def in_flight(self, conn: Connection, lanes: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return the fields of replies in doubt: they may have been posted."""
        maybe = D.c.state.in_(MAYBE_THERE), or_(D.c.state != "review", D.c.attempts > 0)
        here = D.c.destination.in_(lanes), D.c.operation == "reply", UNCLOSED
        return list(conn.scalars(select(D.c.fields).where(*here, *maybe)))

    def replies(self, conn: Connection, ids: Iterable[int]) -> list[dict[str, Any]]:
        """Return rows of the ledger that are replies, as notes about them need them."""
        names = ("id", "destination", "record_key", "signal_key", "state", "fields", "error", "remote_url")
        columns = [D.c[name] for name in names]
        found: list[dict[str, Any]] = []
        for part in chunks(sorted(ids)):
            query = select(*columns).where(among(D.c.id, part), D.c.operation == "reply").order_by(D.c.id)
            found += [dict(row) for row in conn.execute(query).mappings()]
        return found

    def stranded(self, conn: Connection, lane: str, *, locked: bool = False) -> list[dict[str, Any]]:
        """Return replies of a lane that wait for their turn: id, state and error; with `locked` none can be sent until commit."""
        here = D.c.destination == lane, D.c.operation == "reply", DUE
        query = select(D.c.id, D.c.state, D.c.error).where(*here).order_by(D.c.id)
        return [dict(row) for row in conn.execute(query.with_for_update() if locked else query).mappings()]

    def hold(self, conn: Connection, ids: Sequence[int], error: Mapping[str, Any]) -> None:
        """Say why replies do not leave; what may have been posted stays in doubt."""
        for part in chunks(ids):
            conn.execute(update(D).where(among(D.c.id, part)).values(error=error))
            conn.execute(moving("blocked", of=DUE_STATES - {"uncertain", "blocked"}).where(among(D.c.id, part)))

    def ids_of(self, conn: Connection, lane: str, record_keys: Sequence[str]) -> list[int]:
        """Return the ids of replies by their record keys."""
        query = select(D.c.id).where(D.c.destination == lane, D.c.operation == "reply")
        return [one for part in chunks(record_keys) for one in conn.scalars(query.where(among(D.c.record_key, part)))]


_SENT = and_(D.c.operation.in_(RECORDS), D.c.state.in_(MAYBE_THERE))


def _is_late(stamp: str | None, at: datetime) -> bool:
    return stamp is not None and datetime.fromisoformat(stamp) > at


def _of_record(destination: str, provides: str) -> tuple[Any, ...]:
    _, object_, key = Need.read(provides)
    # A ticket keeps the key of the conversation that opened it, also after that has joined another.
    its_keys = or_(D.c.record_key == key, D.c.record_key.in_(select(retired.c.key).where(retired.c.now == key)))
    return its_keys, D.c.destination == destination, D.c.object == object_, D.c.provides == provides


def _said(row: Any) -> SignalForReply:
    return SignalForReply(_stored(row), row.source, decode_trace(row.trace).matched)


def _stored(row: Any) -> Signal:
    """Return a signal as it is now: a deletion changes the row and leaves the body."""
    return msgspec.structs.replace(_signal.decode(row.body), state=row.state)
