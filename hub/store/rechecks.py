"""Stored posts under a duty: when each was last seen at its network, and last looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from hub.store.database import Database, among, chunks
from hub.store.schema import rechecks


class Rechecks:
    """Queries over rechecks of posts."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, conn: Connection, sources: Mapping[str, str], *, now: datetime) -> None:
        """Watch signals (key to source), or note that they were seen again."""
        rows = [
            {"signal_key": key, "source": source, "seen_at": now, "checked_at": now}
            for key, source in sorted(sources.items())
        ]
        if rows:
            upsert = self.database.upsert(rechecks, index=["signal_key"], update=["seen_at", "checked_at"])
            conn.execute(upsert, rows)

    def drop(self, conn: Connection, keys: Sequence[str]) -> None:
        """Watch no longer."""
        for part in chunks(keys):
            conn.execute(delete(rechecks).where(among(rechecks.c.signal_key, part)))

    def unchecked(self, source: str, *, before: datetime, limit: int, since: datetime | None = None) -> list[str]:
        """Return signals not looked for since `before`, the longest unchecked first; `since`: only those seen since then."""
        query = select(rechecks.c.signal_key).where(rechecks.c.source == source, rechecks.c.checked_at < before)
        query = query if since is None else query.where(rechecks.c.seen_at >= since)
        with self.database.read() as conn:
            return list(conn.scalars(query.order_by(rechecks.c.checked_at, rechecks.c.signal_key).limit(limit)))

    def checked(self, conn: Connection, keys: Sequence[str], *, now: datetime) -> None:
        """Note that signals were looked for."""
        for part in chunks(keys):
            conn.execute(update(rechecks).where(among(rechecks.c.signal_key, part)).values(checked_at=now))

    def expired(self, source: str, *, before: datetime, limit: int) -> list[str]:
        """Return signals that were last seen before then, the oldest first."""
        query = select(rechecks.c.signal_key).where(rechecks.c.source == source, rechecks.c.seen_at < before)
        with self.database.read() as conn:
            return list(conn.scalars(query.order_by(rechecks.c.seen_at).limit(limit)))
