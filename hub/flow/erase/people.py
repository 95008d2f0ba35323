"""People behind authors: forgotten with them."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.ledger import IDLE, OPEN, Need
from hub.runtime import Hub
from hub.store import Connection
from hub.store.erasures import Sent


def forget_people(hub: Hub, conn: Connection, author_keys: Sequence[str], rows: Sequence[Sent]) -> None:
    """Forget the people who have no author but erased ones: here and in the ledger's `rows`, of all their kin.

    Records that are there are for the people who work with them; what was never sent is not sent any more. Raises Conflict
    if a row is being sent.
    """
    gone = frozenset(hub.store.people.forget(conn, author_keys, now=hub.now())) if author_keys else frozenset[str]()
    theirs = [row for row in rows if Need.read(row.provides).kind == "person" and row.record_key in gone]
    there = {(row.destination, row.object, row.record_key) for row in theirs if row.was_sent}
    unsent = [row for row in theirs if (row.destination, row.object, row.record_key) not in there]
    waiting = [row.id for row in unsent if row.state in IDLE]
    hub.store.erasures.stop(conn, waiting, "superseded", now=hub.now())
    open_ = [row for row in theirs if row.state in OPEN and row.id not in waiting]
    hub.store.erasures.blank_ledger(conn, [row for row in theirs if row not in open_])
