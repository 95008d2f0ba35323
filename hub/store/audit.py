"""The audit log: who changed what, and when. Rows are only ever added; what is erased goes out of their details."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update
from sqlalchemy import insert as plain_insert

from hub.store.database import Database
from hub.store.schema import audit

REMOVED = "(removed)"


class AuditEntry(NamedTuple):
    """What was done (`link`, `replay`, `discard` ...), to what and by which actor; `detail` is JSON-able, without secrets."""

    action: str
    subject: str
    actor: str
    detail: Mapping[str, Any] | None = None


class Audit:
    """What people, and the hub on their behalf, changed."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def note_in(self, conn: Connection, entry: AuditEntry, *, now: datetime) -> None:
        """Add an entry in the transaction that makes the change."""
        conn.execute(plain_insert(audit), [{"at": now, **entry._asdict()}])

    def redact(
        self,
        conn: Connection,
        subjects: Sequence[str],
        *,
        names: Sequence[str],
        is_theirs: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Redact these details in the entries about `subjects`, of texts only those that are theirs; who did what stays."""
        for row in conn.execute(select(audit.c.id, audit.c.detail).where(audit.c.subject.in_(subjects))).all():
            said = {name: value for name, value in (row.detail or {}).items() if name in names}
            bad = {name: REMOVED for name, value in said.items() if not isinstance(value, str) or is_theirs(value)}
            if bad:
                conn.execute(update(audit).where(audit.c.id == row.id).values(detail={**row.detail, **bad}))

    def recent(self, *, limit: int = 50, before: int | None = None, **wanted: str | None) -> list[dict[str, Any]]:
        """Return entries, newest first; `wanted` filters by column (action, actor, subject), None: any."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        query = query if before is None else query.where(audit.c.id < before)
        for name, value in wanted.items():
            query = query if value is None else query.where(audit.c[name] == value)
        with self.database.read() as conn:
            return [dict(row) for row in conn.execute(query).mappings()]
