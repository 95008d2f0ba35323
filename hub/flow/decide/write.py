"""What a batch changes, written in one short transaction; no plugin is called while it is open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hub.config.failpoint import reached
from hub.core.decide.decision import Decision
from hub.core.errors import Conflict
from hub.flow.back.changes import Weighed, handle, weigh
from hub.flow.back.gone.erase import take_back
from hub.flow.back.gone.told import Told, ask_plugins
from hub.flow.back.upkeep import dutiful_sources, note_sightings, weave
from hub.flow.decide.translate import Read
from hub.runtime import Hub
from hub.store.inbox import Settled

HEARD = frozenset({"split", "done", "ignored"})


class Asked(NamedTuple):
    """What plugins said before the transaction: of replies, and of what is gone."""

    weighed: Weighed = Weighed()
    told: Told = Told()


def ask(hub: Hub, read: Read, *, everything: bool = False) -> Asked:
    """Ask plugins all that writing a batch needs to know; `everything`: more than was needed so far."""
    return Asked(weigh(hub, read.heard), ask_plugins(hub, read.tombstones, everything=everything))


def write(hub: Hub, token: str, read: Read, decision: Decision, *, asked: Asked | None = None) -> list[str]:
    """Write all that a batch changes in one transaction; returns the destinations that have something to take back.

    Raises Conflict if another was faster: nothing is written then.
    """
    now, asked = hub.now(), asked or ask(hub, read)
    dutiful = dutiful_sources(hub, read.signals, decision)
    told = asked.told.with_batch(read.signals) if read.tombstones else asked.told
    with hub.store.database.write() as conn:
        hub.store.threads.take_turns(conn, alone=bool(read.tombstones) or decision.threads.is_woven)
        heard = handle(hub, conn, read.heard, asked.weighed)
        hub.store.inbox.settle(conn, token, [*read.settled, *_settled(read.waiting, decision), *heard])
        # It is not read again, and what a desk tells quotes posts that may have to be forgotten one day.
        hub.store.inbox.empty(conn, [one.id for one in heard if one.state in HEARD])
        hub.store.inbox.add(read.parts, conn=conn)
        hub.store.inbox.add(read.heard.parts, form="change", conn=conn)
        hub.store.conversations.assign(conn, decision.assigned, now=now)
        note_sightings(hub, conn, read.signals, decision, dutiful=dutiful)
        _unless(hub.store.signals.add(conn, decision.new) == len(decision.new))
        hub.store.signals.revise(conn, decision.revised)
        hub.store.signals.refresh(conn, decision.refreshed)
        hub.store.signals.meet(conn, decision.authors, now=now)
        weave(hub, conn, decision)
        _unless(hub.store.outbox.plan(conn, decision.planned, now=now))
        taken_back = take_back(hub, conn, read.tombstones, told)
        reached("process.recorded")
    return taken_back


def _settled(raw_ids: Iterable[int], decision: Decision) -> list[Settled]:
    """Return how the rows end that waited for this decision."""
    return [Settled(raw_id, *decision.outcome.get(raw_id, ("done", None))) for raw_id in sorted(raw_ids)]


def _unless(fine: bool) -> None:
    if not fine:
        raise Conflict
