"""What a person looks at, as plain JSON values: signals with their deliveries, one of each whole, and how the hub does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from hub.core.errors import HubError
from hub.core.ledger import DISCARDABLE, RETRYABLE, Lane
from hub.core.pipeline import facts
from hub.flow.erase.receipts import receipts
from hub.flow.lanes import outlets
from hub.flow.views.explain import explain, shown_delivery
from hub.runtime import Hub
from hub.store.conversations import VALUES
from hub.store.signals import Wanted

ALIVE = timedelta(seconds=45)
DELIVERIES_SHOWN = 200


def signals(hub: Hub, wanted: Wanted) -> list[dict[str, Any]]:
    """A page of signals as listings show them."""
    rows = hub.store.signals.page(wanted)
    deliveries = hub.store.outbox.of_signals([row["key"] for row in rows])
    return [shown_signal(hub, row, deliveries.get(row["key"], [])) for row in rows]


def signal(hub: Hub, key: str) -> dict[str, Any] | None:
    """One signal, whole: its raw item, the explanation and deliveries with attempts. None where there is none.

    `key` may be an unambiguous beginning. Where the rules of its day cannot be read, `explanation` is null and `unexplained`
    says why.
    """
    row = hub.store.signals.get(key)
    if row is None:
        return None
    found = shown_signal(hub, row, [])
    found["versions"] = {"rules": row["trace"].rules, "topics": row["trace"].topics}
    found["raw"] = raw(hub, row["raw_id"])
    found["explanation"], found["unexplained"] = _explained(hub, row["key"])
    ids = [one["id"] for one in reversed(hub.store.outbox.recent(signal_key=row["key"], limit=DELIVERIES_SHOWN))]
    found["deliveries"] = [one for one in (delivery(hub, number) for number in ids) if one]
    found["conversation"] = conversation(hub, row["conversation_key"])
    found["erasure"] = erasure(hub, row["key"])
    return found


def erasure(hub: Hub, key: str) -> dict[str, Any] | None:
    """When and why a signal was erased, with a receipt of each destination that had it; None where it was not."""
    state = hub.store.erasures.status(key)
    if state is None:
        return None
    found: dict[str, Any] = msgspec.to_builtins(state)
    return {**found, "receipts": receipts(hub, key)}


def conversation(hub: Hub, key: str) -> dict[str, Any]:
    """A conversation as people keep it at a destination: what nobody has set is null."""
    row = hub.store.conversations.get(key) or {}
    found: dict[str, Any] = msgspec.to_builtins({name: row.get(name) for name in (*VALUES, "by", "updated_at")})
    return {"key": key, **found}


def shown_signal(hub: Hub, row: Mapping[str, Any], deliveries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A stored signal with all that is known beside it; its own fields as `hub signals list --json` gives them."""
    unsure = hub.settings.hub.uncertain_below
    found: dict[str, Any] = msgspec.to_builtins(row["signal"])
    found["id"] = row["id"]
    found["source"] = row["source"]
    found["state"] = row["state"]
    found["author"] = msgspec.to_builtins(row["author"])
    found["matched"] = list(row["trace"].matched)
    found["topics"] = list(row["trace"].about)
    found["notes"] = list(row["trace"].notes)
    found["labels"] = msgspec.to_builtins(row["labels"])
    mood = facts(row["signal"], None, row["labels"], uncertain_below=unsure)["labels"]["sentiment"]
    found["sentiment"] = mood if mood["value"] is not None else None
    found["deliveries"] = [msgspec.to_builtins(shown_delivery(one)) for one in deliveries]
    return found


def raw(hub: Hub, raw_id: int) -> dict[str, Any] | None:
    """A raw item: JSON is indented and otherwise as it came, anything else is text. None where it is gone."""
    item = hub.store.inbox.get([raw_id]).get(raw_id)
    if item is None:
        return None
    try:
        text = msgspec.json.format(item.payload, indent=2).decode("utf-8", "replace")
    except (msgspec.DecodeError, RecursionError):
        text = item.payload.decode("utf-8", "replace")
    about = {"id": raw_id, "source": item.source, "plugin": item.plugin, "received_at": item.received_at}
    about |= {"external_id": item.external_id, "realm": item.realm, "revision": item.revision}
    return {**msgspec.to_builtins(about), "bytes": len(item.payload), "text": text}


def deliveries(hub: Hub, **wanted: Any) -> list[dict[str, Any]]:
    """A page of deliveries; `wanted` as the store's `outbox.recent` takes it."""
    return [_dated(row) for row in hub.store.outbox.recent(**wanted)]


def delivery(hub: Hub, number: int) -> dict[str, Any] | None:
    """One delivery, whole: payload, attempts, what it needs, and what a person may do about it."""
    row = hub.store.outbox.get(number)
    if row is None:
        return None
    names = ("seq", "key", "fields", "mapping_version", "first_sent_at", "needs", "provides", "key_field", "once")
    found: dict[str, Any] = _dated(row) | msgspec.to_builtins({name: row[name] for name in names})
    found["tries"] = msgspec.to_builtins([{**one, "lease": None} for one in row["tries"]])
    found["may_retry"], found["may_discard"] = row["state"] in RETRYABLE, row["state"] in DISCARDABLE
    return found


def failed(hub: Hub, *, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """A page of raw items that could not be translated, newest first, with the reason."""
    found: list[dict[str, Any]] = msgspec.to_builtins(hub.store.inbox.failed(limit=limit, before=before))
    return found


def totals(hub: Hub) -> dict[str, Any]:
    """How much there is of everything. It reads whole tables: ask now and then, not for each page."""
    networks = hub.store.signals.totals()
    waiting, broken = hub.store.inbox.open_counts()
    return {
        "signals": {
            "total": sum(total for total, _ in networks.values()),
            "matched": sum(matched for _, matched in networks.values()),
            "networks": {name: total for name, (total, _) in networks.items()},
        },
        "raw": {"waiting": waiting, "failed": broken},
        "deliveries": {
            name: dict(sorted(states.items())) for name, states in sorted(hub.store.outbox.counts().items())
        },
    }


def health(hub: Hub) -> dict[str, Any]:
    """Connections that are paused, sources whose last poll failed, and processes that are alive."""
    now = hub.now()
    known = {*hub.settings.sources, *outlets(hub), *(str(Lane("changes", name)) for name in hub.settings.destinations)}
    paused = [
        {"connection": one["name"], "reason": one["reason"], "since": one["at"], "until": one["paused_until"]}
        for one in hub.store.connections.pauses(now=now)
        if one["name"] in known
    ]
    names = ("source", "failures", "error", "polled_at", "due_at")
    failing = [
        {name: row[name] for name in names}
        for row in hub.store.cursors.list()
        if row["error"] and row["source"] in known
    ]
    beats = hub.store.connections.beats(since=now - ALIVE)
    alive = [{"name": one["name"], "role": one["role"], "at": one["at"]} for one in beats]
    found: dict[str, Any] = msgspec.to_builtins(
        {"now": now, "paused": paused, "failing": failing, "alive": alive, "way_out": "hub check"}
    )
    return found


def _explained(hub: Hub, key: str) -> tuple[dict[str, Any] | None, str | None]:
    try:
        return msgspec.to_builtins(explain(hub, key)), None
    except HubError as error:
        return None, str(error)


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: row[name] for name in ("created_at", "settled_at")}
    found: dict[str, Any] = msgspec.to_builtins(shown_delivery(dict(row)) | times)
    return found
