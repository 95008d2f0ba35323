"""Deliveries: listings, one of them whole, and which of them something can be done about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from hub.core.access import Actor, Sight, demand, may
from hub.core.ledger import DISCARDABLE, RETRYABLE, RETRYABLE_TOGETHER, State, in_order
from hub.core.reading.mask import as_seen
from hub.flow.views.names import names_near
from hub.runtime import Hub
from hub.store import Connection

Rows = list[dict[str, Any]]
_WORDS = ("deliveries.retry", "deliveries.discard")


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
        """Return what was asked for, as text."""
        return {name: str(value) for name, value in msgspec.structs.asdict(self).items() if value is not None}


def page(hub: Hub, actor: Actor, **wanted: Any) -> Rows:
    """Return a page of deliveries, newest first.

    `wanted` holds `limit`, `before` or `after`, and filters: `state`, `destination`, `object`, `signal_key`.
    """
    demand(actor, "deliveries.see")
    return _seen(hub, actor, [_dated(row) for row in hub.store.outbox.recent(sight=actor.sight, **wanted)])


def recent(hub: Hub, actor: Actor, *, signal: str | None = None, **wanted: Any) -> Rows:
    """Return the newest deliveries without their times; `signal` is a key, or an unambiguous beginning of it."""
    demand(actor, "deliveries.see")
    whole = hub.store.signals.get(signal, sight=actor.sight) if signal is not None else None
    key = str(whole["key"]) if whole else signal
    rows = hub.store.outbox.recent(signal_key=key, sight=actor.sight, **wanted)
    return _seen(hub, actor, [shown_delivery(row) for row in rows])


def one(hub: Hub, actor: Actor, number: int) -> dict[str, Any] | None:
    """Return one delivery, whole: payload, attempts, what it needs, and what the actor may do about it. None if there is none."""
    demand(actor, "deliveries.see")
    row = hub.store.outbox.get(number, sight=actor.sight)
    if row is None:
        return None
    names = ("seq", "key", "fields", "mapping_version", "first_sent_at", "needs", "provides", "key_field", "once")
    found: dict[str, Any] = _dated(row) | msgspec.to_builtins({name: row[name] for name in names})
    found["tries"] = msgspec.to_builtins([{**one, "lease": None} for one in row["tries"]])
    # A reply that waits is let out or refused by a word of its own.
    words = ("replies.approve", "replies.refuse") if row["state"] == "approval" else _WORDS
    for name, states, word in zip(("may_retry", "may_discard"), (RETRYABLE, DISCARDABLE), words, strict=True):
        found[name] = row["state"] in states and may(actor, word)
    return _seen(hub, actor, [found])[0]


def stored(hub: Hub, actor: Actor, number: int) -> dict[str, Any] | None:
    """Return one delivery as the ledger holds it, with all attempts. None if there is none."""
    demand(actor, "deliveries.see")
    row = hub.store.outbox.get(number, sight=actor.sight)
    if row is None:
        return None
    found = msgspec.to_builtins({**row, **shown_delivery(row)})
    return _seen(hub, actor, [found])[0]


def retryable(hub: Hub, actor: Actor, wanted: Letters, ids: Sequence[int] | None = None) -> Rows:
    """Return deliveries that match and can be retried, oldest first: id, destination, object, state, error.

    If neither a state nor ids are named, those that await a person are left out: each waits for a word of its own.
    """
    demand(actor, "deliveries.see")
    return matching(hub, wanted, ids, of=retryable_states(wanted, ids), sight=actor.sight)


def discardable(hub: Hub, actor: Actor, wanted: Letters, ids: Sequence[int] | None = None) -> Rows:
    """Return the same of what can be given up: dead ones, if neither a state nor ids are named."""
    demand(actor, "deliveries.see")
    return matching(hub, wanted, ids, of=discardable_states(wanted, ids), sight=actor.sight)


def groups(rows: Sequence[Mapping[str, Any]]) -> Rows:
    """Return how many there are of each kind, the most frequent first."""

    def kind(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
        error = row["error"] or {}
        return row["destination"], row["object"], row["state"], str(error.get("code") or error.get("class") or "")

    names = ("destination", "object", "state", "error")
    return [
        dict(zip(names, key, strict=True)) | {"count": count} for key, count in Counter(map(kind, rows)).most_common()
    ]


# ------------------------------------------------------------------------------------------ what actions work on


def retryable_states(wanted: Letters, ids: Sequence[int] | None) -> frozenset[State]:
    """Return the states that a retry means."""
    return RETRYABLE if ids or wanted.state else frozenset(RETRYABLE_TOGETHER)


def discardable_states(wanted: Letters, ids: Sequence[int] | None) -> frozenset[State]:
    """Return the states that a discard means."""
    return DISCARDABLE if ids or wanted.state else frozenset({"dead"})


def matching(
    hub: Hub,
    wanted: Letters,
    ids: Sequence[int] | None,
    *,
    of: Iterable[State],
    sight: Sight,
    conn: Connection | None = None,
) -> Rows:
    """Return the deliveries in these states that match and are seen, read in the caller's transaction if there is one."""
    columns = {"destination": wanted.destination, "object": wanted.object, "rule": wanted.rule}
    chosen = [state for state in in_order(of) if wanted.state in (None, state)]
    rows = hub.store.outbox.matching(
        chosen, ids=ids, since=wanted.since, until=wanted.until, conn=conn, sight=sight, **columns
    )
    return [row for row in rows if _has(row, wanted.error)]


def _has(row: Mapping[str, Any], mark: str | None) -> bool:
    return mark is None or mark in _marks(row["error"])


def _marks(error: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(str((error or {}).get(name, "")) for name in ("code", "field", "class"))


def _seen(hub: Hub, actor: Actor, found: Sequence[dict[str, Any]]) -> Rows:
    """Return deliveries as an actor sees them: without the names that stand near their signals, if it may not know those."""
    names = names_near(hub, actor, [one["signal"] for one in found])
    return [as_seen(actor.sight, one, names.get(one["signal"], ())) for one in found]


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: row[name] for name in ("created_at", "settled_at")}
    found: dict[str, Any] = msgspec.to_builtins(shown_delivery(dict(row)) | times)
    return found


def shown_delivery(row: dict[str, Any]) -> dict[str, Any]:
    """Return a delivery as listings show it."""
    remote = {"id": row["remote_id"], "url": row["remote_url"]} if row["remote_id"] else None
    return {
        "id": row["id"],
        "destination": row["destination"],
        "object": row["object"],
        "operation": row["operation"],
        "record": row["record_key"],
        "signal": row["signal_key"],
        "rule": row["rule"],
        "mapping": row["mapping"],
        "state": row["state"],
        "attempts": row["attempts"],
        "due_at": row["due_at"],
        "remote": remote,
        "error": row["error"],
    }
