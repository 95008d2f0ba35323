"""Links that work once: the first admin's, invitations, resets of a password."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from hub.core.accounts import Purpose
from hub.store.database import Database
from hub.store.schema import one_time_links as L


class OneTimeLink(NamedTuple):
    """A link by the digest of its token; `user_id` is None for the first admin, who is no user yet."""

    token: str
    purpose: Purpose
    user_id: int | None
    made_by: str
    made_at: datetime
    until: datetime


class OneTimeLinks:
    """Queries over one-time links."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, conn: Connection, one: OneTimeLink) -> None:
        """Add a link in place of older ones for the same user: only the newest works."""
        mine = L.c.user_id.is_(None) if one.user_id is None else L.c.user_id == one.user_id
        conn.execute(delete(L).where(mine))
        conn.execute(insert(L).values(one._asdict()))

    def get(self, token: str, *, now: datetime) -> OneTimeLink | None:
        """Return the link of a digest that still works, None if there is none."""
        with self.database.read() as conn:
            return _living(conn, token, now)

    def use(self, conn: Connection, token: str, *, now: datetime) -> OneTimeLink | None:
        """Take a link away and return it; None if it was used, is too old, or never was: of two that use it one gets it."""
        found = _living(conn, token, now)
        return found if conn.execute(delete(L).where(L.c.token == token)).rowcount and found else None

    def waits(self, *, now: datetime) -> dict[int, datetime]:
        """Return until when a link of each user works that has one."""
        with self.database.read() as conn:
            rows = conn.execute(select(L.c.user_id, L.c.until).where(L.c.until > now, L.c.user_id.is_not(None)))
            return {row.user_id: row.until for row in rows}

    def drop(self, conn: Connection, user_id: int | None) -> None:
        """Take a user's links away; None: the first admin's."""
        conn.execute(delete(L).where(L.c.user_id.is_(None) if user_id is None else L.c.user_id == user_id))

    def drop_all(self, conn: Connection) -> None:
        """Take all links away."""
        conn.execute(delete(L))


def _living(conn: Connection, token: str, now: datetime) -> OneTimeLink | None:
    columns = (L.c[name] for name in OneTimeLink._fields)
    row = conn.execute(select(*columns).where(L.c.token == token, L.c.until > now)).first()
    return None if row is None else OneTimeLink(*row)
