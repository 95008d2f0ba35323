"""Raw rows: what came in, kept as it came; claims with leases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, and_, case, func, literal, select, text, update

from hub.core.access import EVERYTHING, Sight
from hub.core.errors import LeaseLost
from hub.core.keys import together
from hub.core.model import RawItem
from hub.store.database import Database, among, chunks, lease_token
from hub.store.schema import inbox as T
from hub.store.schema import realms as R
from hub.store.sight import seen_items

LEASE = timedelta(seconds=30)
ALONE_AFTER = 2
QUARANTINE_AFTER = 5
# A row that was lost alone waits before its next try: workers that are killed from outside must not meet the same row each time.
PAUSES = {3: timedelta(seconds=10), 4: timedelta(minutes=1)}
LOST = "its worker was lost"
UNLABELLED = "label"
"""The form of a mark: a signal that an enricher could not label."""
LABEL_PAUSES = timedelta(minutes=1), timedelta(days=1)
"""How long a mark waits before its signal is tried again: at first, and at the most."""


class InboxRow(NamedTuple):
    """A claimed row: the raw item, its id, and its form.

    `item` is one item of a source, `body` a webhook's body that is not yet parsed; `event` is a destination's request,
    `change` one Change of a destination as JSON: their `item.source` is the destination's name. `label` marks a stored signal
    that is to be labelled later.
    """

    id: int
    form: str
    item: RawItem


class Settled(NamedTuple):
    """What became of a claimed row: `state` done, duplicate, ignored, failed or split, with the reason.

    new: it is taken up again at `due_at`.
    """

    id: int
    state: str
    note: str | None = None
    due_at: datetime | None = None


def _as_before(item: RawItem, old: Mapping[str, str]) -> RawItem:
    realm, is_apart = together(item.realm)
    if is_apart:
        return replace(item, realm=realm)
    return replace(item, realm=old[item.source]) if item.realm == item.source else item


class Inbox:
    """Queries over raw rows."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._realms: dict[str, str] | None = None  # only an upgrade writes them

    def add(self, items: Iterable[RawItem], *, form: str = "item", conn: Connection | None = None) -> int:
        """Insert raw items in one transaction and return how many were new: known (connection, external id, payload) are left."""
        rows = [_row(item, form) for item in self._kept(list(items))]
        if not rows:
            return 0
        if conn is not None:
            return self.database.add_new(conn, T, rows)
        with self.database.write() as own:
            return self.database.add_new(own, T, rows)

    def _kept(self, items: list[RawItem]) -> list[RawItem]:
        """Return items with the realm that their source had before a release named or marked it: what is stored keeps its key."""
        if not any(item.realm == item.source or together(item.realm)[1] for item in items):
            return items
        if self._realms is None:
            with self.database.read() as conn:
                self._realms = {row.source: row.realm for row in conn.execute(select(R))}
        return [_as_before(item, self._realms) if item.source in self._realms else item for item in items]

    def claim(self, *, limit: int, now: datetime) -> tuple[str, list[InboxRow]]:
        """Lease up to `limit` due rows, oldest first; a row whose lease was lost twice comes alone. Return (token, rows).

        Marks come apart from what came in.
        """
        token = lease_token()
        with self.database.borrow() as conn:
            first = conn.execute(self._due(now).with_only_columns(T.c.id, T.c.losses, T.c.form).limit(1)).first()
            if first is None:
                return token, []
            alone = first.losses >= ALONE_AFTER
            pick = self._due(now).where(T.c.losses < ALONE_AFTER if not alone else T.c.id == first.id)
            pick = pick.where(T.c.form == UNLABELLED if first.form == UNLABELLED else T.c.form != UNLABELLED)
            picked = pick.limit(1 if alone else limit).with_for_update(skip_locked=True).cte("pick")
            claimed = conn.execute(
                update(T)
                .where(T.c.id.in_(select(picked.c.id)))
                .values(state="leased", lease=token, lease_until=now + LEASE)
                .returning(*_ITEM)
            ).all()
        return token, sorted((_item(row) for row in claimed), key=lambda row: row.id)

    def settle(self, conn: Connection, token: str, rows: Sequence[Settled]) -> None:
        """Close claimed rows inside the caller's transaction. Raises LeaseLost if one of them is no longer held."""
        # Locked, not only counted: a sweep must not take the rows back between this look and the writing.
        kept = conn.scalars(select(T.c.id).where(T.c.lease == token, T.c.state == "leased").with_for_update()).all()
        if len(kept) != len(rows):
            raise LeaseLost
        by_outcome: dict[tuple[str, str | None, datetime | None], list[int]] = {}
        for row in rows:
            by_outcome.setdefault(row[1:], []).append(row.id)
        for (state, note, due_at), ids in by_outcome.items():
            values: dict[str, Any] = {"state": state, "note": note, "lease": None, "lease_until": None}
            values |= {"due_at": due_at} if due_at else {}
            for part in chunks(ids):
                conn.execute(update(T).where(among(T.c.id, part)).values(values))

    def empty(self, conn: Connection, ids: Sequence[int]) -> None:
        """Take the payload out of rows that are done with; they stay known by their digests."""
        for part in chunks(ids):
            conn.execute(update(T).where(among(T.c.id, part)).values(payload=b""))

    def renew(self, token: str, *, now: datetime) -> None:
        """Push the end of a lease out while its holder works."""
        with self.database.write() as conn:
            conn.execute(update(T).where(T.c.lease == token).values(lease_until=now + LEASE))

    def release(self, token: str, *, due_at: datetime | None = None) -> None:
        """Give rows back that were claimed and not worked on; with `due_at` they stand behind what is due before."""
        values: dict[str, Any] = {"state": "new", "lease": None, "lease_until": None}
        values |= {"due_at": due_at} if due_at else {}
        with self.database.write() as conn:
            conn.execute(update(T).where(T.c.lease == token).values(values))

    def expire(self, *, now: datetime) -> int:
        """Take rows back whose lease ran out or whose holder died; the fifth loss quarantines a row. Return how many."""
        lost = self.database.lost_leases(T, now=now)
        if not lost:
            return 0
        after = case((T.c.losses + 1 >= QUARANTINE_AFTER, "quarantined"), else_="new")
        waits = [(T.c.losses + 1 == losses, literal(now + pause, T.c.due_at.type)) for losses, pause in PAUSES.items()]
        values = {"state": after, "losses": T.c.losses + 1, "lease": None, "lease_until": None, "note": LOST}
        values["due_at"] = case(*waits, else_=T.c.due_at)
        with self.database.write() as conn:
            return conn.execute(update(T).where(T.c.state == "leased", among(T.c.lease, lost)).values(values)).rowcount

    def due(self, *, now: datetime) -> bool:
        """Return True if a row is due."""
        with self.database.read() as conn:
            return conn.execute(self._due(now).with_only_columns(T.c.id).limit(1)).first() is not None

    def due_since(self, *, now: datetime) -> datetime | None:
        """Return since when the row waits that is due longest; None if none is due."""
        with self.database.read() as conn:
            return conn.execute(self._due(now).with_only_columns(T.c.due_at).limit(1)).scalar()

    def retry(
        self, ids: Sequence[int] | None, *, now: datetime, conn: Connection | None = None, sight: Sight = EVERYTHING
    ) -> int:
        """Take failed and quarantined rows up again that are seen, all of them if `ids` is None; return how many."""
        failed = T.c.state.in_(("failed", "quarantined"))
        wanted = failed if ids is None else and_(failed, among(T.c.id, ids))
        again = update(T).where(wanted, *seen_items(sight)).values(state="new", losses=0, note=None, due_at=now)
        with self.database.within(conn) as within:
            return within.execute(again).rowcount

    def hurry_marks(self, *, now: datetime, limit: int) -> int:
        """Let the oldest marks be due now, so many of them; return how many."""
        waiting = _MARKS.where(T.c.due_at > now).order_by(T.c.id).limit(limit)
        with self.database.read() as conn:
            ids = list(conn.scalars(waiting))
        if not ids:
            return 0
        with self.database.write() as conn:
            hurried = update(T).where(T.c.state == "new").values(due_at=now)
            return sum(conn.execute(hurried.where(among(T.c.id, part))).rowcount for part in chunks(ids))

    def count_marks(self) -> int:
        """Count the signals that are to be labelled later."""
        with self.database.read() as conn:
            return conn.scalar(select(func.count()).select_from(_MARKS.subquery())) or 0

    def open_counts(self, sight: Sight = EVERYTHING) -> tuple[int, int]:
        """Count the rows of sources that are seen: those that wait, and those that could not be translated."""
        # Written out, not bound: SQLite uses a partial index only if it sees the index's own condition.
        new, failed = text("state = 'new' and form <> 'label'"), text("state in ('failed','quarantined')")
        with self.database.read() as conn:
            waiting, broken = (
                conn.scalar(select(func.count()).select_from(T).where(one, *seen_items(sight))) for one in (new, failed)
            )
        return waiting or 0, broken or 0

    def failed(self, *, limit: int = 100, before: int | None = None, sight: Sight = EVERYTHING) -> list[dict[str, Any]]:
        """Return rows that could not be translated, newest first, with the reason."""
        columns = (T.c.id, T.c.connection, T.c.plugin, T.c.external_id, T.c.received_at, T.c.state, T.c.note)
        query = select(*columns).where(T.c.state.in_(("failed", "quarantined"))).order_by(T.c.id.desc()).limit(limit)
        query = query.where(*seen_items(sight), *([] if before is None else [T.c.id < before]))
        with self.database.read() as conn:
            return [dict(row) for row in conn.execute(query).mappings()]

    def get(self, ids: Sequence[int]) -> dict[int, RawItem]:
        """Return raw items by row id."""
        with self.database.read() as conn:
            rows = conn.execute(select(*_ITEM).where(among(T.c.id, ids))).all()
        return {row.id: _item(row).item for row in rows}

    def counts(self) -> dict[str, int]:
        """Count the rows in each state; it reads the whole table."""
        with self.database.read() as conn:
            return {row[0]: row[1] for row in conn.execute(select(T.c.state, func.count()).group_by(T.c.state))}

    def _due(self, now: datetime) -> Any:
        return select(T.c.id).where(T.c.state == "new", T.c.due_at <= now).order_by(T.c.due_at, T.c.id)


RAW_ITEM = (
    T.c.connection,
    T.c.plugin,
    T.c.payload,
    T.c.received_at,
    T.c.external_id,
    T.c.realm,
    T.c.revision,
)
"""The columns of a RawItem, in its order."""
_ITEM = (T.c.id, T.c.form, *RAW_ITEM)


# Written out, not bound: SQLite uses a partial index only if it sees the index's own condition.
_MARKS = select(T.c.id).where(text("state = 'new'"), T.c.form == UNLABELLED)


def _row(item: RawItem, form: str) -> dict[str, Any]:
    # Events and changes are handled once by their own ids: a vendor that tries again may count its attempts in the body.
    told_apart = b"" if form in {"event", "change"} else item.payload
    name = f"{item.realm}\x1f{item.external_id}\x1f"
    name += "" if form in {"item", "body"} else form
    return {
        "connection": item.source,
        "plugin": item.plugin,
        "external_id": item.external_id,
        "digest": sha256(name.encode("utf-8", "replace") + told_apart).hexdigest(),
        "realm": item.realm,
        "revision": item.revision,
        "form": form,
        "payload": item.payload,
        "received_at": item.received_at,
        "state": "new",
        "due_at": item.received_at,
    }


def _item(row: Any) -> InboxRow:
    return InboxRow(row[0], row[1], RawItem(*row[2:]))
