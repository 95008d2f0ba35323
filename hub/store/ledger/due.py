"""What is due at a destination and may go now: found in the order of its time, and leased."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from hub.core.ledger import CLOSED, OPEN
from hub.store.schema import DUE, EPOCH, Id, Time, needs, refs, written_out
from hub.store.schema import deliveries as T

PEEK = 16  # due rows that are looked at for the first that may go, and beyond a batch in case others hold some of it
PAGE = 1000


class ClaimKind(NamedTuple):
    """What goes together in a claim; doubtful rows were sent before and are in doubt."""

    object: str
    operation: str
    is_doubtful: bool


class ClaimRequest(NamedTuple):
    """Who wants to send to which destination (the lane), at what time, and until when."""

    lane: str
    at: datetime
    token: str
    until: datetime


class Leased(NamedTuple):
    """Rows of one kind, in no order."""

    kind: ClaimKind
    rows: Sequence[Any]


class _Walk(NamedTuple):
    """Two queries: what of a page of due rows is free, and the page's last row if the page is full."""

    free: Select[Any]
    end: Select[Any]


def lease(conn: Connection, wish: ClaimRequest, size: Callable[[str, str], int]) -> Leased | None:
    """Lease the due rows of the first kind that has any which nothing holds back; `size` of object and operation at most.

    Several may do so at once: rows that others are leasing just now are passed over, and if these are all of a kind,
    the next kind is taken. None if nothing is left.
    """
    passed: set[ClaimKind] = set()
    while head := _head(conn, wish, passed):
        kind = _kind(head)
        if rows := _lease_kind(conn, wish, head, size(kind.object, kind.operation)):
            return Leased(kind, rows)
        passed.add(kind)
    return None


def _head(conn: Connection, wish: ClaimRequest, passed: set[ClaimKind]) -> Any:
    """Return the first row that nothing holds back, of a kind that was not passed; None if there is none."""
    pages = _pages(conn, _OF_ANY_KIND, {"lane": wish.lane, "at": wish.at, "after_at": EPOCH, "after_id": 0}, PEEK)
    return next((row for page in pages for row in page if _kind(row) not in passed), None)


def _lease_kind(conn: Connection, wish: ClaimRequest, head: Any, size: int) -> list[Any]:
    leased: list[Any] = []
    kind = _kind(head)._asdict()
    given = {"lane": wish.lane, "at": wish.at, **kind, "after_at": head.due_at, "after_id": head.id - 1}
    for page in _pages(conn, _OF_KIND, given, min(size + PEEK, PAGE)):
        ids = [row.id for row in page]
        while ids and len(leased) < size:
            most = size - len(leased)
            part, ids = ids[: most + PEEK], ids[most + PEEK :]
            wanted = {"ids": part, "most": most, "is_doubtful": kind["is_doubtful"]}
            leased += conn.execute(_LEASE, {**wish._asdict(), **wanted}).all()
        if len(leased) == size:
            break
    return leased


def _pages(conn: Connection, walk: _Walk, given: dict[str, Any], most: int) -> Iterator[Sequence[Any]]:
    """Yield the due rows that nothing holds back, in the order of their times, out of ever larger pages of what is due."""
    while True:
        given = {**given, "most": most}
        free = conn.execute(walk.free, given).all()
        if free:
            yield free
        # What was leased of the page is due no more, so its end cannot be counted any longer: on behind what was free.
        last = free[-1] if free else conn.execute(walk.end, given).first()
        if last is None:
            return
        given, most = {**given, "after_at": last.due_at, "after_id": last.id}, min(most * 4, PAGE)


def _kind(row: Any) -> ClaimKind:
    return ClaimKind(row.object, row.operation, row.state == "uncertain")


# ------------------------------------------------------------------------------------------------------------ the queries


def _is_free(row: Any) -> ColumnElement[bool]:
    """Return the condition that nothing holds a due row back.

    Each question is a value that is looked up for the row: as conditions, a planner that knows little of the ledger (its
    statistics are of a quiet hour, or there are none) joins whole tables to answer them, and compares each row with each.
    """
    earlier, provider = T.alias("earlier"), T.alias("provider")
    before = or_(
        and_(earlier.c.operation == row.operation, earlier.c.seq < row.seq),
        # What is taken back must have ended before: else it would be written after.
        and_(row.operation == "tombstone", earlier.c.operation != "tombstone", earlier.c.id < row.id),
        # And what an erased author says later must not be taken back with what was said before.
        and_(row.operation == "upsert", earlier.c.operation == "tombstone", earlier.c.id < row.id),
    )
    unfinished = _first(
        earlier.c.record_key == row.record_key,
        earlier.c.destination == _LANE,
        earlier.c.object == row.object,
        _tested(before, earlier.c.state.in_(written_out(OPEN))),
        of=earlier,
    )
    landed = _first(refs.c.destination == _LANE, refs.c.provides == needs.c.need, of=refs)
    coming = _first(
        provider.c.destination == _LANE,
        provider.c.provides == needs.c.need,
        provider.c.state.not_in(written_out(CLOSED)),
        # A refused reply is told to its agent, who writes another: that one must not wait for it. Nor must what is taken back.
        or_(and_(provider.c.operation != "reply", row.operation != "tombstone"), provider.c.state != "dead"),
        of=provider,
    )
    held = _first(needs.c.delivery_id == row.id, landed.is_(None), coming.is_not(None), of=needs)
    return func.coalesce(held, unfinished).is_(None)


def _first(*conditions: ColumnElement[bool], of: FromClause) -> ScalarSelect[int]:
    query = select(literal_column("1", Integer)).select_from(of).where(*conditions)
    return query.limit(literal_column("1")).correlate_except(of).scalar_subquery()


def _tested(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return conditions that only test a row: a partial index that they fit would be read whole, if it was small lately."""
    return case((and_(*conditions), 1), else_=0) == 1


_LANE: BindParameter[str] = bindparam("lane")
_IS_DUE = (
    T.c.destination == _LANE,
    DUE,
    T.c.due_at <= bindparam("at", type_=Time),
)
_IS_OF_DOUBT = bindparam("is_doubtful", type_=Integer) == case((T.c.state == "uncertain", 1), else_=0)


def _walk(*of_kind: ColumnElement[bool]) -> _Walk:
    place = tuple_(bindparam("after_at", type_=Time), bindparam("after_id", type_=Id))
    most = bindparam("most", type_=Integer)
    columns = (T.c.id, T.c.object, T.c.operation, T.c.state, T.c.due_at, T.c.record_key, T.c.seq)
    ahead = select(*columns).where(*_IS_DUE, tuple_(T.c.due_at, T.c.id) > place, *of_kind).order_by(T.c.due_at, T.c.id)
    page = ahead.limit(most).subquery("page")
    shown = (page.c.id, page.c.object, page.c.operation, page.c.state, page.c.due_at)
    free = select(*shown).where(_is_free(page.c)).order_by(page.c.due_at, page.c.id)
    return _Walk(free, ahead.with_only_columns(T.c.due_at, T.c.id).limit(1).offset(most - 1))


def _leasing() -> Update:
    # Asked once more, in the statement that locks: since the page was read others may have leased rows, or changed them.
    mine = T.c.id.in_(bindparam("ids", expanding=True)), _tested(*_IS_DUE, _IS_OF_DOUBT, _is_free(T.c))
    pick = select(T.c.id).where(*mine).order_by(T.c.due_at, T.c.id).limit(bindparam("most", type_=Integer))
    picked = pick.with_for_update(skip_locked=True, of=T).cte("pick")
    values = {
        "state": "leased",
        "lease": bindparam("token"),
        "lease_until": bindparam("until", type_=Time),
        "attempts": T.c.attempts + 1,
        "first_sent_at": func.coalesce(T.c.first_sent_at, bindparam("at", type_=Time)),
    }
    return update(T).where(T.c.id.in_(select(picked.c.id))).values(values).returning(*_DELIVERY)


_DELIVERY = (
    T.c.id,
    T.c.destination,
    T.c.object,
    T.c.record_key,
    T.c.operation,
    T.c.seq,
    T.c.key,
    T.c.key_field,
    T.c.fields,
    T.c.once,
    T.c.attempts,
    T.c.signal_key,
    T.c.first_sent_at,
    T.c.provides,
)
_OF_ANY_KIND = _walk()
_OF_KIND = _walk(
    T.c.object == bindparam("object"),
    T.c.operation == bindparam("operation"),
    _IS_OF_DOUBT,
)
_LEASE = _leasing()
