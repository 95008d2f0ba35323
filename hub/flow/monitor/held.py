"""The release valve: what waits too long, or in too great a number, behind a record that does not land is let go.

A record waits for those that it needs (an author's record, a ticket), and for earlier versions of itself. If such a record is
dead or in doubt, what waits behind it would never be seen. The valve leaves that to a person, with the reason; what the
destination can hold without its author's record is sent without it. While a destination is away as a whole, all waits alike
and the valve stays shut.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.config.logs import LateLogger
from hub.config.settings import DeliverySection
from hub.core.access import HUB
from hub.core.ledger import Need
from hub.flow.intake.poll import usable_destination
from hub.flow.monitor.snapshot import VALVE
from hub.runtime import Hub
from hub.store.audit import AuditEntry
from hub.store.ledger.held import Head, WaitingDelivery

log = LateLogger(__name__)
ALONE = "without_author"
FREE = ("upsert", "create")


def open_valves(hub: Hub) -> int:
    """Let go what waited too long; return how many deliveries."""
    paused = hub.store.connections.paused(now=hub.now())
    return sum(open_valve(hub, name) for name in hub.settings.destinations if name not in paused and _stands(hub, name))


def _stands(hub: Hub, name: str) -> bool:
    works = usable_destination(hub, name) is not None
    return works and hub.store.connections.standing(name).state == "ok"


def open_valve(hub: Hub, name: str) -> int:
    """Do the same for one destination that answers."""
    section, now = hub.settings.delivery, hub.now()
    done = give_way(hub, name)
    for head in hub.store.held.heads(name, now=now):
        crowded = head.waiting > section.hold_most
        if crowded or now - head.since >= section.hold_for:
            before = now if crowded else now - section.hold_for
            done += let_go(hub, name, head, hub.store.held.behind(name, head.provides, before=before))
    return done


def give_way(hub: Hub, name: str) -> int:
    """Let failed versions give way to newer ones of the same record."""
    now = hub.now()
    entry = AuditEntry(VALVE, name, HUB.name, {"to": "newer"})
    gone = hub.store.held.give_way(name, before=now - hub.settings.delivery.hold_for, entry=entry, now=now)
    if gone:
        hub.bell.ring("deliver", name)
    return gone


def let_go(hub: Hub, name: str, head: Head, waiting: Sequence[WaitingDelivery]) -> int:
    """Send on what can do without the head; the rest is a person's."""
    alone = Need.read(head.provides).kind == "author" and ALONE in hub.destination(name).capabilities
    free = [one.id for one in waiting if alone and one.operation in FREE]
    rest = [one.id for one in waiting if not (alone and one.operation in FREE)]
    done = 0
    if free:
        entry = AuditEntry(VALVE, name, HUB.name, {"to": "released", "head": head.id})
        done += hub.store.held.release(free, head.provides, entry=entry, now=hub.now())
        hub.bell.ring("deliver", name)
    if rest:
        entry = AuditEntry(VALVE, name, HUB.name, {"to": "review", "head": head.id})
        error = {"code": "held", "message": reason(head, hub.settings.delivery)}
        done += hub.store.held.review(rest, error, entry=entry, now=hub.now())
    log.warning("the valve opened", destination=name, head=head.id, deliveries=done)
    return done


def reason(head: Head, section: DeliverySection) -> str:
    """Say why a delivery was left to a person."""
    kind = {"author": "its author's record", "conversation": "its ticket"}.get(
        Need.read(head.provides).kind, "a record"
    )
    why = f"more than {section.hold_most} waited for it" if head.waiting > section.hold_most else "it waited too long"
    return f"{kind} never landed (delivery {head.id} is {head.state}), and {why}"
