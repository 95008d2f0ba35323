"""Users: who logs in, what they may, and the digests that prove it is them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from hub.core.accounts import User
from hub.core.errors import Conflict
from hub.store.database import Database
from hub.store.schema import users as U


class Proofs(NamedTuple):
    """What proves that a person is the user: an Argon2id hash, a second factor's secret, its last step, digests of codes."""

    password: str | None = None
    totp: str | None = None
    totp_step: int | None = None
    recovery: tuple[str, ...] = ()


NO_PROOFS = Proofs()


class Users:
    """Queries over users."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def there_are(self, *, conn: Connection | None = None) -> bool:
        """Return True if there is a user: the hub is behind a log-in then."""
        with self.database.read() if conn is None else self.database.within(conn) as within:
            return within.execute(select(U.c.id).limit(1)).first() is not None

    def add(self, conn: Connection, user: User, proofs: Proofs = NO_PROOFS, *, subject: str | None = None) -> User:
        """Add a user; returns it with its number. Raises Conflict if the name is taken."""
        if conn.execute(select(U.c.id).where(U.c.name == user.name)).first():
            raise Conflict
        row = {
            "name": user.name,
            "full_name": user.full_name,
            "mail": user.mail,
            **_rights(user),
            **proofs._asdict(),
            "issuer": user.issuer,
            "subject": subject,
            "choices": dict(user.choices),
            "created_at": user.created_at,
        }
        number = conn.execute(insert(U).values(row).returning(U.c.id)).scalar_one()
        return self._one(conn, int(number))

    def get(self, number: int, *, conn: Connection | None = None) -> User | None:
        """Return a user by its number, None if there is none; locked if in a transaction of the caller's."""
        return self._find(U.c.id == number, conn)

    def named(self, name: str, *, conn: Connection | None = None) -> User | None:
        """Return a user by its folded name, None if there is none."""
        return self._find(U.c.name == name, conn)

    def of_provider(self, issuer: str, subject: str, *, conn: Connection | None = None) -> User | None:
        """Return the user that a provider of identities knows by this subject, None if there is none."""
        return self._find((U.c.issuer == issuer) & (U.c.subject == subject), conn)

    def all(self) -> list[User]:
        """Return all users by name."""
        with self.database.read() as conn:
            return [user_of(row) for row in conn.execute(select(U).order_by(U.c.name))]

    def proofs(self, number: int, *, conn: Connection | None = None) -> Proofs:
        """Return what proves that a person is this user, locked if in a transaction of the caller's."""
        query = select(U.c.password, U.c.totp, U.c.totp_step, U.c.recovery).where(U.c.id == number)
        with self.database.read() if conn is None else self.database.within(conn) as within:
            row = within.execute(query if conn is None else query.with_for_update()).one()
        return Proofs(row.password, row.totp, row.totp_step, tuple(row.recovery))

    def prove(self, conn: Connection, number: int, **proofs: Any) -> None:
        """Replace some of what proves that a person is this user; see Proofs."""
        conn.execute(update(U).where(U.c.id == number).values(proofs))

    def change(self, conn: Connection, user: User) -> User:
        """Replace a user's name in full, mail, rights, choices and state."""
        values = {"full_name": user.full_name, "mail": user.mail, "choices": dict(user.choices), **_rights(user)}
        conn.execute(update(U).where(U.c.id == user.id).values(values | {"disabled_at": user.disabled_at}))
        return self._one(conn, user.id)

    def seen(self, conn: Connection, number: int, *, now: datetime) -> None:
        """Note when a user came last."""
        conn.execute(update(U).where(U.c.id == number).values(seen_at=now))

    def count_admins(self, conn: Connection, *, beside: int) -> int:
        """Return how many other admins can come in; the rows are locked, so that two cannot leave none.

        One who was invited and has chosen no password yet cannot.
        """
        can_come = or_(U.c.password.is_not(None), U.c.issuer.is_not(None))
        admins = select(U.c.id, can_come.label("can_come")).where(U.c.role == "admin", U.c.disabled_at.is_(None))
        rows = conn.execute(admins.order_by(U.c.id).with_for_update())
        return sum(row.id != beside and bool(row.can_come) for row in rows)

    def counts(self) -> dict[str, int]:
        """Return how many users there are, by role."""
        with self.database.read() as conn:
            rows: Sequence[Any] = conn.execute(select(U.c.role, func.count()).group_by(U.c.role)).all()
        return {row[0]: row[1] for row in rows}

    def _one(self, conn: Connection, number: int) -> User:
        return user_of(conn.execute(select(U).where(U.c.id == number)).one())

    def _find(self, where: Any, conn: Connection | None) -> User | None:
        with self.database.read() if conn is None else self.database.within(conn) as within:
            query = select(U).where(where)
            row = within.execute(query if conn is None else query.with_for_update()).first()
        return None if row is None else user_of(row)


def _rights(user: User) -> dict[str, Any]:
    seen = {name: None if part is None else sorted(part) for name, part in _parts(user)}
    return {"role": user.role, "drafts_only": user.drafts_only, **seen}


def _parts(user: User) -> tuple[tuple[str, frozenset[str] | None], ...]:
    return ("sources", user.sources), ("brands", user.brands)


def user_of(row: Row[Any]) -> User:
    """Return a user out of a row that has all columns of its table."""
    return User(
        id=row.id,
        name=row.name,
        full_name=row.full_name,
        role=row.role,
        created_at=row.created_at,
        mail=row.mail,
        sources=None if row.sources is None else frozenset(row.sources),
        brands=None if row.brands is None else frozenset(row.brands),
        drafts_only=row.drafts_only,
        has_password=row.password is not None,
        has_code=row.totp is not None,
        recovery_left=len(row.recovery),
        issuer=row.issuer,
        choices=row.choices,
        seen_at=row.seen_at,
        disabled_at=row.disabled_at,
    )
