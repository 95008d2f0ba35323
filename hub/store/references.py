"""Records at destinations that stand for people and accounts: told by a person, inherited, given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, text, tuple_

from hub.core.errors import HubError
from hub.core.ledger import Need
from hub.core.model import RemoteRef
from hub.store.conversations import Conversations
from hub.store.database import Database, among, chunks
from hub.store.schema import PEOPLES_NEED, refs


class Reference(NamedTuple):
    """A record at a destination that stands for a person or an account (`kind`), by their key."""

    kind: str
    key: str
    destination: str
    object: str
    remote: RemoteRef

    @property
    def provides(self) -> str:
        """As the ledger writes it."""
        return str(Need(self.kind, self.object, self.key))


class NoReference(HubError):
    """No record there stands for this person or account."""


class References:
    """Queries over what stands for people and accounts at destinations."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def put(self, one: Reference, *, conn: Connection | None = None) -> None:
        """Let a record there stand for a person or account; the next signal writes to it, whatever stood for them before."""
        with self.database.within(conn) as within:
            Conversations(self.database).forget(within, one.destination, [one.provides])
            within.execute(self.database.upsert(refs, index=_PLACE, update=["remote_id", "url"]), [_row(one)])

    def drop(self, one: Reference, *, conn: Connection | None = None) -> None:
        """Forget which record stands for a person or account: the next signal makes another. Raises NoReference if none did."""
        with self.database.within(conn) as within:
            mine = refs.c.destination == one.destination, refs.c.provides == one.provides
            if within.execute(select(refs.c.remote_id).where(*mine)).first() is None:
                raise NoReference(f"{one.key} has no {one.object} of {one.destination}")
            Conversations(self.database).forget(within, one.destination, [one.provides])

    def of(self, keys: Sequence[str], *, conn: Connection | None = None) -> list[Reference]:
        """Return all records that stand for these people and accounts."""
        with self.database.read() if conn is None else nullcontext(conn) as within:
            return [one for part in chunks(keys) for one in _of(within, part)]

    def adopt(
        self,
        author_key: str,
        person_key: str,
        places: Collection[tuple[str, str]],
        *,
        conn: Connection | None = None,
    ) -> int:
        """Let an author's records at these (destination, object) stand for the person too, if it has none there yet."""
        wanted = [(destination, str(Need("author", object_, author_key))) for destination, object_ in sorted(places)]
        place = tuple_(refs.c.destination, refs.c.provides)
        with self.database.within(conn) as within:
            rows = [row for one in wanted for row in within.execute(select(refs).where(place == tuple_(*one)))]
            return _give(self.database, within, [_reference(row)._replace(kind="person") for row in rows], person_key)

    def part(self, conn: Connection, author_key: str, person_key: str) -> None:
        """Take from a person the records that are an author's too."""
        give_back(conn, ("author", author_key), person_key)


def inherit(database: Database, conn: Connection, loser: str, winner: str) -> None:
    """Let what stands for one person stand for another too, if that has none of its own."""
    _give(database, conn, _of(conn, [loser]), winner)


def give_back(conn: Connection, owner: tuple[str, str], person_key: str) -> None:
    """Take from a person the records that stand for another (a kind and a key) too."""
    kind, key = owner
    for one in _of(conn, [person_key]):
        other = one._replace(kind=kind, key=key)
        theirs = refs.c.destination == one.destination, refs.c.provides == other.provides
        if conn.scalar(select(refs.c.remote_id).where(*theirs)) == one.remote.id:
            mine = refs.c.destination == one.destination, refs.c.provides == one.provides
            conn.execute(delete(refs).where(*mine))


_PLACE = ["destination", "provides"]


def _give(database: Database, conn: Connection, found: Sequence[Reference], key: str) -> int:
    if not found:
        return 0
    rows = [_row(one._replace(key=key)) for one in found]
    return conn.execute(database.insert_new(refs), rows).rowcount


def _of(conn: Connection, keys: Sequence[str]) -> list[Reference]:
    # Written out, as the index has it: a database uses a partial index only if it sees the index's condition.
    query = select(refs).where(among(refs.c.record_key, keys), text(PEOPLES_NEED))
    return [_reference(row) for row in conn.execute(query.order_by(refs.c.destination, refs.c.object))]


def _reference(row: Any) -> Reference:
    kind = Need.read(row.provides).kind
    return Reference(kind, row.record_key, row.destination, row.object, RemoteRef(row.remote_id, row.url))


def _row(one: Reference) -> dict[str, str | None]:
    return {
        "destination": one.destination,
        "provides": one.provides,
        "object": one.object,
        "record_key": one.key,
        "operation": "upsert",
        "remote_id": one.remote.id,
        "url": one.remote.url,
    }
