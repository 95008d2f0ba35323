"""Short ways to rows of the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.core.decide.judgement import Judged
from hub.core.decide.trace import Trace
from hub.core.model import Author, Label, Planned, RawItem, Record, Signal
from hub.store import Store
from hub.store.ledger.deliveries import Claim, Settlement

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
HOSTILE = "a\x00b\ud800c"
MENDED = "a\ufffdb\ufffdc"


def raw(number: object = 1, **changes: Any) -> RawItem:
    """A raw item of the source "news"."""
    values = {
        "source": "news",
        "plugin": "rss",
        "payload": f"item {number}".encode(),
        "received_at": NOON,
        "external_id": str(number),
    }
    return RawItem(**values | changes)


def signal(key: str = "rss:1", **changes: Any) -> Signal:
    """A post of now."""
    values: dict[str, Any] = {
        "key": key,
        "network": "rss",
        "native_id": "1",
        "kind": "post",
        "text": "acme",
        "author_key": "rss:ada",
        "published_at": NOON,
        "observed_at": NOON,
        "content_hash": "h",
    }
    return Signal(**values | changes)


def judged(one: Signal, *labels: Label) -> Judged:
    """A signal as it is stored."""
    return Judged(one, labels, Trace(), matched=False)


def author(key: str = "rss:ada", **changes: Any) -> Author:
    """An author."""
    return Author(**{"key": key, "network": "rss", "native_id": "1", "handle": "ada"} | changes)


def record(key: str = "rss:1", **changes: Any) -> Record:
    """A wish of the mapping "note" at the destination "crm"."""
    values: dict[str, Any] = {
        "destination": "crm",
        "object": "note",
        "key": key,
        "operation": "upsert",
        "fields": {"text": "acme"},
        "mapping": "note",
        "mapping_version": "1",
        "stable": "s",
    }
    made = Record(**values | changes)
    return made if made.provides else Record(**values | {"provides": f"signal:{made.object}:{key}"} | changes)


def plan(store: Store, *records: Record, now: datetime = NOON) -> None:
    """Plan records in one transaction."""
    with store.database.write() as conn:
        store.outbox.plan(conn, [Planned(one, one.key, "rule") for one in records], now=now)


def claim(store: Store, *, size: int = 100, now: datetime = NOON) -> Claim | None:
    """Claim deliveries of "crm"."""
    return store.deliveries.claim("crm", size=lambda *_: size, now=now)


def must_claim(store: Store, *, size: int = 100, now: datetime = NOON) -> Claim:
    """The same where there is something to claim."""
    found = claim(store, size=size, now=now)
    assert found is not None
    return found


def settle(store: Store, claimed: Claim, state: str, **more: Any) -> None:
    """Settle a claim whole."""
    settlements = [Settlement(one.id, state, **more) for one in claimed.deliveries]
    store.deliveries.settle(claimed, settlements, now=NOON)


def states(store: Store) -> dict[str, int]:
    """How many deliveries are in each state."""
    return dict(store.outbox.counts().get("crm", {}))


def keys(claimed: Claim | None) -> Sequence[str]:
    """The records of a claim, sorted."""
    return sorted(one.record_key for one in claimed.deliveries) if claimed else []
