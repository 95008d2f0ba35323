"""What is known of connections: pauses, breakers and small memories; and heartbeats, and versions of rules and mappings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from hub.core.retry import ConnectionStanding
from hub.sdk.connectors import State
from hub.store.database import Database
from hub.store.schema import HELD, RESTORED, connections, heartbeats, memories, versions

LEASE = timedelta(seconds=30)


class Connections:
    """Pauses and breakers, memories, heartbeats and versions."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def pause(self, name: str, *, reason: str, until: datetime, now: datetime) -> None:
        """Pause a connection: nothing is sent over it before `until`."""
        row = {"name": name, "state": "paused", "reason": reason, "paused_until": until, "at": now}
        with self.database.write() as conn:
            update = ["state", "reason", "paused_until", "at"]
            conn.execute(self.database.upsert(connections, index=["name"], update=update), [row])

    def resume(self, name: str, *, now: datetime, conn: Connection | None = None) -> bool:
        """End a pause, close the breaker; False if the connection was fine already."""
        return self.change(name, lambda _: ConnectionStanding(), now=now, conn=conn)

    def standing(self, name: str) -> ConnectionStanding:
        """Return how a connection stands; one that never failed is fine."""
        with self.database.read() as conn:
            return _standing(conn.execute(select(connections).where(connections.c.name == name)).first())

    def change(
        self,
        name: str,
        step: Callable[[ConnectionStanding], ConnectionStanding],
        *,
        now: datetime,
        conn: Connection | None = None,
    ) -> bool:
        """Take a step from a connection's standing to the next, under its lock. Return True if the step changed something."""
        query = select(connections).where(connections.c.name == name).with_for_update()
        with self.database.within(conn) as within:
            row = within.execute(query).first()
            old = _standing(row)
            new = step(old)
            if new == old:
                return False
            since = row.at if row is not None and new.state == old.state else now
            update = {
                "state": new.state,
                "reason": new.reason,
                "paused_until": new.until,
                "at": since,
                "failures": new.failures,
                "openings": new.openings,
            }
            upsert = self.database.upsert(connections, index=["name"], update=list(update))
            within.execute(upsert, [{"name": name, **update}])
        return True

    def paused(self, *, now: datetime) -> dict[str, str]:
        """Return the connections over which nothing is sent now (paused, or breaker open), each with the reason."""
        query = select(connections.c.name, connections.c.reason).where(connections.c.paused_until > now)
        with self.database.read() as conn:
            return {row.name: row.reason or "" for row in conn.execute(query)}

    def pauses(self, *, now: datetime) -> list[dict[str, Any]]:
        """Return the connections over which nothing is sent now: `name`, `state`, `reason`, since when (`at`) and until when."""
        query = select(connections).where(connections.c.paused_until > now).order_by(connections.c.name)
        with self.database.read() as conn:
            return [dict(row) for row in conn.execute(query).mappings()]

    def memory(self, connection: str) -> State:
        """Return a connection's durable memory."""
        return ConnectionMemory(self.database, connection)

    def beat(self, name: str, role: str, *, now: datetime, detail: Any = None) -> None:
        """Note that a process is alive."""
        row = {"name": name, "role": role, "at": now, "detail": detail}
        with self.database.write() as conn:
            conn.execute(self.database.upsert(heartbeats, index=["name"], update=["at", "detail"]), [row])

    def beats(self, *, since: datetime) -> list[dict[str, Any]]:
        """Return the processes that were alive since then; signs of life that a backup brought along are none."""
        with self.database.read() as conn:
            query = select(heartbeats).where(heartbeats.c.at >= since).order_by(heartbeats.c.name)
            if (of_backup := _backup_of(conn)) is not None:
                query = query.where(heartbeats.c.at > of_backup)
            return [dict(row) for row in conn.execute(query).mappings()]

    def remember_versions(
        self, entries: Sequence[tuple[str, str, str, str]], *, now: datetime, conn: Connection | None = None
    ) -> None:
        """Keep each version of rules, topics and mappings that was ever active: (hash, kind, name, content)."""
        rows = [
            {"hash": entry[0], "kind": entry[1], "name": entry[2], "content": entry[3], "active_from": now}
            for entry in entries
        ]
        if rows:
            with self.database.within(conn) as within:
                within.execute(self.database.insert_new(versions), rows)

    def last_versions(self, kind: str, prefix: str) -> dict[str, str]:
        """Return the content that was active last of each name of a kind that begins so."""
        query = select(versions.c.name, versions.c.content).where(versions.c.kind == kind)
        query = query.where(versions.c.name.startswith(prefix, autoescape=True)).order_by(versions.c.active_from)
        with self.database.read() as conn:
            return {row.name: row.content for row in conn.execute(query)}

    def version(self, hash_: str) -> dict[str, Any] | None:
        """Return a stored version by its hash."""
        with self.database.read() as conn:
            row = conn.execute(select(versions).where(versions.c.hash == hash_)).mappings().first()
        return None if row is None else dict(row)


def _backup_of(conn: Connection) -> datetime | None:
    """Return when the backup was made that this database was restored from last, None if it was not."""
    named = memories.c.name.in_([HELD["name"], RESTORED["name"]])
    found = conn.scalars(select(memories.c.value).where(memories.c.connection == HELD["connection"], named))
    return max((datetime.fromisoformat(one["taken_at"]) for one in found if one.get("taken_at")), default=None)


def _standing(row: Any) -> ConnectionStanding:
    if row is None:
        return ConnectionStanding()
    return ConnectionStanding(row.state, row.reason, row.paused_until, row.failures, row.openings)


class ConnectionMemory(State):
    """A connection's small durable memory in the database."""

    def __init__(self, database: Database, connection: str) -> None:
        self.database = database
        self.connection = connection

    def get(self, name: str) -> Any:
        """Return the value, None if there is none."""
        wanted = select(memories.c.value).where(memories.c.connection == self.connection, memories.c.name == name)
        with self.database.read() as conn:
            return conn.scalar(wanted)

    def set(self, name: str, value: Any) -> None:
        """Keep the value."""
        row = {"connection": self.connection, "name": name, "value": value}
        with self.database.write() as conn:
            conn.execute(self.database.upsert(memories, index=["connection", "name"], update=["value"]), [row])
