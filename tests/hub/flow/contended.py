"""A ledger for which others are too fast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hub.core.errors import Conflict, HubError
from hub.core.model import Planned
from hub.store import Connection, Store
from hub.store.ledger.outbox import Outbox, RowTarget

EACH_TIME = 99


class ContendedOutbox(Outbox):
    """A ledger in which another is faster `left` times: what is planned is written, and then it is seen that it cannot stay.

    `only` names the operation that it happens to ("": any); `conflicts` counts; `error` is what is raised.
    """

    error: type[HubError] = Conflict
    left = 0
    only = ""
    conflicts = 0

    def plan(self, conn: Connection, planned: Sequence[Planned], *, now: datetime) -> list[RowTarget]:
        written = super().plan(conn, planned, now=now)
        if self.left and any(self.only in {"", item.record.operation} for item in planned):
            self.left, self.conflicts = self.left - 1, self.conflicts + 1
            raise self.error
        return written


def contend(store: Store, times: int, *, only: str = "") -> ContendedOutbox:
    """Let another be faster so many times from now on."""
    made = ContendedOutbox(store.database)
    made.left, made.only = times, only
    store.outbox = made
    return made
