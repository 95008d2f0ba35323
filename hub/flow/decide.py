"""What a batch of signals becomes: dedupe, labels, rules, records; reads the database, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog
from msgspec.structs import replace

from hub.core.dedupe import Duplicate, Known, New, compare
from hub.core.model import Author, Label, Signal
from hub.core.pipeline import Memory, Plan, plan
from hub.flow.enrich import enrich
from hub.runtime import Hub
from hub.store.inbox import Settled
from hub.store.outbox import Planned
from hub.store.signals import Judged, KnownSignal, Stats, month_before

log = structlog.get_logger(__name__)


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of a trace: versions, what matched, and the facts that may change later; the rest is computed again."""

    rules: str
    topics: str
    matched: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    stats: dict[str, float | int | None] = {}
    size: int = 0
    opened: tuple[str, ...] = ()
    author: Author | None = None
    labels: tuple[Label, ...] = ()
    unsure_below: float = 0.55
    notes: tuple[str, ...] = ()


@dataclass
class Decision:
    """What a batch changes."""

    new: list[Judged] = field(default_factory=list)
    revised: list[Judged] = field(default_factory=list)
    refreshed: dict[str, int] = field(default_factory=dict)
    authors: list[Author] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    outcome: dict[int, tuple[str, str | None]] = field(default_factory=dict)

    @property
    def destinations(self) -> list[str]:
        """The destinations that get something."""
        return list(dict.fromkeys(item.record.destination for item in self.planned))

    def settle(self, raw_ids: Iterable[int]) -> list[Settled]:
        """How the rows end that waited for this decision."""
        return [Settled(raw_id, *self.outcome.get(raw_id, ("done", None))) for raw_id in sorted(raw_ids)]


@dataclass
class Before:
    """What the database knew before the batch; it grows while the batch is decided."""

    known: dict[str, KnownSignal]
    tombstoned: frozenset[str]
    conversations: dict[str, str]
    sizes: dict[str, int]
    opened: dict[str, dict[str, str]]
    stats: dict[str, Stats]
    authors: dict[str, Author]


def decide_batch(hub: Hub, signals: Sequence[Signal], authors: Sequence[Author]) -> Decision:
    """Decide about the signals of a batch in their order."""
    decision = Decision(authors=list(authors))
    before = look_up(hub, signals, authors)
    fresh = _fresh(signals, before, decision)
    labels = enrich(hub, [signal for signal, _ in fresh])
    for (signal, is_new), given in zip(fresh, labels, strict=True):
        judged, planned = judge(hub, _spoken(signal, given), given, before, is_new=is_new)
        (decision.new if is_new else decision.revised).append(judged)
        decision.planned += planned
    return decision


def look_up(hub: Hub, signals: Sequence[Signal], authors: Sequence[Author]) -> Before:
    """Read what the database knows of the signals, their conversations and authors: one short transaction."""
    store = hub.store
    keys = list(dict.fromkeys(signal.key for signal in signals))
    parents = [key for signal in signals for key in (signal.in_reply_to,) if key]
    people = list(dict.fromkeys(signal.author_key for signal in signals if signal.author_key))
    with store.database.read() as conn:
        homes = store.signals.conversations(conn, list(dict.fromkeys(parents)))
        threads = list(
            dict.fromkeys([*homes.values(), *parents, *(signal.conversation_key or signal.key for signal in signals)])
        )
        return Before(
            known=store.signals.known(conn, keys),
            tombstoned=store.signals.tombstoned(conn, keys),
            conversations=homes,
            sizes=store.signals.sizes(conn, threads),
            opened=store.outbox.opened(conn, threads),
            stats=store.signals.stats(conn, people, since=month_before(hub.now())),
            authors=store.signals.authors(conn, people) | {author.key: author for author in authors},
        )


def _fresh(signals: Sequence[Signal], before: Before, decision: Decision) -> list[tuple[Signal, bool]]:
    """The signals that are new or changed, in order; duplicates are noted with their reason."""
    fresh: dict[str, tuple[Signal, bool]] = {}
    for given in signals:
        signal = _at_home(given, before)
        raw_id = signal.provenance.raw_id if signal.provenance else 0
        seen = before.known.get(signal.key)
        known = Known(seen.content_hash, seen.state, seen.revision, seen.updated_at) if seen else None
        verdict = compare(signal, known, tombstoned=signal.key in before.tombstoned)
        if isinstance(verdict, Duplicate):
            decision.outcome[raw_id] = ("duplicate", verdict.reason)
            if seen and seen.raw_id and seen.raw_id != raw_id and signal.key not in fresh:
                decision.refreshed[signal.key] = raw_id
                decision.outcome[raw_id] = ("done", verdict.reason)
            continue
        was_new = isinstance(verdict, New) or fresh.get(signal.key, (signal, False))[1]
        fresh[signal.key] = (signal, was_new)
        before.known[signal.key] = KnownSignal(
            signal.content_hash, signal.state, signal.revision, signal.updated_at, 0 if was_new else raw_id
        )
        before.conversations[signal.key] = signal.conversation_key or signal.key
    return list(fresh.values())


def _at_home(signal: Signal, before: Before) -> Signal:
    """A reply whose network does not tell the root joins its parent's conversation."""
    if signal.in_reply_to and signal.conversation_key in (None, signal.key):
        return replace(signal, conversation_key=before.conversations.get(signal.in_reply_to, signal.in_reply_to))
    return signal


def _spoken(signal: Signal, labels: Sequence[Label]) -> Signal:
    """A signal whose network gives no language takes the label's."""
    if signal.lang is None:
        found = next((label.value for label in labels if label.name == "language"), None)
        return replace(signal, lang=found) if found else signal
    return signal


def judge(
    hub: Hub, signal: Signal, labels: Sequence[Label], before: Before, *, is_new: bool
) -> tuple[Judged, list[Planned]]:
    """Route and map one signal with what is known of its author and conversation."""
    author = before.authors.get(signal.author_key or "")
    memory = _memory(hub, signal, labels, before, is_new=is_new)
    made = plan(signal, author, labels, book=hub.book, memory=memory)
    for record in made.records:
        if record.operation == "create":
            before.opened.setdefault(record.key, {})[record.destination] = signal.key
    kept = keep(hub, made, memory, author=author, labels=labels)
    judged = Judged(signal, (*labels, *made.labels), kept, bool(made.matched))
    return judged, _planned(signal, made)


def keep(hub: Hub, made: Plan, memory: Memory, *, author: Author | None, labels: Sequence[Label]) -> Kept:
    """The part of a plan's trace that cannot be computed again."""
    notes = tuple(f"{fail.destination}/{fail.mapping}: {fail.field}: {fail.reason}" for fail in made.failures)
    notes += tuple(f"{note.destination}/{note.mapping}: {note.note}" for note in made.trace.records if not note.made)
    return Kept(
        rules=hub.book.rules.version,
        topics=hub.book.topics.version,
        matched=made.matched,
        about=made.topics,
        stats=dict(memory.stats),
        size=int(memory.conversation["signals"]),
        opened=tuple(sorted(memory.opened)),
        author=author,
        labels=tuple(labels),
        unsure_below=hub.book.uncertain_below,
        notes=notes,
    )


def _memory(hub: Hub, signal: Signal, labels: Sequence[Label], before: Before, *, is_new: bool) -> Memory:
    """What is known beside the signal, this signal counted in; `before` is brought up to date."""
    thread, writer = signal.conversation_key or signal.key, signal.author_key or ""
    stats = before.stats.get(writer, Stats())
    if is_new:
        stats = stats.plus(_sentiment(labels))
        before.stats[writer] = stats
        before.sizes[thread] = before.sizes.get(thread, 0) + 1
    opened = before.opened.get(thread, {})
    return Memory(
        stats={"signals_30d": stats.signals, "sentiment_mean_30d": stats.mean},
        conversation={"key": thread, "signals": before.sizes.get(thread, 1)},
        # The signal that opened a ticket must not comment on it when it is decided again.
        opened=frozenset(destination for destination, opener in opened.items() if opener != signal.key),
        url=f"{hub.settings.public_url}/signals/{signal.key}",
    )


def _planned(signal: Signal, made: Plan) -> list[Planned]:
    rules: Mapping[tuple[str, str], str] = {
        (note.destination, note.mapping): note.rule for note in made.trace.records if note.made
    }
    return [Planned(one, signal.key, rules.get((one.destination, one.mapping), "")) for one in made.records]


def _sentiment(labels: Sequence[Label]) -> float | None:
    return next((label.score for label in labels if label.name == "sentiment"), None)
