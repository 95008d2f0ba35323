"""Signals: listings, one of them whole, and raw items as they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hub.core.access import Actor, Scope, demand, may
from hub.core.errors import HubError
from hub.core.grammar.facts import facts
from hub.core.reading.mask import as_seen
from hub.flow.views import conversations, deliveries, erasures
from hub.flow.views.deliveries import shown_delivery
from hub.flow.views.names import names_near
from hub.runtime import Hub
from hub.store.signals import SignalFilter

__all__ = ["NO_SUCH", "SignalFilter", "failed", "one", "page", "raw", "recent", "stored"]
DELIVERIES_SHOWN = 200
NO_SUCH = "no signal, or more than one, has a key that begins with '{}'"


def page(hub: Hub, actor: Actor, wanted: SignalFilter) -> list[dict[str, Any]]:
    """Return a page of signals as listings show them, of the sources that the actor sees."""
    demand(actor, "signals.see")
    rows = hub.store.signals.page(wanted._replace(sight=actor.sight))
    found = hub.store.outbox.of_signals([row["key"] for row in rows])
    shown = _seen(hub, actor, [_shown(hub, row, found.get(row["key"], [])) for row in rows])
    return shown if actor.sight.names or wanted.text is None else [one for one in shown if _says(one, wanted.text)]


def recent(hub: Hub, actor: Actor, *, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    """Return the newest signals without their deliveries; `wanted` names a network, a source, or whether a rule matched."""
    demand(actor, "signals.see", Scope(wanted.get("source")))
    rows = hub.store.signals.recent(limit=limit, sight=actor.sight, **wanted)
    return _seen(hub, actor, [_known(row) for row in rows])


def one(hub: Hub, actor: Actor, key: str) -> dict[str, Any] | None:
    """Return one signal, whole: its raw item, the explanation and deliveries with attempts. None if there is none.

    `key` may be an unambiguous beginning. If the rules of its day cannot be read, `explanation` is null and `unexplained`
    says why.
    """
    row = _found(hub, actor, key)
    if row is None:
        return None
    (found,) = _seen(hub, actor, [_shown(hub, row, [])])
    found["versions"] = {"rules": row["trace"].rules, "topics": row["trace"].topics}
    found["raw"] = raw(hub, actor, row["raw_id"]) if may(actor, "raws.see") else None
    found["explanation"], found["unexplained"] = _explained(hub, actor, row["key"])
    ids = [one["id"] for one in reversed(hub.store.outbox.recent(signal_key=row["key"], limit=DELIVERIES_SHOWN))]
    found["deliveries"] = [one for one in (deliveries.one(hub, actor, number) for number in ids) if one]
    found["conversation"] = conversations.one(hub, actor, row["conversation_key"])
    found["ticket"] = conversations.ticket(hub, actor, row["conversation_key"])
    found["erasure"] = erasures.one(hub, actor, row["key"])
    return found


def stored(hub: Hub, actor: Actor, key: str) -> dict[str, Any] | None:
    """Return one signal with its labels and author; `raw` is its raw item's text, null if that is gone. None if there is none."""
    row = _found(hub, actor, key)
    if row is None:
        return None
    if not may(actor, "raws.see"):
        return {**_seen(hub, actor, [_known(row)])[0], "raw": None}
    item = hub.store.inbox.get([row["raw_id"]]).get(row["raw_id"])
    return {**_known(row), "raw": item.payload.decode("utf-8", "replace") if item else None}


def raw(hub: Hub, actor: Actor, raw_id: int) -> dict[str, Any] | None:
    """Return a raw item: JSON is indented and otherwise as it came, anything else is text. None if it is gone."""
    demand(actor, "raws.see")
    item = hub.store.inbox.get([raw_id]).get(raw_id)
    if item is None or not actor.sight.sees(Scope(item.source)):
        return None
    try:
        text = msgspec.json.format(item.payload, indent=2).decode("utf-8", "replace")
    except (msgspec.DecodeError, RecursionError):
        text = item.payload.decode("utf-8", "replace")
    about = {"id": raw_id, "source": item.source, "plugin": item.plugin, "received_at": item.received_at}
    about |= {"external_id": item.external_id, "realm": item.realm, "revision": item.revision}
    return {**msgspec.to_builtins(about), "bytes": len(item.payload), "text": text}


def failed(hub: Hub, actor: Actor, *, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """Return a page of raw items that could not be translated, newest first, with the reason."""
    demand(actor, "raws.see")
    found: list[dict[str, Any]] = msgspec.to_builtins(
        hub.store.inbox.failed(limit=limit, before=before, sight=actor.sight)
    )
    return found


def _found(hub: Hub, actor: Actor, key: str) -> dict[str, Any] | None:
    demand(actor, "signals.see")
    return hub.store.signals.get(key, sight=actor.sight)


def _seen(hub: Hub, actor: Actor, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    names = names_near(hub, actor, [one["key"] for one in found])
    return [as_seen(actor.sight, one, names.get(one["key"], ())) for one in found]


def _says(shown: Mapping[str, Any], text: str) -> bool:
    """Return True if what is shown holds a text: what is masked is not found either."""
    return any(text.casefold() in (shown[name] or "").casefold() for name in ("text", "title"))


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored signal with what is known beside it."""
    found: dict[str, Any] = msgspec.to_builtins(row["signal"])
    found["id"] = row["id"]
    found["matched"] = list(row["trace"].matched)
    found["topics"] = list(row["trace"].about)
    found["labels"] = msgspec.to_builtins(row["labels"])
    found["author"] = msgspec.to_builtins(row["author"])
    return found


def _shown(hub: Hub, row: Mapping[str, Any], found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the same as a page shows it: with its mood, its notes and its deliveries."""
    unsure = hub.settings.hub.uncertain_below
    mood = facts(row["signal"], None, row["labels"], uncertain_below=unsure)["labels"]["sentiment"]
    return {
        **_known(row),
        "source": row["source"],
        "state": row["state"],
        "notes": list(row["trace"].notes),
        "sentiment": mood if mood["value"] is not None else None,
        "deliveries": [msgspec.to_builtins(shown_delivery(one)) for one in found],
    }


def _explained(hub: Hub, actor: Actor, key: str) -> tuple[dict[str, Any] | None, str | None]:
    from hub.flow.views.explain import explain  # noqa: PLC0415 - it brings the evaluator, which a list needs not

    try:
        return msgspec.to_builtins(explain(hub, actor, key)), None
    except HubError as error:
        return None, str(error)
