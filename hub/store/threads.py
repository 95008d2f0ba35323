"""Conversations that turn out to be one: keys that a network uses in one place only, and parents that come late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, delete, exists, not_, or_, select, text, update

from hub.core.errors import Conflict
from hub.core.ledger import WITHDRAWN, Need
from hub.core.model import Signal
from hub.core.threads import Dropped, Move
from hub.store.database import Database, among, chunks, is_empty
from hub.store.ledger.moves import moving
from hub.store.ledger.outbox import GONE
from hub.store.schema import CONVERSATION_NEED, aliases, conversations, json_text, needs, refs, retired
from hub.store.schema import deliveries as T
from hub.store.schema import signals as S

ORDER_LOCK = 0x48554243  # any number that no other program on this database uses
_signal = msgspec.json.Decoder(Signal)


class Threads:
    """Queries over aliases and conversations that were joined."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def take_turns(self, conn: Connection, *, alone: bool) -> None:
        """Lock the order of threads for the rest of the transaction: `alone` for one that changes threads or erases, else shared.

        Two transactions that cannot see each other's rows would else both overlook the other's post. SQLite has one writer.
        """
        if not self.database.is_sqlite:
            name = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
            conn.execute(text(f"SELECT {name}(:this)"), {"this": ORDER_LOCK})

    def named(self, conn: Connection, names: Sequence[str]) -> dict[str, str]:
        """Return the keys of the signals that aliases stand for."""
        if not names or is_empty(conn, aliases):
            return {}
        parts = chunks(names)
        return {
            row.alias: row.key for part in parts for row in conn.execute(_ALIASES.where(among(aliases.c.alias, part)))
        }

    def homes(self, conn: Connection, keys: Sequence[str]) -> dict[str, str]:
        """Return the present keys of those of these conversations that were joined to another."""
        return {} if is_empty(conn, retired) else _joined(conn, retired.c.key, keys)

    def former(self, conn: Connection, keys: Sequence[str]) -> dict[str, str]:
        """Return the earlier keys of conversations, each with the key that it goes by now."""
        return _joined(conn, retired.c.now, keys)

    def joined(self, conn: Connection, keys: Sequence[str]) -> dict[str, str]:
        """Return both: the present keys of conversations, and the earlier keys of those that they are in."""
        if is_empty(conn, retired):
            return {}
        homes = _joined(conn, retired.c.key, keys)
        return homes | self.former(conn, list(dict.fromkeys((*keys, *homes.values()))))

    def remember(self, conn: Connection, pairs: Mapping[str, str]) -> None:
        """Keep what aliases stand for; the first one said stays."""
        rows = [{"alias": alias, "key": key} for alias, key in sorted(pairs.items())]
        if rows:
            conn.execute(self.database.insert_new(aliases), rows)

    def join(self, conn: Connection, moves: Sequence[Move], dropped: Sequence[Dropped], *, now: datetime) -> None:
        """Join conversations: signals, tickets and what waits for them. Raises Conflict if a ticket to drop is being sent."""
        for ticket in dropped:
            _drop(conn, ticket, now=now)
        for move in moves:
            names = [move.old, *self.former(conn, [move.old])]
            conn.execute(update(retired).where(retired.c.now == move.old).values(now=move.new))
            conn.execute(self.database.insert_new(retired), [{"key": move.old, "now": move.new}])
            _move_signals(conn, move)
            _move_tickets(conn, move, names)
            _move_values(conn, move)

    def overlooked(self, conn: Connection, names: Iterable[str], homes: Iterable[str]) -> bool:
        """Return True if another transaction stored what belongs together: signals under `names`, or the end of `homes`.

        `names` are further names of new signals that start no conversation of their own; `homes` the conversations chosen.
        """
        chosen = sorted(set(homes))
        if self.homes(conn, chosen) or self.named(conn, chosen):
            return True
        strays = (select(S.c.id).where(among(S.c.conversation_key, part)) for part in chunks(sorted(set(names))))
        moved = (select(S.c.id).where(among(S.c.key, part), S.c.conversation_key != S.c.key) for part in chunks(chosen))
        return any(conn.execute(query.limit(1)).first() is not None for query in (*strays, *moved))

    def unsent(self, conn: Connection, key: str, destination: str) -> str | None:
        """Return the record key of a conversation's ticket that is planned and was not sent; None if there is none."""
        keys = [key, *self.former(conn, [key])]
        this = among(T.c.record_key, keys), T.c.destination == destination, T.c.operation == "create"
        query = select(T.c.record_key).where(*this, T.c.state == "pending", T.c.first_sent_at.is_(None))
        return conn.scalar(query.limit(1))

    def of(self, conn: Connection, keys: Sequence[str]) -> dict[str, Signal]:
        """Return stored signals by key, with the raw row that they are of now."""
        found: dict[str, Signal] = {}
        for part in chunks(keys):
            for row in conn.execute(select(S.c.key, S.c.body, S.c.raw_id).where(among(S.c.key, part))):
                signal = _signal.decode(row.body)
                origin = signal.provenance and msgspec.structs.replace(signal.provenance, raw_id=row.raw_id)
                found[row.key] = msgspec.structs.replace(signal, provenance=origin)
        return found


_ALIASES = select(aliases.c.alias, aliases.c.key)
_RETIRED = select(retired.c.key, retired.c.now)


def _joined(conn: Connection, column: Column[Any], keys: Sequence[str]) -> dict[str, str]:
    return {row.key: row.now for part in chunks(keys) for row in conn.execute(_RETIRED.where(among(column, part)))}


def _move_signals(conn: Connection, move: Move) -> None:
    rows = conn.execute(select(S.c.id, S.c.key, S.c.body).where(S.c.conversation_key == move.old)).all()
    for row in rows:
        body = msgspec.structs.replace(_signal.decode(row.body), conversation_key=move.new)
        conn.execute(update(S).where(S.c.id == row.id).values(conversation_key=move.new, body=json_text(body)))


def _drop(conn: Connection, ticket: Dropped, *, now: datetime) -> None:
    this = T.c.destination == ticket.destination, T.c.record_key == ticket.key, T.c.operation == "create"
    unsent = moving("discarded", of=["pending"]).where(*this, T.c.first_sent_at.is_(None))
    values = {"stable": GONE, "settled_at": now, "error": {"note": "the conversation has a ticket"}}
    if conn.execute(unsent.values(values)).rowcount != 1:
        raise Conflict


def _move_tickets(conn: Connection, move: Move, names: Sequence[str]) -> None:
    """Count the old conversation's tickets for the new one, unless that has a ticket of its own there.

    A ticket's row keeps its record key (one of `names`), which is the vendor's mark of it.
    """
    columns = (T.c.id, T.c.destination, T.c.provides, T.c.state)
    tickets = select(*columns).where(T.c.record_key.in_(names), T.c.operation == "create")
    for row in conn.execute(tickets).all():
        need = Need.read(row.provides)
        if need.key != move.old:
            continue
        provides = str(need._replace(key=move.new))
        if row.state not in WITHDRAWN:
            if _has_ticket(conn, row, provides):
                continue
            conn.execute(update(T).where(T.c.id == row.id).values(provides=provides))
            ref = refs.c.destination == row.destination, refs.c.provides == row.provides
            conn.execute(update(refs).where(*ref).values(provides=provides))
        there = select(T.c.id).where(T.c.destination == row.destination)
        waiting = needs.c.need == row.provides, text(CONVERSATION_NEED), needs.c.delivery_id.in_(there)
        conn.execute(update(needs).where(*waiting).values(need=provides))


def _move_values(conn: Connection, move: Move) -> None:
    """Move state, assignee and tags along, unless the other conversation has its own."""
    has_own = select(conversations.c.key).where(conversations.c.key == move.new)
    mine = conversations.c.key == move.old
    conn.execute(update(conversations).where(mine, not_(has_own.exists())).values(key=move.new))
    conn.execute(delete(conversations).where(mine))


def _has_ticket(conn: Connection, row: Any, provides: str) -> bool:
    landed = exists().where(refs.c.destination == row.destination, refs.c.provides == provides)
    coming = exists().where(T.c.destination == row.destination, T.c.provides == provides, T.c.state.not_in(WITHDRAWN))
    return bool(conn.scalar(select(or_(landed, coming))))
