"""Erasures: when and why something was taken back, and what destinations answered."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.core.access import Actor, demand
from hub.core.errors import HubError
from hub.core.reading.mask import as_seen
from hub.flow.views.names import names_near
from hub.runtime import Hub


class NothingToErase(HubError):
    """No signal and no author has this key."""


def find(hub: Hub, actor: Actor, key: str) -> str:
    """Return the whole key of a signal (by a beginning of it) or an author. Raises NothingToErase if there is none."""
    demand(actor, "erasures.see")
    row = hub.store.signals.get(key, sight=actor.sight)
    if row is not None:
        return str(row["key"])
    with hub.store.database.read() as conn:
        said = hub.store.signals.authors(conn, [key]) or hub.store.erasures.of_authors(conn, [key])
        known = bool(said or hub.store.people.behind(conn, [key]))
    if _sees(hub, actor, key) and (known or hub.store.erasures.status(key) is not None):
        return key
    raise NothingToErase(
        f"no signal, or more than one, has a key that begins with '{key}', and no author has it: "
        "`hub signals list` shows signals, `hub signals show` an author's key"
    )


def status(hub: Hub, actor: Actor, key: str) -> dict[str, Any] | None:
    """Return when (`at`) and why a signal or author was erased, and when the last receipt was in; None if it was not."""
    demand(actor, "erasures.see")
    return hub.store.erasures.status(key) if _sees(hub, actor, key) else None


def one(hub: Hub, actor: Actor, key: str) -> dict[str, Any] | None:
    """Return when and why a signal or author was erased, with a receipt of each destination; None if it was not."""
    demand(actor, "erasures.see")
    state = status(hub, actor, key)
    if state is None:
        return None
    found: dict[str, Any] = msgspec.to_builtins(state)
    return {**found, "receipts": receipts(hub, actor, key)}


def receipts(hub: Hub, actor: Actor, key: str) -> list[dict[str, Any]]:
    """Return what each destination was asked because a signal or an author is gone, and what came of it, oldest first.

    Of an author's signals only those that the actor sees are told of.
    """
    demand(actor, "erasures.see")
    found: list[dict[str, Any]] = []
    rows = hub.store.erasures.receipts(key, sight=actor.sight) if _sees(hub, actor, key) else []
    undecided = {one.id: one.head for one in hub.store.held.undecided([row["id"] for row in rows])}
    for row in rows:
        remote = {"id": row["remote_id"], "url": row["remote_url"]} if row["remote_id"] else None
        names = ("id", "destination", "object", "operation", "state", "created_at", "settled_at", "due_at", "error")
        signal = {"signal": row["signal_key"], "record": row["record_key"], "remote": remote}
        signal["waits_for"] = undecided.get(row["id"])
        found.append(msgspec.to_builtins({name: row[name] for name in names} | signal))
    called = names_near(hub, actor, [one["signal"] for one in found])
    return [as_seen(actor.sight, one, called.get(one["signal"], ())) for one in found]


def _sees(hub: Hub, actor: Actor, key: str) -> bool:
    """Return True if an actor sees a signal of this key, or one by the author of this key."""
    sight, signals = actor.sight, hub.store.signals
    return sight.is_whole or signals.is_seen(sight, key=key) or signals.is_seen(sight, author_key=key)
