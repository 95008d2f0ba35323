"""Claims of deliveries, each as large as its outlet takes at once: the plugin is asked before the transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub.core.errors import Conflict
from hub.flow.bugs import tell
from hub.runtime import Hub
from hub.sdk.connectors import Destination
from hub.store.ledger.deliveries import Claim


class Unsized(Conflict):
    """How many records of a kind go at once is not known yet: ask, and claim again."""

    def __init__(self, object_: str, operation: str) -> None:
        super().__init__()
        self.kind = (object_, operation)


def claim_batch(hub: Hub, name: str, outlet: Destination[Any], *, now: datetime) -> Claim | None:
    """Claim the next batch of an outlet, None if nothing is due; what its plugin says of a kind's size is kept for good."""
    sizes = hub.sizes.setdefault(name, {})

    def size(object_: str, operation: str) -> int:
        if (object_, operation) not in sizes:
            raise Unsized(object_, operation)
        return sizes[object_, operation]

    while True:
        try:
            return hub.store.deliveries.claim(name, size=size, now=now)
        except Unsized as unsized:
            sizes[unsized.kind] = _ask(hub, name, outlet, unsized.kind)


def _ask(hub: Hub, name: str, outlet: Destination[Any], kind: tuple[str, str]) -> int:
    """Return how many records of a kind an outlet takes at once; one if its plugin fails to tell, or tells of none."""
    try:
        return max(int(outlet.batch_size_of(*kind)), 1)
    except BaseException as error:  # noqa: BLE001 - told; one at a time is never too many
        tell(hub, name, error, event="a plugin failed to tell its batch size", object=kind[0])
        return 1
