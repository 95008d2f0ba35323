"""What came in and could not be read: kept for a repair, and never longer than its posts may be kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select, text, update

from hub.store.database import Database, among, chunks
from hub.store.schema import UNREAD_OF_DESTINATIONS
from hub.store.schema import inbox as I
from hub.store.signals import ERASED

# Written out, as the indexes have it: a database uses a partial index only if it sees the index's condition.
_FAILED = text("state in ('failed','quarantined')")


class UnreadRows:
    """Queries over raw rows that failed."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def bodies(self, conn: Connection) -> list[tuple[int, bytes]]:
        """Return all that they hold, by row."""
        query = select(I.c.id, I.c.payload).where(_FAILED, func.length(I.c.payload) > 0)
        return [(row.id, bytes(row.payload)) for row in conn.execute(query)]

    def has_bodies(self, conn: Connection) -> bool:
        """Return True if any of them holds anything."""
        return conn.execute(select(I.c.id).where(_FAILED, func.length(I.c.payload) > 0).limit(1)).first() is not None

    def older(self, before: datetime, *, limit: int) -> list[int]:
        """Return what destinations told before then, oldest first."""
        query = select(I.c.id).where(UNREAD_OF_DESTINATIONS, I.c.received_at < before).order_by(I.c.received_at)
        with self.database.read() as conn:
            return list(conn.scalars(query.limit(limit)))

    def blank(self, conn: Connection, ids: Sequence[int], *, note: str) -> int:
        """Empty rows that are still not read, their reasons too, which may quote what they held. Return how many."""
        empty = {"payload": b"", "external_id": "", "revision": "", "state": ERASED, "note": note}
        return sum(
            conn.execute(update(I).where(among(I.c.id, part), _FAILED).values(empty)).rowcount for part in chunks(ids)
        )
