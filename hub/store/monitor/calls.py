"""What the inbound door answered: so many calls of each connection and status, and since when none was taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, update

from hub.store.database import Database, among
from hub.store.schema import calls as T

REFUSED = 300
"""Statuses from here on say that a call was not taken."""


class Answered(NamedTuple):
    """Calls of a connection ("" : no connection has the name) that were answered alike.

    `streak` of them came since the last one that was taken, the first of these at `since` (None: one was taken after them).
    """

    source: str
    status: int
    calls: int
    streak: int
    since: datetime | None
    last_at: datetime


class Calls:
    """Counts of answers."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, counts: Mapping[tuple[str, int], int], *, now: datetime) -> None:
        """Add what a process counted by connection and status; a call that was taken ends the streaks of its connection."""
        rows = [
            {"source": source, "status": status, "calls": count, "streak": count, "since": now, "last_at": now}
            for (source, status), count in sorted(counts.items())
        ]
        insert = self.database.insert(T)
        new = insert.excluded
        added = {"calls": T.c.calls + new.calls, "streak": T.c.streak + new.streak, "last_at": new.last_at}
        upsert = insert.on_conflict_do_update(
            index_elements=["source", "status"], set_={**added, "since": func.coalesce(T.c.since, new.since)}
        )
        taken = sorted({source for source, status in counts if status < REFUSED})
        with self.database.write() as conn:
            conn.execute(upsert, rows)
            if taken:
                conn.execute(update(T).where(among(T.c.source, taken)).values(streak=0, since=None))

    def all(self) -> list[Answered]:
        """Return all counts, by connection and status."""
        columns = (T.c.source, T.c.status, T.c.calls, T.c.streak, T.c.since, T.c.last_at)
        with self.database.read() as conn:
            return [Answered(*row) for row in conn.execute(select(*columns).order_by(T.c.source, T.c.status))]
