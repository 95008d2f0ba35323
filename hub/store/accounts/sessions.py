"""Sessions: the log-ins of browsers, found by the digest of a cookie."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from hub.core.accounts import IDLE, OpenSession
from hub.store.accounts.users import user_of
from hub.store.database import Database
from hub.store.schema import sessions as S
from hub.store.schema import users as U


class NewSession(NamedTuple):
    """A session to be made; `token` is a digest."""

    token: str
    user_id: int
    form_token: str
    waits_for_code: bool
    made_at: datetime
    until: datetime
    address: str = ""
    browser: str = ""
    provider_session: str | None = None


class Sessions:
    """Queries over sessions."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, conn: Connection, one: NewSession) -> int:
        """Add a session; returns its number."""
        made = insert(S).values({**one._asdict(), "seen_at": one.made_at}).returning(S.c.id)
        return int(conn.execute(made).scalar_one())

    def get(self, token: str) -> OpenSession | None:
        """Return the session of a cookie's digest, over or not; None if there is none."""
        with self.database.read() as conn:
            row = conn.execute(_WITH_USER.where(S.c.token == token)).first()
        return None if row is None else _session(row)

    def of_user(self, user_id: int) -> list[OpenSession]:
        """Return a user's sessions, the one used last first."""
        query = _WITH_USER.where(S.c.user_id == user_id).order_by(S.c.seen_at.desc(), S.c.id.desc())
        with self.database.read() as conn:
            return [_session(row) for row in conn.execute(query)]

    def touch(self, number: int, *, now: datetime) -> None:
        """Note that a session is used."""
        with self.database.borrow() as conn:
            conn.execute(update(S).where(S.c.id == number).values(seen_at=now))

    def end(self, conn: Connection, number: int, *, user_id: int) -> bool:
        """End one session of a user; False if it is over already."""
        return conn.execute(delete(S).where(S.c.id == number, S.c.user_id == user_id)).rowcount > 0

    def end_all(self, conn: Connection, user_id: int, *, beside: int | None = None) -> int:
        """End a user's sessions, but for one; returns how many."""
        where = [S.c.user_id == user_id, *([S.c.id != beside] if beside is not None else [])]
        return conn.execute(delete(S).where(*where)).rowcount

    def end_everything(self, conn: Connection) -> None:
        """End all sessions of all users."""
        conn.execute(delete(S))

    def end_of_provider(self, conn: Connection, issuer: str, *, subject: str | None, session: str | None) -> int:
        """End the sessions that a provider of identities ends: those of a subject, or one of its own sessions.

        Of a subject those end too that the provider gave no session's name: it may be the one.
        """
        people = select(U.c.id).where(U.c.issuer == issuer, *([U.c.subject == subject] if subject else []))
        where: list[ColumnElement[bool]] = [S.c.user_id.in_(people)]
        if session:
            named = S.c.provider_session == session
            where.append(or_(named, S.c.provider_session.is_(None)) if subject else named)
        return conn.execute(delete(S).where(*where)).rowcount

    def sweep(self, *, now: datetime) -> int:
        """Take away sessions that are over; returns how many."""
        over = or_(S.c.until <= now, S.c.seen_at <= now - IDLE)
        with self.database.read() as conn:
            found = list(conn.scalars(select(S.c.id).where(over)))
        if not found:
            return 0
        with self.database.write() as conn:
            return conn.execute(delete(S).where(over)).rowcount


_WITH_USER = select(
    U,
    S.c.id.label("session_id"),
    *(S.c[name].label(f"session_{name}") for name in ("seen_at",)),
    *(S.c[name] for name in ("form_token", "waits_for_code", "made_at", "until", "address", "browser")),
    S.c.provider_session,
).join(S, S.c.user_id == U.c.id)


def _session(row: Row[Any]) -> OpenSession:
    return OpenSession(
        id=row.session_id,
        user=user_of(row),
        form_token=row.form_token,
        waits_for_code=row.waits_for_code,
        made_at=row.made_at,
        seen_at=row.session_seen_at,
        until=row.until,
        address=row.address,
        browser=row.browser,
        provider_session=row.provider_session,
    )
