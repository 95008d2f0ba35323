"""What a batch changes, written in one short transaction; no plugin is called while it is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hub.config.failpoint import reached
from hub.core.decide.decision import Decision
from hub.core.errors import Conflict
from hub.core.model import Signal
from hub.flow.converse.changes import Weighed, handle, weigh
from hub.flow.decide.evened import even_figures, facts_by_key, levelled
from hub.flow.decide.marks import marks_of
from hub.flow.decide.read import read_barred
from hub.flow.decide.translate import ReadRows
from hub.flow.erase.erase import take_back
from hub.flow.erase.recheck import dutiful_sources
from hub.flow.erase.told import ErasureAnswers, ask_plugins
from hub.runtime import Hub
from hub.store import Connection, Store
from hub.store.inbox import UNLABELLED, Settled

HEARD = frozenset({"split", "done", "ignored"})


class PluginAnswers(NamedTuple):
    """What plugins said before the transaction: of replies, and of what is gone."""

    weighed: Weighed = Weighed()
    told: ErasureAnswers = ErasureAnswers()


def ask(hub: Hub, read: ReadRows, *, everything: bool = False) -> PluginAnswers:
    """Ask plugins all that writing a batch needs to know; `everything`: more than was needed so far."""
    beside = [one.key for one in read.signals]
    told = ask_plugins(hub, read.tombstones, everything=everything, beside=beside)
    return PluginAnswers(weigh(hub, read.heard), told)


def write(hub: Hub, token: str, read: ReadRows, decision: Decision, *, asked: PluginAnswers | None = None) -> list[str]:
    """Write all that a batch changes in one transaction; return the destinations that have something to take back.

    Raises Conflict if another was faster, LeaseLost if another works on the rows: nothing is written then.
    """
    now, asked = hub.now(), asked or ask(hub, read)
    dutiful = dutiful_sources(hub, read.signals, decision)
    told = asked.told.with_batch(read.signals) if read.tombstones else asked.told
    facts = facts_by_key(hub, decision)
    planned = levelled(hub.book, decision.planned, facts)
    with hub.store.database.write() as conn:
        hub.store.threads.take_turns(conn, alone=bool(read.tombstones) or decision.threads.is_woven)
        heard = handle(hub, conn, read.heard, asked.weighed)
        hub.store.inbox.settle(conn, token, [*read.settled, *_settled(read, decision), *heard])
        # It is not read again, and what a desk tells quotes posts that may have to be forgotten one day.
        hub.store.inbox.empty(conn, [one.id for one in heard if one.state in HEARD])
        hub.store.inbox.add(read.parts, conn=conn)
        hub.store.inbox.add(read.heard.parts, form="change", conn=conn)
        hub.store.inbox.add(marks_of(decision.judged, now=now), form=UNLABELLED, conn=conn)
        hub.store.conversations.assign(conn, decision.assigned, now=now)
        assert_not_gone(hub.store, conn, decision)
        note_sightings(hub, conn, read.signals, decision, dutiful=dutiful)
        hub.store.signals.add(conn, decision.new)
        hub.store.signals.revise(conn, decision.revised)
        hub.store.signals.refresh(conn, decision.refreshed)
        count_boosts(hub, conn, read.signals, decision)
        hub.store.signals.meet(conn, decision.authors, now=now)
        weave(hub, conn, decision)
        written = hub.store.outbox.plan(conn, planned, now=now)
        evened = even_figures(hub, conn, planned, facts, written=written)
        taken_back = take_back(hub, conn, read.tombstones, told)
        reached("process.recorded")
    return [*taken_back, *evened]


def count_boosts(hub: Hub, conn: Connection, signals: Sequence[Signal], decision: Decision) -> None:
    """Count the new boosts of a batch on what they boost: that is their whole effect."""
    new = (item.signal for item in decision.new)
    boosted = Counter(one.quotes for one in new if one.kind == "repost" and one.quotes)
    if boosted:
        told = {one.key: one.counts.shares for one in signals if one.counts.shares is not None}
        hub.store.signals.shared(conn, boosted, told)


def _settled(read: ReadRows, decision: Decision) -> list[Settled]:
    """Return how the rows end that waited for this decision; those that are done tell what of them was left out."""
    ends = {raw_id: decision.outcome.get(raw_id, ("done", read.left_out.get(raw_id))) for raw_id in read.waiting}
    return [Settled(raw_id, *end) for raw_id, end in sorted(ends.items())]


def note_sightings(
    hub: Hub, conn: Connection, signals: Sequence[Signal], decision: Decision, *, dutiful: frozenset[str]
) -> None:
    """Remember each raw row that holds a signal's text and is not its own, and what is under a duty of its network."""
    judged = [item.signal for item in decision.judged]
    own = {one.key: one.provenance.raw_id for one in judged if one.provenance} | dict(decision.refreshed)
    held = [(key, one.provenance.raw_id) for one in signals if one.provenance for key in (one.key, one.quotes) if key]
    others = [(key, raw_id) for key, raw_id in held if own.get(key) != raw_id]
    moved = [item.signal.key for item in decision.revised] + list(decision.refreshed)
    # A post that quotes what is gone, or that reads it once more, brings its text along.
    gone = hub.store.signals.tombstoned(conn, sorted({key for key, _ in others})) if others else frozenset[str]()
    hub.store.erasures.blank_late(conn, [*decision.late, *(raw_id for key, raw_id in others if key in gone)])
    hub.store.erasures.sighted(conn, others, moved)
    seen = {one.key: one.provenance.source for one in judged if one.provenance}
    seen |= {one.key: one.provenance.source for one in signals if one.provenance and one.key in decision.refreshed}
    hub.store.rechecks.add(conn, {key: name for key, name in seen.items() if name in dutiful}, now=hub.now())


def assert_not_gone(store: Store, conn: Connection, decision: Decision) -> None:
    """Raise Conflict if anything that is to be stored is gone since it was decided; called before it is stored."""
    judged = [item.signal for item in decision.judged]
    named = {key for one in judged for key in (one.key, one.author_key) if key}
    named |= {*decision.refreshed, *(one.key for one in decision.authors)}
    stones = store.signals.gone_since(conn, sorted(named))
    if stones and not named.isdisjoint(read_barred(store, conn, judged, stones)):
        raise Conflict


def weave(hub: Hub, conn: Connection, decision: Decision) -> None:
    """Join threads for good. Raises Conflict if what belongs to them was stored since they were read."""
    threads, store = decision.threads, hub.store
    judged = [item.signal for item in decision.judged]
    store.threads.remember(conn, threads.aliases)
    store.threads.join(conn, threads.moves, decision.dropped, now=hub.now())
    homes = [one.conversation_key or one.key for one in judged]
    chosen = [home for home, one in zip(homes, judged, strict=True) if home != one.key]
    if (threads.others or chosen) and store.threads.overlooked(conn, threads.others, chosen):
        raise Conflict
