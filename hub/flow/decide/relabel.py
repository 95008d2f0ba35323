"""Signals labelled later, once an enricher works again, and decided again: what follows from the labels is corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from hub.config.failpoint import reached
from hub.config.logs import LateLogger
from hub.core.decide.batch import Fresh, Sifted, raw_of
from hub.core.decide.decision import Decision, decide
from hub.core.decide.judgement import Judged
from hub.core.decide.trace import Trace
from hub.core.model import Label, Planned, Record
from hub.core.pipeline import topics_of
from hub.flow.conflicts import begin_again
from hub.flow.decide.enrich import HURRIED, enrich
from hub.flow.decide.evened import even_figures, facts_by_key, levelled
from hub.flow.decide.marks import KEPT, pause_of, read_mark
from hub.flow.decide.read import answering, known_in
from hub.flow.decide.write import assert_not_gone
from hub.runtime import Hub
from hub.store import Connection
from hub.store.history import History, Stored, Target
from hub.store.inbox import InboxRow, Settled

log = LateLogger(__name__)
OVER = Settled(0, "ignored", "it could not be labelled in time")
MOOT = Settled(0, "ignored", "its signal is gone, or was decided again")


class LateLabels(NamedTuple):
    """A stored signal with the labels that it gets now, the person's last, and the enrichers that still cannot work."""

    row: InboxRow
    stored: Stored
    labels: tuple[Label, ...]
    missing: tuple[str, ...]

    @property
    def labelled(self) -> tuple[str, ...]:
        """The enrichers that could not work then, and can now; none if another cannot that could: its labels would go."""
        if not set(self.missing) <= set(self.stored.trace.missing):
            return ()
        return tuple(name for name in self.stored.trace.missing if name not in self.missing)


def relabel(hub: Hub, token: str, rows: Sequence[InboxRow]) -> list[str]:
    """Label the signals of claimed marks, decide them again, and close the marks; return the destinations that get something."""
    tired = f"{len(rows)} signals that are labelled later are changed by others just now"
    return begin_again(lambda _: _step(hub, token, rows), tired=tired)


def _step(hub: Hub, token: str, rows: Sequence[InboxRow]) -> list[str]:
    found = _label(hub, rows)
    ready = [one for one in found if one.labelled]
    destinations = _write(hub, token, ready, _settled(hub, rows, found))
    if ready:
        log.info("signals were labelled later", signals=len(ready))
        hub.store.inbox.hurry_marks(now=hub.now(), limit=HURRIED)
    return destinations


def _label(hub: Hub, rows: Sequence[InboxRow]) -> list[LateLabels]:
    """Read the signals that the marks still stand for, oldest first, and ask the enrichers."""
    marks = {mark.signal: (row, mark.raw) for row in rows if (mark := read_mark(row))}
    stored = History(hub.store.database).by_key(list(marks))
    still = [one for one in stored if one.trace.missing and raw_of(one.signal) == marks[one.signal.key][1]]
    topics = [topics_of(one.signal, hub.book) for one in still]
    given = enrich(hub, [one.signal for one in still], topics)
    return [
        LateLabels(marks[one.signal.key][0], one, (*labels, *one.corrected), missing)
        for one, labels, missing in zip(still, given.labels, given.missing, strict=True)
    ]


def _settled(hub: Hub, rows: Sequence[InboxRow], found: Sequence[LateLabels]) -> list[Settled]:
    now, by_row = hub.now(), {one.row.id: one for one in found}
    return [_end(row, by_row.get(row.id), now) for row in rows]


def _end(row: InboxRow, one: LateLabels | None, now: datetime) -> Settled:
    if one is None:
        return MOOT._replace(id=row.id)
    if not one.missing:
        return Settled(row.id, "done", f"labelled later: {', '.join(one.labelled)}")
    if now - row.item.received_at > KEPT:
        return OVER._replace(id=row.id)
    return Settled(row.id, "new", f"waits for {', '.join(one.missing)}", now + pause_of(row, now))


def _write(hub: Hub, token: str, found: Sequence[LateLabels], settled: Sequence[Settled]) -> list[str]:
    """Decide and write in one transaction. Raises Conflict if a signal was changed since, LeaseLost if another has the marks."""
    lanes, _ = answering(hub), hub.book  # before the transaction: they may load plugins
    with hub.store.database.write() as conn:
        hub.store.threads.take_turns(conn, alone=bool(found))
        hub.store.inbox.settle(conn, token, settled)
        destinations = _correct(hub, conn, found, lanes) if found else []
        reached("process.recorded")
    return destinations


def _correct(hub: Hub, conn: Connection, found: Sequence[LateLabels], lanes: Mapping[str, list[str]]) -> list[str]:
    hub.store.signals.hold(conn, {one.stored.signal.key: (one.stored.raw_id, one.stored.signal) for one in found})
    decision = _decided(hub, conn, found, lanes)
    assert_not_gone(hub.store, conn, decision)
    hub.store.signals.relabel(conn, decision.revised)
    facts = facts_by_key(hub, decision)
    told = levelled(hub.book, decision.planned, facts)
    planned = _last_words(hub, conn, told)
    written = hub.store.outbox.plan(conn, planned, now=hub.now())
    evened = even_figures(hub, conn, told, facts, written=written)
    return list(dict.fromkeys([*(one.record.destination for one in planned), *evened]))


def _decided(hub: Hub, conn: Connection, found: Sequence[LateLabels], lanes: Mapping[str, list[str]]) -> Decision:
    signals = [one.stored.signal for one in found]
    known, book = known_in(hub, conn, signals, [], lanes=lanes), hub.book
    fresh = [Fresh(one, is_new=False, topics=topics_of(one, book)) for one in signals]
    sifted = Sifted(fresh, {}, {}, known.threads, known.opened, known.sizes)
    made = decide(known, sifted, [one.labels for one in found], book=book, now=hub.now())
    at = hub.now().isoformat(timespec="seconds")
    return Decision(
        revised=[_told(one, late, at) for one, late in zip(made.revised, found, strict=True)], planned=made.planned
    )


def _told(judged: Judged, late: LateLabels, at: str) -> Judged:
    """Return a decision that tells which enrichers worked later, and when."""
    before: Trace = late.stored.trace
    said = before.late | dict.fromkeys(late.labelled, at)
    return judged._replace(trace=replace(judged.trace, missing=late.missing, late=said))


def _last_words(hub: Hub, conn: Connection, planned: Sequence[Planned]) -> list[Planned]:
    """Leave out records that a later signal has written since: an older one must not take its word back."""
    latest = History(hub.store.database).latest(conn, [one.record.key for one in planned])
    writers = [row.signal_key for row in latest.values() if row.signal_key]
    order = hub.store.signals.order(conn, [*writers, *(one.signal_key for one in planned)])
    written = {target: order.get(row.signal_key or "", 0) for target, row in latest.items()}
    return [one for one in planned if written.get(_target_of(one.record), 0) <= order.get(one.signal_key, 0)]


def _target_of(record: Record) -> Target:
    return Target(record.destination, record.object, record.key, record.operation)
