"""Dead letters in bulk: found by what they have in common, retried under their keys, or given up with a note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from hub.core.ledger import DISCARDABLE, RETRYABLE, RETRYABLE_TOGETHER, State, in_order
from hub.flow.converse.replies import discard as give_up
from hub.flow.lanes import outlets, ring_outlets
from hub.runtime import Hub
from hub.store.audit import Entry
from hub.store.database import chunks


class Letters(msgspec.Struct, frozen=True):
    """Which deliveries: None means any.

    `error` is the error's code, field or class; `since` and `until` are of the settling, else of the planning.
    """

    state: str | None = None
    destination: str | None = None
    object: str | None = None
    rule: str | None = None
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def named(self) -> dict[str, str]:
        """What was asked for, as text."""
        return {name: str(value) for name, value in msgspec.structs.asdict(self).items() if value is not None}

    @property
    def subject(self) -> str:
        """What the audit log calls it."""
        return self.destination or "deliveries"


def retryable(hub: Hub, wanted: Letters, ids: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Deliveries that match and can be retried, oldest first: id, destination, object, state, error.

    Where neither a state nor ids are named, those that await a person are left out: each waits for a word of its own.
    """
    return _find(hub, wanted, ids, states=RETRYABLE if ids or wanted.state else RETRYABLE_TOGETHER)


def discardable(hub: Hub, wanted: Letters, ids: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """The same for what can be given up: dead ones, where neither a state nor ids are named."""
    return _find(hub, wanted, ids, states=DISCARDABLE if ids or wanted.state else frozenset({"dead"}))


def _find(hub: Hub, wanted: Letters, ids: Sequence[int] | None, *, states: Iterable[State]) -> list[dict[str, Any]]:
    columns = {"destination": wanted.destination, "object": wanted.object, "rule": wanted.rule}
    chosen = [state for state in in_order(states) if wanted.state in (None, state)]
    rows = hub.store.outbox.matching(chosen, ids=ids, since=wanted.since, until=wanted.until, **columns)
    return [row for row in rows if _has(row, wanted.error)]


def _has(row: Mapping[str, Any], mark: str | None) -> bool:
    return mark is None or mark in _marks(row["error"])


def _marks(error: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(str((error or {}).get(name, "")) for name in ("code", "field", "class"))


def groups(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many there are of each kind, the most frequent first."""

    def kind(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
        error = row["error"] or {}
        return row["destination"], row["object"], row["state"], str(error.get("code") or error.get("class") or "")

    names = ("destination", "object", "state", "error")
    return [
        dict(zip(names, key, strict=True)) | {"count": count} for key, count in Counter(map(kind, rows)).most_common()
    ]


def retry(hub: Hub, rows: Sequence[Mapping[str, Any]], *, actor: str, wanted: Letters) -> int:
    """Make deliveries due again under the same keys, and end their connections' pauses. Returns how many."""
    done = sum(hub.store.outbox.retry(part, now=hub.now()) for part in chunks([row["id"] for row in rows]))
    touched = {wanted.destination, *(row["destination"] for row in rows)}
    names = [name for name in outlets(hub) if name in touched]
    for name in names:
        hub.store.connections.resume(name, now=hub.now())
    ring_outlets(hub, names)
    note(hub, wanted, Entry("retry", wanted.subject, actor, {"count": done}))
    return done


def discard(hub: Hub, rows: Sequence[Mapping[str, Any]], *, actor: str, note_: str, wanted: Letters) -> int:
    """Give deliveries up for good, with a note; the agents of replies are told. Returns how many."""
    done = sum(give_up(hub, part, note=note_) for part in chunks([row["id"] for row in rows]))
    note(hub, wanted, Entry("discard", wanted.subject, actor, {"count": done, "note": note_}))
    return done


def note(hub: Hub, wanted: Letters, entry: Entry) -> None:
    """An entry in the audit log, where something was done, with what was asked for."""
    detail = {**wanted.named, **(entry.detail or {})}
    if detail.get("count"):
        hub.store.audit.note(entry._replace(detail=detail), now=hub.now())
