"""What a batch changes, written in one short transaction; no plugin is called while it is open."""

from __future__ import annotations

from collections.abc import Iterable

from hub.config.failpoint import reached
from hub.core.decide.decision import Decision
from hub.core.errors import Conflict
from hub.flow.back.changes import handle
from hub.flow.back.gone.erase import take_back
from hub.flow.back.upkeep import note_sightings, weave
from hub.flow.decide.translate import Read
from hub.runtime import Hub
from hub.store.inbox import Settled

HEARD = frozenset({"split", "done", "ignored"})


def write(hub: Hub, token: str, read: Read, decision: Decision) -> list[str]:
    """Write all that a batch changes in one transaction; returns the destinations that have something to take back.

    Raises Conflict if another was faster: nothing is written then.
    """
    now = hub.now()
    with hub.store.database.write() as conn:
        hub.store.threads.take_turns(conn, alone=bool(read.tombstones) or decision.threads.is_woven)
        heard = handle(hub, conn, read.heard)
        _unless(hub.store.inbox.settle(conn, token, [*read.settled, *_settled(read.waiting, decision), *heard]))
        # It is not read again, and what a desk tells quotes posts that may have to be forgotten one day.
        hub.store.inbox.empty(conn, [one.id for one in heard if one.state in HEARD])
        hub.store.inbox.add(read.parts, conn=conn)
        hub.store.inbox.add(read.heard.parts, form="change", conn=conn)
        hub.store.conversations.assign(conn, decision.assigned, now=now)
        note_sightings(hub, conn, read.signals, decision)
        _unless(hub.store.signals.add(conn, decision.new) == len(decision.new))
        hub.store.signals.revise(conn, decision.revised)
        hub.store.signals.refresh(conn, decision.refreshed)
        hub.store.signals.meet(conn, decision.authors, now=now)
        _unless(weave(hub, conn, decision))
        _unless(hub.store.outbox.plan(conn, decision.planned, now=now))
        asked = take_back(hub, conn, read.tombstones)
        if asked is None:
            raise Conflict
        reached("process.recorded")
    return asked


def _settled(raw_ids: Iterable[int], decision: Decision) -> list[Settled]:
    """Return how the rows end that waited for this decision."""
    return [Settled(raw_id, *decision.outcome.get(raw_id, ("done", None))) for raw_id in sorted(raw_ids)]


def _unless(fine: bool) -> None:
    if not fine:
        raise Conflict
