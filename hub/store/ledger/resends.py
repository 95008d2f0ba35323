"""What is sent once more: payloads that a newer one has overtaken since, and the time from which a search lags."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, select, update

from hub.core.ledger import MAYBE_THERE
from hub.store.database import Database, among, chunks
from hub.store.schema import deliveries as T

REPLACING = ("upsert", "note")
"""Operations of which a newer row says what an older one said before: the older one is worth nothing then."""


class Resends:
    """Queries over rows that were sent before."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def overtaken(self, ids: Sequence[int]) -> frozenset[int]:
        """Return those of these rows whose record was written again since they failed: to send them would undo that."""
        newer = T.alias("newer")
        same = (newer.c[name] == T.c[name] for name in ("record_key", "destination", "object", "operation"))
        later = exists().where(*same, newer.c.seq > T.c.seq, newer.c.state.in_(MAYBE_THERE))
        query = select(T.c.id).where(T.c.operation.in_(REPLACING), later)
        with self.database.read() as conn:
            return frozenset(id_ for part in chunks(ids) for id_ in conn.scalars(query.where(among(T.c.id, part))))

    def after_bugs(self, ids: Sequence[int]) -> frozenset[int]:
        """Return those of these rows whose last attempt met a bug of the connector (error code "bug")."""
        query = select(T.c.id, T.c.error).where(T.c.error.is_not(None))
        with self.database.read() as conn:
            rows = [row for part in chunks(ids) for row in conn.execute(query.where(among(T.c.id, part)))]
        return frozenset(row.id for row in rows if row.error.get("code") == "bug")

    def begin_anew(self, ids: Sequence[int], *, now: datetime) -> None:
        """Count these leased rows as sent from now on: a search that lags may not find yet what is sent now."""
        with self.database.write() as conn:
            for part in chunks(ids):
                conn.execute(update(T).where(among(T.c.id, part), T.c.state == "leased").values(first_sent_at=now))
