"""Claimed rows that end unsent: their signal or author is gone by now, or what they take back never came there."""

from __future__ import annotations

from collections.abc import Collection

from hub.core.erasure import is_own
from hub.core.errors import ConnectorError, Rejected
from hub.core.ledger import RECORDS, Need
from hub.core.model import Delivery
from hub.runtime import Hub
from hub.store.ledger.deliveries import Claim, Settlement

NEVER_THERE = "there was nothing to take back: it never came there"
NO_READER = "there is no ticket to write it to: it was deleted with the post"
GONE = (404, 410)


def forgotten(hub: Hub, claim: Claim) -> frozenset[int]:
    """Return the rows of a claim that fell with their signal or author since they were planned."""
    if claim.operation not in RECORDS:
        return frozenset()
    keys = {key for one in claim.deliveries for key in (one.signal_key, one.record_key) if key}
    with hub.store.database.read() as conn:
        gone = hub.store.signals.tombstoned(conn, sorted(keys))
    return frozenset(one.id for one in claim.deliveries if _is_forgotten(one, claim, gone)) if gone else frozenset()


def _is_forgotten(one: Delivery, claim: Claim, gone: Collection[str]) -> bool:
    provides = claim.provides[one.id]
    if is_own(provides, claim.operation):
        return one.signal_key in gone
    # An erased author who spoke again is a new one: the record goes only with the post that asked for it.
    return Need.read(provides).kind == "author" and one.record_key in gone and (one.signal_key or "") in {"", *gone}


def end_forgotten(hub: Hub, claim: Claim, ids: frozenset[int]) -> list[Settlement]:
    """Settle those of a claim that are not sent; a ticket among them no longer counts for its conversation."""
    fallen = [one.id for one in claim.deliveries if one.id in ids]
    if claim.operation != "create":
        return [Settlement(id_, "superseded", burns=False) for id_ in fallen]
    if fallen:
        hub.store.erasures.discount(fallen)
    return [Settlement(id_, "discarded", burns=False) for id_ in fallen]


def lost_its_ticket(hub: Hub, delivery: Delivery, error: ConnectorError | None) -> bool:
    """Return True if a note was refused because its ticket was deleted with the post: it has no reader, and no remedy."""
    if delivery.operation != "note" or not isinstance(error, Rejected) or error.details.get("status") not in GONE:
        return False
    with hub.store.database.read() as conn:
        return bool(hub.store.signals.tombstoned(conn, [delivery.record_key]))


def needless(hub: Hub, claim: Claim) -> list[Settlement]:
    """End the tombstones of a claim that turned out, by the hub or a person, to have no record, since they were planned.

    An upsert may be there whatever became of it, and is found by its key; so is the user who asked for an author's tickets.
    """
    if claim.operation != "tombstone":
        return []
    kept = ("upsert", "author")
    blind = [one for one in claim.deliveries if one.ref is None and one.fields.get("operation") not in kept]
    if not blind:
        return []
    with hub.store.database.read() as conn:
        never = [one.id for one in blind if not hub.store.erasures.may_hold(conn, one)]
    return [Settlement(id_, "discarded", error={"message": NEVER_THERE}, burns=False) for id_ in never]
