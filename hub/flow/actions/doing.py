"""How every action goes: may the actor do it, then the change and its audit entry, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from hub.core.access import WHOLE, Actor, Scope, demand
from hub.runtime import Hub
from hub.store import Connection
from hub.store.audit import AuditEntry


class Doing(NamedTuple):
    """An action while it is done: `conn` is its transaction."""

    hub: Hub
    actor: Actor
    conn: Connection

    def note(self, word: str, subject: str, **detail: object) -> None:
        """Add an entry to the audit log; a detail that is None says nothing and is left out."""
        note(self.hub, self.actor, self.conn, (word, subject), **detail)


@contextmanager
def doing(hub: Hub, actor: Actor, action: str, scope: Scope = WHOLE) -> Iterator[Doing]:
    """Open the transaction of an action; an error undoes the change and its entry. Raises NotAllowed before anything is done."""
    demand(actor, action, scope)
    with hub.store.database.write() as conn:
        yield Doing(hub, actor, conn)


def note(hub: Hub, actor: Actor, conn: Connection, what: tuple[str, str], **detail: object) -> None:
    """Add an entry (a word and its subject) in a transaction that another function opened."""
    told = {name: value for name, value in detail.items() if value is not None}
    hub.store.audit.note_in(conn, AuditEntry(*what, actor.name, told or None), now=hub.now())
