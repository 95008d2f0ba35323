"""A hold: nothing is sent until a person lets the hub go on."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete

from hub.store.connections import ConnectionMemory
from hub.store.database import Database
from hub.store.ledger import restored
from hub.store.schema import HELD, RESTORED, memories


class Holding(msgspec.Struct, frozen=True):
    """Nothing is sent since then; `why` is said to people, `taken_at` is when the restored backup was made."""

    since: datetime
    why: str
    taken_at: datetime | None = None


class Hold:
    """What keeps the hub from sending."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self) -> Holding | None:
        """Return the hold, None if the hub sends."""
        found = ConnectionMemory(self.database, HELD["connection"]).get(HELD["name"])
        return None if found is None else msgspec.convert(found, Holding)

    def begin(self, conn: Connection, held: Holding) -> None:
        """Hold everything that would be sent."""
        self._keep(conn, HELD, held)

    def end(self, conn: Connection, held: Holding, *, now: datetime) -> int:
        """Let the hub send again; after a restore what waited is in doubt first. Returns how many deliveries are."""
        conn.execute(delete(memories).where(*(memories.c[name] == value for name, value in HELD.items())))
        if held.taken_at is None:
            return 0
        self._keep(conn, RESTORED, restored.RestoreMark(held.taken_at, now))
        return restored.doubt_waiting(conn, taken_at=held.taken_at, now=now)

    def _keep(self, conn: Connection, place: dict[str, str], value: msgspec.Struct) -> None:
        upsert = self.database.upsert(memories, index=["connection", "name"], update=["value"])
        conn.execute(upsert, [{**place, "value": value}])
