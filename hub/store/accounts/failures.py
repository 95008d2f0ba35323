"""Log-ins that failed, by account and by address, so that guessing becomes slow and stays slow across restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from hub.store.database import Database
from hub.store.schema import log_in_failures as F

FORGOTTEN_AFTER = timedelta(hours=24)
FIRST_BAR, LONGEST_BAR = timedelta(seconds=15), timedelta(minutes=15)


class LogInFailures:
    """Counts of failed log-ins; a subject is a digest of an account's name or of an address."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def barred_until(
        self, subjects: Sequence[str], *, now: datetime, conn: Connection | None = None
    ) -> datetime | None:
        """Return until when none of these may try again, None if they may now; locked if in a transaction of the caller's."""
        if conn is not None:
            for subject in subjects:  # in the caller's order, and each is there to be locked
                self._lock(conn, subject, now)
        with self.database.read() if conn is None else self.database.within(conn) as within:
            until: datetime | None = within.scalar(select(func.max(F.c.until)).where(F.c.subject.in_(subjects)))
        return until if until is not None and until > now else None

    def _lock(self, conn: Connection, subject: str, now: datetime) -> None:
        self.database.add_new(conn, F, [{"subject": subject, "count": 0, "last_at": now, "until": now}])
        conn.execute(select(F.c.subject).where(F.c.subject == subject).with_for_update())

    def count(self, conn: Connection, subject: str, *, free: int, now: datetime) -> None:
        """Count a failure: the first `free` cost nothing, each further one twice as long a pause, up to a quarter of an hour."""
        row = conn.execute(select(F).where(F.c.subject == subject).with_for_update()).first()
        count = 1 if row is None or row.last_at < now - FORGOTTEN_AFTER else row[1] + 1
        over = count - free
        pause = min(FIRST_BAR * 2 ** min(over, 10), LONGEST_BAR) if over >= 0 else timedelta()
        new = {"subject": subject, "count": count, "last_at": now, "until": now + pause}
        upsert = self.database.upsert(F, index=["subject"], update=["count", "last_at", "until"])
        conn.execute(upsert, [new])

    def forget(self, conn: Connection, subject: str) -> None:
        """Forget the failures of one that came in."""
        conn.execute(delete(F).where(F.c.subject == subject))

    def sweep(self, *, now: datetime) -> None:
        """Take away what is too old to count."""
        old = F.c.last_at < now - FORGOTTEN_AFTER
        with self.database.read() as conn:
            if conn.execute(select(F.c.subject).where(old).limit(1)).first() is None:
                return
        with self.database.write() as conn:
            conn.execute(delete(F).where(old))
