"""Signals, their labels and authors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    not_,
    null,
    or_,
    select,
    update,
)

from hub.core.access import EVERYTHING, Sight
from hub.core.decide.trace import decode_trace, encode_trace
from hub.core.dedupe import KnownSignal
from hub.core.errors import Conflict
from hub.core.model import GONE, Author, Label, Signal, Tombstone
from hub.core.signals import Stats
from hub.store.database import Database, among, chunks, is_empty
from hub.store.documents import json_value
from hub.store.schema import authors as A
from hub.store.schema import inbox as I
from hub.store.schema import json_text, storable
from hub.store.schema import labels as L
from hub.store.schema import signals as S
from hub.store.schema import tombstones as D
from hub.store.sight import seen_signals

if TYPE_CHECKING:
    from hub.core.decide.judgement import Judged

_signal = msgspec.json.Decoder(Signal)
_author = msgspec.json.Decoder(Author)


class SignalFilter(NamedTuple):
    """Which signals a page holds: newest first, or, with `after`, oldest first from there on. None: any.

    `sentiment` is a label's value, or "uncertain": a model's confidence is less than `unsure_below`. `text` is looked for in
    text, title and author's names of the latest SEARCHED signals; the names only if `sight` has them as they are.
    """

    network: str | None = None
    matched: bool | None = None
    sentiment: str | None = None
    text: str | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 50
    unsure_below: float = 0.0
    sight: Sight = EVERYTHING


SEARCHED = 50_000
ERASED = "erased"  # in place of a content's hash: the signal's text was erased
_BODY = select(S.c.key, S.c.body).where(S.c.content_hash != ERASED)


class Signals:
    """Queries over signals, labels, authors and tombstones."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def known(self, conn: Connection, keys: Sequence[str]) -> dict[str, KnownSignal]:
        """Return stored signals among the keys."""
        plugin = func.coalesce(json_value(S.c.body, "provenance.plugin"), "")
        seen = (S.c.updated_at, S.c.observed_at, S.c.raw_id, S.c.source, plugin)
        columns = (S.c.key, S.c.content_hash, S.c.state, S.c.revision, *seen)
        rows = (row for part in chunks(keys) for row in conn.execute(select(*columns).where(among(S.c.key, part))))
        return {row[0]: KnownSignal(*row[1:]) for row in rows}

    def of_others(self, conn: Connection, pairs: Mapping[str, str]) -> frozenset[str]:
        """Return those of these authors (key to source) whose signals another source has brought too."""
        query, found = select(S.c.author_key, S.c.source).distinct(), set[str]()
        for part in chunks(list(pairs)):
            rows = conn.execute(query.where(among(S.c.author_key, part)))
            found.update(row.author_key for row in rows if row.source != pairs[row.author_key])
        return frozenset(found)

    def tombstoned(self, conn: Connection, keys: Sequence[str]) -> frozenset[str]:
        """Return those of these keys that have a tombstone."""
        return frozenset(self.gone_since(conn, keys))

    def gone_since(self, conn: Connection, keys: Sequence[str]) -> dict[str, datetime]:
        """Return those of these keys that have a tombstone, each with the time of its latest."""
        if is_empty(conn, D):
            return {}
        query = select(D.c.key, D.c.at)
        return {row[0]: row[1] for part in chunks(keys) for row in conn.execute(query.where(among(D.c.key, part)))}

    def conversations(self, conn: Connection, keys: Sequence[str]) -> dict[str, str]:
        """Return the conversation that each stored signal among the keys belongs to."""
        query = select(S.c.key, S.c.conversation_key)
        return {row[0]: row[1] for part in chunks(keys) for row in conn.execute(query.where(among(S.c.key, part)))}

    def sizes(self, conn: Connection, conversation_keys: Sequence[str]) -> dict[str, int]:
        """Count the signals of each conversation."""
        query = select(S.c.conversation_key, func.count()).group_by(S.c.conversation_key)
        parts = chunks(conversation_keys)
        return {
            row[0]: row[1] for part in parts for row in conn.execute(query.where(among(S.c.conversation_key, part)))
        }

    def stats(
        self, conn: Connection, author_keys: Sequence[str], *, since: datetime, late: datetime | None = None
    ) -> dict[str, Stats]:
        """Return each author's signals since then, and their mean sentiment; the window's later half begins at `late`."""
        join = S.outerjoin(L, and_(L.c.signal_key == S.c.key, L.c.name == "sentiment"))
        score = case((S.c.published_at >= late, L.c.score)) if late is not None else null()
        query = select(
            S.c.author_key,
            func.count(S.c.key.distinct()),
            func.count(L.c.score),
            func.sum(L.c.score),
            func.count(score),
            func.sum(score) if late is not None else null(),
        ).select_from(join)
        # What was erased does not count: of its author nothing old is known. Nor does a boost: it repeats the words of another.
        own = S.c.content_hash != ERASED, S.c.kind != "repost"
        query = query.where(S.c.published_at >= since, *own).group_by(S.c.author_key)
        parts = chunks(author_keys)
        rows = (row for part in parts for row in conn.execute(query.where(among(S.c.author_key, part))))
        return {row[0]: Stats(row[1], row[2], row[3] or 0.0, row[4], row[5] or 0.0) for row in rows}

    def add(self, conn: Connection, judged: Sequence[Judged]) -> None:
        """Insert new signals with their labels. Raises Conflict if another process has stored one of them."""
        if judged and self.database.add_new(conn, S, [_row(item) for item in judged]) != len(judged):
            raise Conflict
        self._label(conn, judged)

    def revise(self, conn: Connection, judged: Sequence[Judged]) -> None:
        """Replace the content of signals that are there already."""
        if judged:
            conn.execute(_REVISE, [{f"new_{name}": value for name, value in _row(item).items()} for item in judged])
        keys = [item.signal.key for item in judged]
        for part in chunks(keys):
            conn.execute(delete(L).where(among(L.c.signal_key, part), L.c.by == "enricher"))
        self._label(conn, judged)

    def hold(self, conn: Connection, read: Mapping[str, tuple[int, Signal]]) -> None:
        """Lock signals (key to the raw row and the signal that were read). Raises Conflict if one is another by now."""
        query, there = select(S.c.key, S.c.raw_id, S.c.body).order_by(S.c.key).with_for_update(), {}
        for part in chunks(sorted(read)):
            rows = conn.execute(query.where(among(S.c.key, part)))
            there.update({row.key: (row.raw_id, _signal.decode(row.body)) for row in rows})
        if there != dict(read):
            raise Conflict

    def relabel(self, conn: Connection, judged: Sequence[Judged]) -> None:
        """Replace what enrichers said of stored signals, and what was decided by that; their content stays."""
        names = ("lang", "matched", "body", "trace")
        rows = [(item.signal.key, _row(item)) for item in judged]
        for part in chunks([key for key, _ in rows]):
            conn.execute(delete(L).where(among(L.c.signal_key, part), L.c.by == "enricher"))
        for key, row in rows:
            conn.execute(update(S).where(S.c.key == key).values({name: row[name] for name in names}))
        self._label(conn, judged)

    def order(self, conn: Connection, keys: Sequence[str]) -> dict[str, int]:
        """Return the rows of signals by key: a later signal has a higher one."""
        query = select(S.c.key, S.c.id)
        return {row[0]: row[1] for part in chunks(keys) for row in conn.execute(query.where(among(S.c.key, part)))}

    def refresh(self, conn: Connection, pairs: Mapping[str, int]) -> None:
        """Let a repeat in which only counts changed (key to its new raw row) take the place of the older raw row.

        A raw row that another signal came from too (a repost holds its original) stays.
        """
        query, old = select(S.c.key, S.c.raw_id), set[int]()
        for part in chunks(list(pairs)):
            rows = conn.execute(query.where(among(S.c.key, part)))
            old.update(row.raw_id for row in rows if row.raw_id != pairs[row.key])
        if pairs:
            conn.execute(_REFRESH, [{"this": key, "raw": raw_id} for key, raw_id in sorted(pairs.items())])
        for ids in chunks(sorted(old)):
            needed = exists().where(S.c.raw_id == I.c.id)
            conn.execute(delete(I).where(among(I.c.id, ids), I.c.state == "done", not_(needed)))

    def shared(self, conn: Connection, boosted: Mapping[str, int], told: Mapping[str, int]) -> None:
        """Count new boosts on the stored signals that they boost (key to number).

        `told` are the counts that networks gave in the same batch: these include the boosts, if they were asked for after them.
        """
        rows = [row for part in chunks(sorted(boosted)) for row in conn.execute(_BODY.where(among(S.c.key, part)))]
        for row in rows:
            signal = _signal.decode(row.body)
            if signal.state in GONE:
                continue
            before = signal.counts.shares or 0
            seen = boosted[row.key]
            shares = max(before, told[row.key], seen) if row.key in told else before + seen
            counts = replace(signal.counts, shares=shares)
            conn.execute(update(S).where(S.c.key == row.key).values(body=json_text(replace(signal, counts=counts))))

    def meet(self, conn: Connection, people: Iterable[Author], *, now: datetime) -> None:
        """Remember authors: the newest face of each, with the handles it had before."""
        met = {author.key: author for author in people}
        known = {row.key: row for part in chunks(list(met)) for row in conn.execute(_KNOWN.where(among(A.c.key, part)))}
        # In one order everywhere: two batches that meet the same people would else wait for each other for ever.
        rows = [_author_row(author, known.get(key), now) for key, author in sorted(met.items())]
        if rows:
            names = ["handle", "last_seen", "body"]
            conn.execute(self.database.upsert(A, index=["key"], update=names), rows)

    def bury(self, conn: Connection, tombstones: Iterable[Tombstone]) -> None:
        """Keep tombstones, the latest of each key, and mark their signals deleted."""
        rows = [{"key": stone.key, "reason": stone.reason, "at": stone.at} for stone in tombstones]
        if rows:
            conn.execute(self._bury, rows)
            for part in chunks([row["key"] for row in rows]):
                conn.execute(update(S).where(among(S.c.key, part)).values(state="deleted"))

    @cached_property
    def _bury(self) -> Insert:
        insert = self.database.insert(D)
        later = {"reason": insert.excluded.reason, "at": insert.excluded.at}
        return insert.on_conflict_do_update(index_elements=["key"], set_=later, where=D.c.at < insert.excluded.at)

    def recent(
        self, *, limit: int = 50, before: int | None = None, sight: Sight = EVERYTHING, **wanted: Any
    ) -> list[dict[str, Any]]:
        """Return signals, newest first, with labels; `wanted` filters by column (network, source, matched, author_key, ...)."""
        query = select(S).where(*seen_signals(sight)).order_by(S.c.id.desc()).limit(limit)
        for name, value in wanted.items():
            query = query if value is None else query.where(S.c[name] == value)
        with self.database.read() as conn:
            return self._whole(conn, query if before is None else query.where(S.c.id < before))

    def is_seen(self, sight: Sight, **wanted: str) -> bool:
        """Return True if a signal with these values is in sight; `wanted` filters by column (key, author_key, ...)."""
        named = (S.c[name] == value for name, value in wanted.items())
        with self.database.read() as conn:
            return bool(conn.scalar(select(exists().where(*named, *seen_signals(sight)))))

    def page(self, wanted: SignalFilter) -> list[dict[str, Any]]:
        """Return one page of signals, whole."""
        order = S.c.id.desc() if wanted.after is None else S.c.id
        with self.database.read() as conn:
            return self._whole(conn, select(S).where(*_filters(wanted)).order_by(order).limit(wanted.limit))

    def totals(self, sight: Sight = EVERYTHING) -> dict[str, tuple[int, int]]:
        """Count by network all signals that are seen, and those that matched a rule. Reads the whole table."""
        hits = func.count(case((S.c.matched, 1)))
        seen = select(S.c.network, func.count(), hits).where(*seen_signals(sight))
        query = seen.group_by(S.c.network).order_by(S.c.network)
        with self.database.read() as conn:
            return {row[0]: (row[1], row[2]) for row in conn.execute(query)}

    def get(self, key: str, *, sight: Sight = EVERYTHING) -> dict[str, Any] | None:
        """Return one signal by its key (or a beginning of it that is unambiguous), with labels, trace and author."""
        named = or_(S.c.key == key, S.c.key.startswith(key, autoescape=True))
        query = select(S).where(named, *seen_signals(sight)).order_by(S.c.key).limit(2)
        with self.database.read() as conn:
            rows = self._whole(conn, query)
        exact = [row for row in rows if row["key"] == key]
        return exact[0] if exact else (rows[0] if len(rows) == 1 else None)

    def authors(self, conn: Connection, keys: Sequence[str]) -> dict[str, Author]:
        """Return stored authors by key."""
        rows = (row for part in chunks(keys) for row in conn.execute(_KNOWN.where(among(A.c.key, part))))
        return {row.key: _author.decode(row.body) for row in rows}

    def authors_near(self, conn: Connection, keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the keys of those who said each signal, what it answers or repeats, and what its conversation began with."""
        told = [json_value(S.c.body, name) for name in ("in_reply_to", "quotes")]
        query = select(S.c.key, S.c.key, S.c.conversation_key, *told)
        near = {row[0]: row[1:] for part in chunks(keys) for row in conn.execute(query.where(among(S.c.key, part)))}
        every = list({key for found in near.values() for key in found if key})
        said = select(S.c.key, S.c.author_key).where(S.c.author_key.is_not(None))
        by = {row[0]: row[1] for part in chunks(every) for row in conn.execute(said.where(among(S.c.key, part)))}
        return {key: [by[one] for one in found if one in by] for key, found in near.items()}

    def labels_of(self, conn: Connection, keys: Sequence[str]) -> dict[str, list[Label]]:
        """Return labels of signals by key."""
        found: dict[str, list[Label]] = {}
        for part in chunks(keys):
            for row in conn.execute(select(L).where(among(L.c.signal_key, part)).order_by(L.c.name)):
                found.setdefault(row.signal_key, []).append(_label(row))
        return found

    def count(self, *, matched: bool | None = None) -> int:
        """Count the signals."""
        query = select(func.count()).select_from(S)
        with self.database.read() as conn:
            return conn.scalar(query if matched is None else query.where(S.c.matched == matched)) or 0

    def _label(self, conn: Connection, judged: Sequence[Judged]) -> None:
        rows = [_label_row(item.signal.key, label) for item in judged for label in item.labels]
        if rows:
            self.database.add_new(conn, L, rows)

    def _whole(self, conn: Connection, query: Select[Any]) -> list[dict[str, Any]]:
        rows = [dict(row) for row in conn.execute(query).mappings()]
        labels = self.labels_of(conn, [row["key"] for row in rows])
        authors = self.authors(conn, [row["author_key"] for row in rows if row["author_key"]])
        for row in rows:
            row["signal"] = _signal.decode(row.pop("body"))
            row["trace"] = decode_trace(row["trace"])
            row["labels"] = labels.get(row["key"], [])
            row["author"] = authors.get(row["author_key"] or "")
        return rows


_REVISE = (
    update(S)
    .where(S.c.key == bindparam("new_key"))
    .values({column.name: bindparam(f"new_{column.name}") for column in S.c if column.name not in ("id", "key")})
)
_REFRESH = update(S).where(S.c.key == bindparam("this")).values(raw_id=bindparam("raw"))
_KNOWN = select(A.c.key, A.c.handle, A.c.first_seen, A.c.body)


def _filters(wanted: SignalFilter) -> Iterator[ColumnElement[bool]]:
    yield from seen_signals(wanted.sight)
    if wanted.network is not None:
        yield S.c.network == wanted.network
    if wanted.matched is not None:
        yield S.c.matched == wanted.matched
    if wanted.before is not None:
        yield S.c.id < wanted.before
    if wanted.after is not None:
        yield S.c.id > wanted.after
    if wanted.sentiment is not None:
        unsure = and_(L.c.by == "enricher", L.c.confidence < wanted.unsure_below)
        fits = unsure if wanted.sentiment == "uncertain" else L.c.value == wanted.sentiment
        yield exists().where(L.c.signal_key == S.c.key, L.c.name == "sentiment", fits)
    if wanted.text is not None:
        newest = select(func.max(S.c.id)).scalar_subquery()
        by = [_is_by(wanted.text)] if wanted.sight.names else []
        yield and_(S.c.id > newest - SEARCHED, or_(_says(S, wanted.text, ("text", "title")), *by))


def _says(table: Table, text: str, names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that one of these texts in a row's JSON holds a text, whatever its case."""
    # The whole JSON is looked through first: it holds the text in most rows not at all, and to take it apart costs more.
    somewhere = table.c.body.icontains(json_text(text)[1:-1], autoescape=True)
    there = (json_value(table.c.body, name).icontains(storable(text), autoescape=True) for name in names)
    return and_(somewhere, or_(*there))


def _is_by(text: str) -> ColumnElement[bool]:
    """Return the condition that the author's handle or name holds a text."""
    return exists().where(A.c.key == S.c.author_key, _says(A, text, ("handle", "display_name")))


def _row(item: Judged) -> dict[str, Any]:
    signal = item.signal
    return {
        "key": signal.key,
        "network": signal.network,
        "source": signal.provenance.source if signal.provenance else "",
        "kind": signal.kind,
        "lang": signal.lang,
        "author_key": signal.author_key,
        "conversation_key": signal.conversation_key or signal.key,
        "published_at": signal.published_at,
        "observed_at": signal.observed_at,
        "updated_at": signal.updated_at,
        "state": signal.state,
        "revision": signal.revision,
        "content_hash": signal.content_hash,
        "raw_id": signal.provenance.raw_id if signal.provenance else 0,
        "matched": item.matched,
        "body": json_text(signal),
        "trace": encode_trace(item.trace),
    }


def _label_row(key: str, label: Label) -> dict[str, Any]:
    return {
        "signal_key": key,
        "name": label.name,
        "model": label.model,
        "value": label.value,
        "score": label.score,
        "confidence": label.confidence,
        "version": label.version,
        "by": label.by,
    }


def _label(row: Any) -> Label:
    return Label(row.name, row.value, row.model, row.score, row.confidence, row.version, row.by)


def _author_row(author: Author, known: Any, now: datetime) -> dict[str, Any]:
    history = author.handle_history
    if known is not None:
        old = _author.decode(known.body)
        renamed = (old.handle,) if old.handle and old.handle != author.handle else ()
        history = tuple(dict.fromkeys((*old.handle_history, *renamed, *history)))
    body = json_text(msgspec.structs.replace(author, handle_history=history))
    first = known.first_seen if known is not None else now
    return {
        "key": author.key,
        "network": author.network,
        "handle": author.handle,
        "first_seen": first,
        "last_seen": now,
        "body": body,
    }
