"""What destinations answered when something was taken back."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.runtime import Hub


def receipts(hub: Hub, key: str) -> list[dict[str, Any]]:
    """Return what each destination was asked because a signal or an author is gone, and the result, oldest first."""
    found: list[dict[str, Any]] = []
    rows = hub.store.erasures.receipts(key)
    undecided = {one.id: one.head for one in hub.store.held.undecided([row["id"] for row in rows])}
    for row in rows:
        remote = {"id": row["remote_id"], "url": row["remote_url"]} if row["remote_id"] else None
        names = ("id", "destination", "object", "operation", "state", "created_at", "settled_at", "due_at", "error")
        signal = {"signal": row["signal_key"], "record": row["record_key"], "remote": remote}
        signal["waits_for"] = undecided.get(row["id"])
        found.append(msgspec.to_builtins({name: row[name] for name in names} | signal))
    return found
