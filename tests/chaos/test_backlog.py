"""A long queue: claims stay quick, and what waits for its author waits for the author of its own destination."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from hub.core.model import Planned, Record, RemoteRef
from hub.store import Store
from hub.store.ledger.deliveries import Claim, Settlement
from tests.hubs import NOON

BACKLOG = 2000
SLOWEST_S = 1.0  # a claim of 200 out of 4,000 takes some 0.05 s; before the partial indexes served it took 7 s


def pair(destination: str, number: int) -> list[Planned]:
    """An author, and a signal that waits for it."""
    author, signal = f"n:a{number}", f"n:s{number}"

    def planned(object_: str, key: str, provides: str, needs: Sequence[str]) -> Planned:
        record = Record(
            destination, object_, key, "upsert", {}, object_, "1", key, provides=provides, needs=tuple(needs)
        )
        return Planned(record, signal, "rule")

    return [
        planned("author", author, f"author:{author}", ()),
        planned("signal", signal, f"signal:{signal}", (f"author:{author}",)),
    ]


def plan(store: Store, planned: Sequence[Planned]) -> None:
    """Write outbox rows."""
    with store.database.write() as conn:
        store.outbox.plan(conn, planned, now=NOON)


def claim(store: Store, destination: str) -> Claim:
    """The next batch of 200."""
    found = store.deliveries.claim(destination, size=lambda *_: 200, now=NOON)
    assert found is not None
    return found


def land(store: Store, claimed: Claim) -> None:
    """All of a batch is delivered."""
    settled = [Settlement(one.id, "delivered", ref=RemoteRef(one.record_key)) for one in claimed.deliveries]
    store.deliveries.settle(claimed, settled, now=NOON)


def test_a_claim_out_of_a_long_queue_is_quick(store: Store) -> None:
    plan(store, [one for number in range(BACKLOG) for one in pair("crm", number)])
    begin = time.monotonic()
    claimed = claim(store, "crm")
    assert time.monotonic() - begin < SLOWEST_S
    assert len(claimed.deliveries) == 200


def test_an_author_who_landed_elsewhere_lets_no_signal_go(store: Store) -> None:
    plan(store, [*pair("crm", 1), *pair("desk", 1)])
    land(store, claim(store, "crm"))
    failed = claim(store, "desk")
    later = [Settlement(one.id, "retry", NOON + timedelta(hours=1)) for one in failed.deliveries]
    store.deliveries.settle(failed, later, now=NOON)
    assert store.deliveries.claim("desk", size=lambda *_: 200, now=NOON) is None
    assert [one.object for one in claim(store, "crm").deliveries] == ["signal"]
