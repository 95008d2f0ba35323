"""Alerts: what is wrong now, and what people were told of it. Kept here, so that a restart repeats nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, select, text

from hub.store.database import Database, among
from hub.store.schema import alerts


class Kept(NamedTuple):
    """An alert as it is kept: people heard of it last at `told_at`; something is to be told at `due_at` (None: nothing)."""

    key: str
    severity: str
    text: str
    since: datetime
    is_open: bool = True
    is_known: bool = False
    told_at: datetime | None = None
    due_at: datetime | None = None
    failures: int = 0


Book = Mapping[str, Kept]


class Alerts:
    """The alerts that are open, and those whose end is not told yet."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self) -> list[Kept]:
        """Return all that is kept, the oldest first."""
        with self.database.read() as conn:
            return [Kept(*row) for row in conn.execute(select(alerts).order_by(alerts.c.since, alerts.c.key))]

    def change(self, step: Callable[[Book], Book]) -> tuple[Book, Book]:
        """Take a step from all that is kept to what is kept next, and return both; only one process takes one at a time."""
        with self.database.write() as conn:
            if not self.database.is_sqlite:  # SQLite has one writer anyway
                conn.execute(text("LOCK TABLE alerts IN SHARE ROW EXCLUSIVE MODE"))
            old = {row.key: Kept(*row) for row in conn.execute(select(alerts))}
            new = step(old)
            if gone := sorted(set(old) - set(new)):
                conn.execute(delete(alerts).where(among(alerts.c.key, gone)))
            if rows := [kept._asdict() for key, kept in new.items() if old.get(key) != kept]:
                names = [name for name in Kept._fields if name != "key"]
                conn.execute(self.database.upsert(alerts, index=["key"], update=names), rows)
        return old, new
