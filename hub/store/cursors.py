"""How far each source and destination was read: a cursor is leased like a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from hub.core.errors import LeaseLost
from hub.store.connections import LEASE
from hub.store.database import Database, lease_token
from hub.store.schema import cursors


class Cursors:
    """Where each polling source stands; a cursor is leased like a row, so a source is polled by one worker at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def declare(self, sources: Sequence[str], *, now: datetime, conn: Connection | None = None) -> None:
        """Make sure that each source has a cursor."""
        rows = [{"source": name, "due_at": now} for name in sources]
        if rows:
            with self.database.within(conn) as within:
                within.execute(self.database.insert_new(cursors), rows)

    def claim(self, source: str, *, now: datetime, early: bool = False) -> tuple[str, Any] | None:
        """Lease a source's cursor: (token, value), None if it is not due or another worker polls. `early` polls now."""
        token = lease_token()
        free = or_(cursors.c.lease_until.is_(None), cursors.c.lease_until < now)
        due = cursors.c.due_at <= now if not early else cursors.c.source == source
        query = (
            update(cursors).where(cursors.c.source == source, free, due).values(lease=token, lease_until=now + LEASE)
        )
        with self.database.write() as conn:
            row = conn.execute(query.returning(cursors.c.value)).first()
        return None if row is None else (token, row.value)

    def advance(self, conn: Connection, source: str, token: str, value: Any, *, now: datetime) -> None:
        """Move a cursor in the transaction that stores its items. Raises LeaseLost if another reads the source by now."""
        query = update(cursors).where(cursors.c.source == source, cursors.c.lease == token)
        if conn.execute(query.values(value=value, lease_until=now + LEASE)).rowcount != 1:
            raise LeaseLost

    def renew(self, source: str, token: str, *, now: datetime) -> None:
        """Push the end of a lease out while its holder polls."""
        query = update(cursors).where(cursors.c.source == source, cursors.c.lease == token)
        with self.database.write() as conn:
            conn.execute(query.values(lease_until=now + LEASE))

    def release(self, source: str, token: str, *, due_at: datetime, now: datetime, error: str | None = None) -> None:
        """Give the cursor back until `due_at`; failures in a row are counted."""
        values = {
            "lease": None,
            "lease_until": None,
            "due_at": due_at,
            "polled_at": now,
            "error": error,
            "failures": cursors.c.failures + 1 if error else 0,
        }
        with self.database.write() as conn:
            conn.execute(update(cursors).where(cursors.c.source == source, cursors.c.lease == token).values(values))

    def hurry(
        self,
        *,
        now: datetime,
        sources: Sequence[str] | None = None,
        after: Sequence[str] = ("",),
        conn: Connection | None = None,
    ) -> int:
        """Make failed cursors due now, whose error begins with one of `after`; return how many."""
        waits = cursors.c.due_at > now, cursors.c.lease.is_(None)
        failed = or_(*(cursors.c.error.startswith(one, autoescape=True) for one in after))
        named = [] if sources is None else [cursors.c.source.in_(sources)]
        with self.database.within(conn) as within:
            return within.execute(update(cursors).where(failed, *waits, *named).values(due_at=now)).rowcount

    def due(self, *, now: datetime) -> list[str]:
        """Return the sources that are due and that no worker polls."""
        free = or_(cursors.c.lease_until.is_(None), cursors.c.lease_until < now)
        with self.database.read() as conn:
            return list(conn.scalars(select(cursors.c.source).where(cursors.c.due_at <= now, free)))

    def list(self) -> list[dict[str, Any]]:
        """Return all cursors."""
        with self.database.read() as conn:
            return [dict(row) for row in conn.execute(select(cursors).order_by(cursors.c.source)).mappings()]
