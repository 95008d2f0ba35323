"""The ledger at work: claims with leases, order, and what became of each attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, select, update
from sqlalchemy import insert as plain_insert

from hub.config.failpoint import reached
from hub.core.errors import LeaseLost
from hub.core.ledger import PARTS, SETTLED, Need, State, check_transition
from hub.core.model import Delivery, RemoteRef
from hub.store.database import Also, Database, among, chunks, is_empty, lease_token
from hub.store.ledger.due import ClaimRequest, lease
from hub.store.ledger.moves import moving
from hub.store.merges import winners_of
from hub.store.schema import DUE, attempts, merged, needs, of_kind, refs
from hub.store.schema import deliveries as T

LEASE = timedelta(seconds=30)


class Claim(NamedTuple):
    """Leased rows of one object and operation; `doubtful` ones were sent before and are in doubt."""

    token: str
    destination: str
    object: str
    operation: str
    doubtful: bool
    deliveries: tuple[Delivery, ...]
    provides: Mapping[int, str]


class Settlement(NamedTuple):
    """What became of a leased delivery; `error` is JSON-able, `burns` tells whether the attempt counts.

    `moved` holds the present ids of its parents, by kind, if the vendor redirected us.
    """

    id: int
    state: State
    due_at: datetime | None = None
    ref: RemoteRef | None = None
    error: dict[str, Any] | None = None
    burns: bool = True
    moved: Mapping[str, RemoteRef] = {}


class Deliveries:
    """Queries over deliveries, attempts and remote references."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def claim(self, destination: str, *, size: Callable[[str, str], int], now: datetime) -> Claim | None:
        """Lease the next batch of one destination: due rows of one object and operation that nothing holds back."""
        token = lease_token()
        with self.database.write() as conn:
            leased = lease(conn, ClaimRequest(destination, now, token, now + LEASE), size)
            if leased is None:
                return None
            self._begin_attempts(conn, leased.rows, token, now)
            batch = self._deliveries(conn, sorted(leased.rows, key=lambda row: row.id))
        provides = {row.id: row.provides for row in leased.rows}
        return Claim(token, destination, *leased.kind, batch, provides)

    def _begin_attempts(self, conn: Connection, rows: Sequence[Any], token: str, now: datetime) -> None:
        begun = [{"delivery_id": row.id, "attempt": row.attempts, "lease": token, "started_at": now} for row in rows]
        conn.execute(plain_insert(attempts), begun)

    def _deliveries(self, conn: Connection, rows: Sequence[Any]) -> tuple[Delivery, ...]:
        wanted: dict[int, list[str]] = {}
        for part in chunks([row.id for row in rows]):
            for delivery_id, need in conn.execute(select(needs).where(among(needs.c.delivery_id, part))):
                wanted.setdefault(delivery_id, []).append(need)
        names = {need for need_list in wanted.values() for need in need_list} | {row.provides for row in rows}
        found: dict[str, RemoteRef] = {}
        for name_part in chunks(sorted(names)):
            query = select(refs).where(refs.c.destination == rows[0].destination, among(refs.c.provides, name_part))
            found.update((ref.provides, RemoteRef(ref.remote_id, ref.url)) for ref in conn.execute(query))
        return tuple(_delivery(row, wanted.get(row.id, []), found) for row in rows)

    def settle(
        self, claim: Claim, settlements: Sequence[Settlement], *, now: datetime, also: Also | None = None
    ) -> None:
        """Record what became of a claimed batch in one transaction. Raises LeaseLost: nothing is written then.

        `also` is called in the same transaction, after the rows are written; an error that it raises undoes them.
        """
        with self.database.write() as conn:
            # Locked, not only counted: a sweep must not take the rows back between this look and the writing.
            ours = select(T.c.id, T.c.provides).where(T.c.lease == claim.token, T.c.state == "leased").with_for_update()
            provides = {row.id: row.provides for row in conn.execute(ours)}
            if len(provides) != len(settlements):
                raise LeaseLost
            # A conversation may have joined another since the claim: its ticket stands for that one now.
            claim = claim._replace(provides=provides)
            conn.execute(_SETTLE, [_settled(item, now) for item in settlements])
            conn.execute(_FINISH, [_finished(item, claim.token, now) for item in settlements])
            self._keep_refs(conn, claim, settlements)
            self._drop_refs(conn, claim, settlements)
            self._move_parents(conn, claim, settlements)
            if also is not None:
                also(conn)
            reached("deliver.recorded")

    def _keep_refs(self, conn: Connection, claim: Claim, settlements: Sequence[Settlement]) -> None:
        targets = {delivery.id: delivery for delivery in claim.deliveries}
        rows = [
            {
                "destination": claim.destination,
                "object": claim.object,
                "record_key": targets[id_].record_key,
                "provides": claim.provides[id_],
                "operation": claim.operation,
                "remote_id": ref.id,
                "url": ref.url,
            }
            for id_, ref in _where_it_is(conn, claim, settlements)
        ]
        if rows:
            index = ["destination", "provides"]
            conn.execute(self.database.upsert(refs, index=index, update=["remote_id", "url"]), rows)

    def _drop_refs(self, conn: Connection, claim: Claim, settlements: Sequence[Settlement]) -> None:
        """Forget where the records of erased authors were: if one of them speaks again, the record is another one."""
        if claim.operation != "tombstone":
            return
        done = {item.id for item in settlements if item.state == "delivered"}
        gone = [one.id for one in claim.deliveries if one.id in done and one.fields.get("operation") == "upsert"]
        theirs = [claim.provides[id_] for id_ in gone if Need.read(claim.provides[id_]).kind == "author"]
        for part in chunks(theirs):
            conn.execute(delete(refs).where(refs.c.destination == claim.destination, among(refs.c.provides, part)))

    def _move_parents(self, conn: Connection, claim: Claim, settlements: Sequence[Settlement]) -> None:
        """Let all that stood for a parent stand for the record that it is now."""
        targets = {delivery.id: delivery for delivery in claim.deliveries}
        for item in settlements:
            for kind, new in item.moved.items():
                old = targets[item.id].parents.get(kind)
                if old is not None and old.id != new.id:
                    here = refs.c.destination == claim.destination, refs.c.remote_id == old.id
                    theirs = of_kind(refs.c.provides, kind)
                    conn.execute(update(refs).where(*here, theirs).values(remote_id=new.id, url=new.url))

    def renew(self, token: str, *, now: datetime) -> None:
        """Push the end of a lease out while its holder works."""
        with self.database.write() as conn:
            conn.execute(update(T).where(T.c.lease == token).values(lease_until=now + LEASE))

    def expire(self, *, now: datetime) -> int:
        """Leave deliveries uncertain whose lease ran out or whose holder died: they may have been sent. Return how many."""
        tokens = self.database.lost_leases(T, now=now)
        if not tokens:
            return 0
        values = {"lease": None, "lease_until": None, "due_at": now}
        lost = and_(T.c.state == "leased", among(T.c.lease, tokens))
        with self.database.write() as conn:
            over = and_(attempts.c.delivery_id.in_(select(T.c.id).where(lost)), attempts.c.finished_at.is_(None))
            conn.execute(update(attempts).where(over).values(outcome="lost", finished_at=now))
            return conn.execute(moving("uncertain", of=["leased"]).where(lost).values(values)).rowcount

    def due(self, *, now: datetime) -> list[str]:
        """Return the destinations that have something due."""
        query = select(T.c.destination).where(DUE, T.c.due_at <= now).distinct()
        with self.database.read() as conn:
            return list(conn.scalars(query))


def _where_it_is(conn: Connection, claim: Claim, settlements: Sequence[Settlement]) -> list[tuple[int, RemoteRef]]:
    """Return deliveries and their records; one that was merged while it was written is its winner, or it would get lost."""
    found = [(item.id, item.ref) for item in settlements if item.ref is not None]
    if not found or claim.operation in PARTS or is_empty(conn, merged):
        return found
    winners = winners_of(conn, claim.destination, claim.object, [ref.id for _, ref in found])
    return [(id_, RemoteRef(winners[ref.id]) if ref.id in winners else ref) for id_, ref in found]


_SETTLE = (
    update(T)
    .where(T.c.id == bindparam("this"))
    .values(
        state=bindparam("to"),
        due_at=func.coalesce(bindparam("at", type_=T.c.due_at.type), T.c.due_at),
        settled_at=bindparam("done", type_=T.c.settled_at.type),
        attempts=T.c.attempts - bindparam("unburnt"),
        error=bindparam("why", type_=T.c.error.type),
        remote_id=func.coalesce(bindparam("rid", type_=T.c.remote_id.type), T.c.remote_id),
        remote_url=func.coalesce(bindparam("rurl", type_=T.c.remote_url.type), T.c.remote_url),
        lease=None,
        lease_until=None,
    )
)
_FINISH = (
    update(attempts)
    .where(attempts.c.delivery_id == bindparam("this"), attempts.c.lease == bindparam("token"))
    .values(
        outcome=bindparam("to"),
        finished_at=bindparam("done", type_=attempts.c.finished_at.type),
        error=bindparam("why", type_=attempts.c.error.type),
    )
)


def _settled(item: Settlement, now: datetime) -> dict[str, Any]:
    check_transition("leased", item.state)
    return {
        "this": item.id,
        "to": item.state,
        "at": item.due_at,
        "done": now if item.state in SETTLED else None,
        "unburnt": 0 if item.burns else 1,
        "why": item.error,
        "rid": item.ref.id if item.ref else None,
        "rurl": item.ref.url if item.ref else None,
    }


def _finished(item: Settlement, token: str, now: datetime) -> dict[str, Any]:
    return {"this": item.id, "token": token, "to": item.state, "done": now, "why": item.error}


def _delivery(row: Any, wanted: Sequence[str], found: Mapping[str, RemoteRef]) -> Delivery:
    ref = found.get(row.provides)
    is_tombstone = row.operation == "tombstone"  # its `once` holds what was written
    once: Sequence[str] = () if is_tombstone else row.once
    # What is written only when the record is made must not undo what a person changed since.
    fields = {name: value for name, value in row.fields.items() if name not in once} if ref else row.fields
    return Delivery(
        id=row.id,
        destination=row.destination,
        object=row.object,
        record_key=row.record_key,
        operation=row.operation,
        seq=row.seq,
        key=row.key,
        fields=fields,
        key_field=row.key_field,
        attempt=row.attempts,
        signal_key=row.signal_key,
        ref=ref,
        parents={Need.read(need).kind: found[need] for need in wanted if need in found},
        first_sent_at=row.first_sent_at,
        once=tuple(name for name in once if name in fields),
        # Rows of 0.2.0 hold a list there: what they wrote is not known.
        written=row.once if is_tombstone and isinstance(row.once, dict) else {},
    )
