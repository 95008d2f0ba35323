"""API keys: found by the digest of their text, which is shown once and kept nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, update

from hub.core.accounts import ApiKey
from hub.store.accounts.users import user_of
from hub.store.database import Database
from hub.store.schema import keys as K
from hub.store.schema import users as U


class NewKey(NamedTuple):
    """A key to be made; `token` is a digest, `prefix` what lists show of its text."""

    token: str
    prefix: str
    user_id: int
    name: str
    scopes: Sequence[str]
    made_at: datetime
    until: datetime | None = None


class Keys:
    """Queries over API keys."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, conn: Connection, one: NewKey) -> int:
        """Add a key; returns its number."""
        made = insert(K).values({**one._asdict(), "scopes": list(one.scopes)}).returning(K.c.id)
        return int(conn.execute(made).scalar_one())

    def get(self, token: str) -> ApiKey | None:
        """Return the key of a digest, None if there is none."""
        return self._find(K.c.token == token, None)

    def numbered(self, number: int, *, conn: Connection | None = None) -> ApiKey | None:
        """Return a key by its number, None if there is none."""
        return self._find(K.c.id == number, conn)

    def all(self, user_id: int | None = None) -> list[ApiKey]:
        """Return all keys, or those of a user, newest first."""
        query = _WITH_USER if user_id is None else _WITH_USER.where(K.c.user_id == user_id)
        with self.database.read() as conn:
            return [_key(row) for row in conn.execute(query.order_by(K.c.id.desc()))]

    def used(self, number: int, *, now: datetime) -> None:
        """Note when a key was used last."""
        with self.database.borrow() as conn:
            conn.execute(update(K).where(K.c.id == number).values(used_at=now))

    def revoke(self, conn: Connection, number: int) -> bool:
        """Take a key away; False if it is gone already."""
        return conn.execute(delete(K).where(K.c.id == number)).rowcount > 0

    def _find(self, where: Any, conn: Connection | None) -> ApiKey | None:
        with self.database.read() if conn is None else self.database.within(conn) as within:
            row = within.execute(_WITH_USER.where(where)).first()
        return None if row is None else _key(row)


_WITH_USER = select(
    U,
    K.c.id.label("key_id"),
    K.c.name.label("key_name"),
    *(K.c[name] for name in ("prefix", "scopes", "made_at", "until", "used_at")),
).join(K, K.c.user_id == U.c.id)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.key_id,
        user=user_of(row),
        name=row.key_name,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        made_at=row.made_at,
        until=row.until,
        used_at=row.used_at,
    )
