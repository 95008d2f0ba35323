"""Who is erased and is named, or quoted, where no key leads: in raw items, vendors' answers, notes, reasons."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, Integer, Select, Text, cast, func, literal, or_, select, update

from hub.core.erasure import REMOVED, Traits, has_said, marks_of, spellings
from hub.core.model import Author
from hub.store.database import Database
from hub.store.schema import alerts, attempts, audit, connections, cursors
from hub.store.schema import deliveries as T
from hub.store.schema import inbox as I
from hub.store.signals import ERASED

UNREAD = ("failed", "quarantined", "ignored")  # states of raw rows that brought no signal


class Mentions:
    """Queries over what names an author."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def naming(self, conn: Connection, author: Author) -> list[int]:
        """Return raw rows that were read, or set aside, whose payload names an author. Reads all that is kept."""
        marks = [form for one in marks_of(author) for form in spellings(one)]
        traits = Traits.of(author)
        named = [form for one in traits.names or {traits.id} for form in _whole(one)]
        found = set(conn.scalars(self._holding(I.c.id, marks))) if marks else set[int]()
        for row in conn.execute(self._holding(I.c.id, named)).all() if named else ():
            if row.id not in found:
                kept = conn.execute(select(I.c.payload, I.c.state).where(I.c.id == row.id)).one()
                if traits.are_in(bytes(kept.payload), is_alone=kept.state in UNREAD):
                    found.add(row.id)
        return sorted(found)

    def _holding(self, column: ColumnElement[int], words: Sequence[str]) -> Select[int]:
        found = or_(*(self._place_of(one.encode("utf-8", "replace")) > 0 for one in dict.fromkeys(words)))
        return select(column).where(I.c.state.not_in(("new", "leased", ERASED)), found)

    def quoting(self, conn: Connection, words: Sequence[str]) -> list[int]:
        """Return deliveries, of any signal, of which a vendor's answer holds one of these words."""
        if not words:
            return []
        rows = (
            *conn.execute(select(T.c.id, cast(T.c.error, Text)).where(T.c.error.is_not(None))),
            *conn.execute(
                select(attempts.c.delivery_id, cast(attempts.c.error, Text)).where(attempts.c.error.is_not(None))
            ),
        )
        return sorted({id_ for id_, error in rows if has_said(error, words)})

    def forget(self, conn: Connection, words: Sequence[str], *, keys: Collection[str]) -> None:
        """Redact what people, and those who refused a call, said beside the records, if it holds one of these words.

        Also what people noted on a delivery because of these signals and authors.
        """
        noted = cast(audit.c.detail, Text).contains('"note":')
        for row in conn.execute(select(audit.c.id, audit.c.detail).where(noted)).all():
            about = select(T.c.signal_key, T.c.record_key).where(T.c.id.in_(row.detail.get("ids") or ()))
            is_theirs = any(not set(one).isdisjoint(keys) for one in conn.execute(about).all())
            if is_theirs or has_said(str(row.detail["note"]), words):
                conn.execute(update(audit).where(audit.c.id == row.id).values(detail={**row.detail, "note": REMOVED}))
        for told in (connections.c.reason, cursors.c.error, alerts.c.text):
            for said in conn.scalars(select(told).where(told.is_not(None)).distinct()).all():
                if has_said(said, words):
                    kind = said.partition(":")[0]  # an error's class, which alerts go by
                    bare = REMOVED if has_said(kind, words) else f"{kind}: {REMOVED}"
                    conn.execute(update(told.table).where(told == said).values({told: bare}))

    def _place_of(self, mark: bytes) -> ColumnElement[int]:
        given = literal(mark, I.c.payload.type)
        if self.database.is_sqlite:
            return func.instr(I.c.payload, given, type_=Integer)
        return func.position(given.op("IN")(I.c.payload), type_=Integer)


def _whole(name: str) -> list[str]:
    """Return how a payload writes a name as a whole value."""
    numbers = [f":{name}", f": {name}"] if name.isdigit() else []
    strings = [form for one in spellings(name) for form in (f'"{one}"', f'"@{one}"', f">{one}<")]
    return [*strings, *numbers]
