"""What a run over history wants, beside what the ledger has: new, changed, the same, no longer made; and the sending of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec

from hub.core.model import Planned
from hub.flow.history.desired import RecordWish, Wishes
from hub.flow.history.gather import RecordFilter
from hub.runtime import Hub
from hub.store.history import History, Latest, Target
from hub.store.ledger.outbox import GONE, ONCE_ONLY

DifferenceKind = Literal["new", "changed", "same", "kept", "deleted", "newer", "gone"]
"""`kept`: it would be another, but a ticket or comment is made once. `deleted`: it was deleted at the destination, and
only something new makes another. `newer`: it was written while the run went on."""
PART = 500
SENT: frozenset[DifferenceKind] = frozenset({"new", "changed"})


class Group(msgspec.Struct, frozen=True):
    """What records are counted by."""

    destination: str
    object: str
    operation: str
    source: str
    rule: str


class Difference(msgspec.Struct, frozen=True):
    """A record that is not as the ledger has it; `fields` maps a dotted name to what it holds and what it would hold."""

    kind: DifferenceKind
    destination: str
    object: str
    operation: str
    record: str
    signal: str
    rule: str
    mapping: str
    fields: dict[str, dict[str, Any]] = {}


@dataclass
class Comparison:
    """Counts by group and kind; up to `show` differences of each kind are kept with the wishes (None: all)."""

    hub: Hub
    wishes: Wishes
    began: datetime
    wanted: RecordFilter
    show: int | None = 20
    counts: Counter[tuple[Group, DifferenceKind]] = field(default_factory=Counter)
    _shown: Counter[DifferenceKind] = field(default_factory=Counter)

    @property
    def history(self) -> History:
        """The queries."""
        return History(self.hub.store.database)

    def look(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Compare all wishes with the ledger; nothing is written."""
        for part in parts(self.wishes):
            with self.hub.store.database.read() as conn:
                judged = self.judge(conn, part)
            self.note(judged)
            progress(len(part))
        self.note_gone()

    def judge(self, conn: Any, part: Sequence[RecordWish]) -> list[tuple[RecordWish, DifferenceKind, Latest | None]]:
        """Return what each wish is beside the ledger's newest row of its record, in the caller's transaction."""
        latest = self.history.latest(conn, [wish.record.key for wish in part])
        created = [wish.record for wish in part if wish.record.operation == "create"]
        there = self.history.provided(conn, [(one.destination, one.provides) for one in created])
        judged: list[tuple[RecordWish, DifferenceKind, Latest | None]] = []
        for wish in part:
            row = latest.get(wish.target)
            # A ticket of a conversation that has joined another one stands in the ledger under its earlier key.
            joined = row is None and (wish.record.destination, wish.record.provides) in there
            judged.append((wish, "same" if joined else self._kind(wish, row), row))
        return judged

    def _kind(self, wish: RecordWish, row: Latest | None) -> DifferenceKind:
        if row is None:
            return "new"
        if row.stable == GONE:
            return "deleted"
        # A signal edited after others were stored had the last word, though it stands before them.
        if row.stable == wish.record.stable or wish.late == (row.signal_key, row.stable):
            return "same"
        if wish.record.operation in ONCE_ONLY:
            return "kept"
        return "newer" if row.created_at > self.began else "changed"

    def note(self, judged: Sequence[tuple[RecordWish, DifferenceKind, Latest | None]]) -> None:
        """Count, and keep some differences to show."""
        for wish, kind, _ in judged:
            self.counts[_group(wish), kind] += 1
        shown = [one for one in judged if one[1] in SENT and self._shows(one[1])]
        held = self.history.fields([row.id for _, _, row in shown if row is not None])
        self.wishes.spool(
            (kind, _difference(wish, kind, held.get(row.id, {}) if row else {})) for wish, kind, row in shown
        )

    def note_gone(self) -> None:
        """Count records of the ledger that these signals asked for once and that no signal asks for now."""
        for targets in self.wishes.unmade(size=PART):
            with self.hub.store.database.read() as conn:
                latest = self.history.latest(conn, [target.record_key for target in targets])
                sources = self.history.sources(conn, [row.signal_key for row in latest.values() if row.signal_key])
            for target in targets:
                self._note_gone(target, latest.get(target), sources)

    def _note_gone(self, target: Target, row: Latest | None, sources: Mapping[str, str]) -> None:
        signal, rule = (row.signal_key or "", row.rule or "") if row else ("", "")
        # The newest row may belong to a signal outside of this run.
        if row is None or row.state == "discarded" or row.stable == GONE or not self.wishes.has_made(target, signal):
            return
        source = sources.get(signal, "")
        if self.wanted.holds(source=source, rule=rule, mapping=(target.destination, row.mapping)):
            self.counts[Group(target.destination, target.object, target.operation, source, rule), "gone"] += 1
            if self._shows("gone"):
                kind: DifferenceKind = "gone"
                said = Difference(kind, *target[:2], target.operation, target.record_key, signal, rule, row.mapping)
                self.wishes.spool([(kind, said)])

    def _shows(self, kind: DifferenceKind) -> bool:
        self._shown[kind] += 1
        return self.show is None or self._shown[kind] <= self.show


def parts(wishes: Wishes) -> Iterator[list[RecordWish]]:
    """Yield the wishes in the order in which they may be sent, some at a time."""
    after = 0
    while part := wishes.wanted(after=after, limit=PART):
        yield part
        after = part[-1].ordinal


def planned(wish: RecordWish) -> Planned:
    """Return a wish as the outbox takes it."""
    return Planned(wish.record, wish.signal, wish.rule)


def _group(wish: RecordWish) -> Group:
    return Group(wish.record.destination, wish.record.object, wish.record.operation, wish.source, wish.rule)


def _difference(wish: RecordWish, kind: DifferenceKind, held: Mapping[str, Any]) -> Difference:
    record = wish.record
    was, now = dict(_flat(held)), dict(_flat(record.fields))
    names = [*now, *(name for name in was if name not in now)]
    fields = {name: {"was": was.get(name), "now": now.get(name)} for name in names if was.get(name) != now.get(name)}
    target = (record.destination, record.object, record.operation, record.key)
    return Difference(kind, *target, wish.signal, wish.rule, record.mapping, fields)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
