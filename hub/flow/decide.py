"""What a batch of signals becomes: dedupe, labels, rules, records; reads the database, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from hub.core.dedupe import Duplicate, Known, New, compare
from hub.core.model import Author, Label, Signal
from hub.core.pipeline import Memory, Plan, plan, topics_of
from hub.flow.back.ours import Ours, find_ours
from hub.flow.back.people import Linked, find_linked
from hub.flow.back.threads import Threads, keys_of, look_up_threads, reunite
from hub.flow.enrich import enrich
from hub.runtime import Hub
from hub.store.conversations import VALUES
from hub.store.inbox import Settled
from hub.store.outbox import Planned
from hub.store.signals import Judged, KnownSignal, Stats, fortnight_before, month_before
from hub.store.upkeep.threads import Dropped

log = structlog.get_logger(__name__)
TOMBSTONED = "tombstoned"
REPEATS = frozenset({"same content", "same revision"})
LASTING = (*VALUES, "url")


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
    conversation: dict[str, Any] = {}
    person: dict[str, Any] | None = None
    joins: str = ""
    joins_opened: tuple[str, ...] = ()
    account: dict[str, Any] | None = None


@dataclass
class Decision:
    """What a batch changes."""

    new: list[Judged] = field(default_factory=list)
    revised: list[Judged] = field(default_factory=list)
    refreshed: dict[str, int] = field(default_factory=dict)
    authors: list[Author] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    outcome: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    assigned: dict[str, str] = field(default_factory=dict)
    threads: Threads = field(default_factory=Threads)
    dropped: list[Dropped] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)

    @property
    def destinations(self) -> list[str]:
        """The destinations that get something."""
        return list(dict.fromkeys(item.record.destination for item in self.planned))

    @property
    def late(self) -> list[int]:
        """Raw rows whose post is gone already: they bring its text back."""
        return [raw_id for raw_id, (_, reason) in self.outcome.items() if reason == TOMBSTONED]

    def settle(self, raw_ids: Iterable[int]) -> list[Settled]:
        """How the rows end that waited for this decision."""
        return [Settled(raw_id, *self.outcome.get(raw_id, ("done", None))) for raw_id in sorted(raw_ids)]


@dataclass
class Before:
    """What the database knew before the batch; it grows while the batch is decided."""

    known: dict[str, KnownSignal]
    tombstoned: frozenset[str]
    threads: Threads
    sizes: dict[str, int]
    opened: dict[str, dict[str, str]]
    stats: dict[str, Stats]
    authors: dict[str, Author]
    tickets: dict[str, str] = field(default_factory=dict)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    assigned: dict[str, str] = field(default_factory=dict)
    ours: Ours = field(default_factory=Ours)
    linked: Linked = field(default_factory=Linked)


def decide_batch(hub: Hub, signals: Sequence[Signal], authors: Sequence[Author]) -> Decision:
    """Decide about the signals of a batch in their order."""
    before = look_up(hub, signals, authors)
    met = [author for author in authors if author.key not in before.tombstoned]
    decision = Decision(authors=met, threads=before.threads)
    fresh = _fresh(signals, before, decision)
    fresh += _reunited(hub, before, decision, {signal.key for signal, _ in fresh})
    topics = [topics_of(signal, hub.book) for signal, _ in fresh]
    labels = enrich(hub, [signal for signal, _ in fresh], topics)
    for (signal, is_new), given, about in zip(fresh, labels, topics, strict=True):
        judged, planned = judge(hub, _spoken(signal, given), given, before, is_new=is_new, topics=about)
        (decision.new if is_new else decision.revised).append(judged)
        decision.planned += planned
    decision.assigned = before.assigned
    return decision


def look_up(hub: Hub, signals: Sequence[Signal], authors: Sequence[Author]) -> Before:
    """Read what the database knows of the signals, their conversations and authors: one short transaction."""
    store = hub.store
    keys = list(dict.fromkeys(signal.key for signal in signals))
    reposted = [signal.quotes for signal in signals if signal.kind == "repost" and signal.quotes]
    people = list(dict.fromkeys(signal.author_key for signal in signals if signal.author_key))
    with store.database.read() as conn:
        woven = look_up_threads(store, conn, signals)
        threads = keys_of(woven, signals)
        sizes, opened = store.signals.sizes(conn, threads), woven.fold(store.outbox.opened(conn, threads))
        woven.live.update(sizes)
        return Before(
            known=store.signals.known(conn, keys),
            tombstoned=store.signals.tombstoned(conn, [*keys, *people, *reposted]),
            threads=woven,
            sizes=sizes,
            opened=opened,
            stats=store.signals.stats(conn, people, since=month_before(hub.now()), late=fortnight_before(hub.now())),
            authors=store.signals.authors(conn, people) | {author.key: author for author in authors},
            tickets=woven.fold_flat(store.outbox.ticket_urls(conn, threads)) if opened else {},
            kept=store.conversations.known(conn, threads),
            ours=find_ours(hub, conn, signals),
            linked=find_linked(hub, conn, people, {author.key: author for author in authors}),
        )


def _fresh(signals: Sequence[Signal], before: Before, decision: Decision) -> list[tuple[Signal, bool]]:
    """The signals that are new or changed, in order; duplicates are noted with their reason."""
    fresh: dict[str, tuple[Signal, bool]] = {}
    for given in signals:
        signal = before.ours.mark(before.threads.place(given))
        raw_id = signal.provenance.raw_id if signal.provenance else 0
        seen = before.known.get(signal.key)
        known = Known(*seen[:4], observed_at=seen.observed_at) if seen else None
        verdict = compare(signal, known, tombstoned=_is_gone(signal, before.tombstoned))
        if isinstance(verdict, Duplicate):
            decision.outcome[raw_id] = ("duplicate", verdict.reason)
            if seen and _is_fresher(verdict, signal, seen) and signal.key not in fresh:
                decision.refreshed[signal.key] = raw_id
                decision.outcome[raw_id] = ("done", verdict.reason)
            continue
        was_new = isinstance(verdict, New) or fresh.get(signal.key, (signal, False))[1]
        fresh[signal.key] = (signal, was_new)
        seen_as = (signal.content_hash, signal.state, signal.revision, signal.updated_at)
        before.known[signal.key] = KnownSignal(*seen_as, 0 if was_new else raw_id, signal.observed_at)
    return [(before.threads.settled(signal), was_new) for signal, was_new in fresh.values()]


def _is_fresher(verdict: Duplicate, signal: Signal, seen: KnownSignal) -> bool:
    """Whether a repeat says the same as what is stored, with counts of a later time; what is gone or older replaces nothing."""
    raw_id = signal.provenance.raw_id if signal.provenance else 0
    later = seen.observed_at is None or signal.observed_at >= seen.observed_at
    return verdict.reason in REPEATS and later and seen.raw_id not in (0, raw_id)


def _reunited(hub: Hub, before: Before, decision: Decision, placed: set[str]) -> list[tuple[Signal, bool]]:
    """Stored signals to judge again, since their conversation has joined one that has its ticket."""
    found = reunite(hub.store, before.threads, before.opened, before.sizes)
    decision.dropped = found.dropped
    again = [signal for signal in found.again if signal.key not in placed]
    people = [signal.author_key for signal in again if signal.author_key and signal.author_key not in before.authors]
    if people:
        now = hub.now()
        with hub.store.database.read() as conn:
            before.authors |= hub.store.signals.authors(conn, people)
            since, late = month_before(now), fortnight_before(now)
            before.stats = hub.store.signals.stats(conn, people, since=since, late=late) | before.stats
            before.linked = before.linked.and_also(find_linked(hub, conn, people, before.authors))
    return [(signal, False) for signal in again]


def _is_gone(signal: Signal, tombstoned: frozenset[str]) -> bool:
    """Whether the post is gone, its author, or what it only repeats."""
    repeated = signal.quotes if signal.kind == "repost" else None
    return not tombstoned.isdisjoint((signal.key, signal.author_key or "", repeated or ""))


def _spoken(signal: Signal, labels: Sequence[Label]) -> Signal:
    """A signal whose network gives no language takes the label's."""
    if signal.lang is None:
        found = next((label.value for label in labels if label.name == "language"), None)
        return replace(signal, lang=found) if found else signal
    return signal


def judge(
    hub: Hub,
    signal: Signal,
    labels: Sequence[Label],
    before: Before,
    *,
    is_new: bool,
    topics: tuple[str, ...] | None = None,
) -> tuple[Judged, list[Planned]]:
    """Route and map one signal with what is known of its author and conversation."""
    author = before.authors.get(signal.author_key or "")
    memory = _memory(hub, signal, labels, before, is_new=is_new)
    made = plan(signal, author, labels, book=hub.book, memory=memory, topics=topics)
    for record in made.records:
        if record.operation == "create":
            before.opened.setdefault(record.key, {})[record.destination] = signal.key
    if made.assign and is_new:
        _assign(signal.conversation_key or signal.key, made.assign, before)
    kept = keep(hub, made, memory, author=author, labels=labels)
    judged = Judged(signal, (*labels, *made.labels), kept, bool(made.matched))
    return judged, _planned(signal, made)


def _assign(thread: str, assignee: str, before: Before) -> None:
    """A new conversation goes to whom its rule names; one that people know already stays with whom it is."""
    if before.sizes.get(thread) == 1 and thread not in before.kept:
        before.assigned[thread] = assignee
        before.kept[thread] = {"assignee": assignee}


def keep(hub: Hub, made: Plan, memory: Memory, *, author: Author | None, labels: Sequence[Label]) -> Kept:
    """The part of a plan's trace that cannot be computed again."""
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
        notes=notes_of(made),
        conversation={
            name: memory.conversation[name]
            for name in LASTING
            if memory.conversation.get(name) and memory.conversation[name] != memory.url
        },
        person=dict(memory.person) if memory.person else None,
        joins=memory.joins,
        joins_opened=tuple(sorted(memory.joins_opened)),
        account=dict(memory.account) if memory.account else None,
    )


def notes_of(made: Plan) -> tuple[str, ...]:
    """Why records that rules asked for were not made."""
    notes = tuple(f"{fail.destination}/{fail.mapping}: {fail.field}: {fail.reason}" for fail in made.failures)
    return notes + tuple(f"{one.destination}/{one.mapping}: {one.note}" for one in made.trace.records if not one.made)


def _memory(hub: Hub, signal: Signal, labels: Sequence[Label], before: Before, *, is_new: bool) -> Memory:
    """What is known beside the signal, this signal counted in; `before` is brought up to date."""
    thread, writer = signal.conversation_key or signal.key, signal.author_key or ""
    stats = before.stats.get(writer, Stats())
    if is_new:
        stats = stats.plus(_sentiment(labels), late=signal.published_at >= fortnight_before(hub.now()))
        before.stats[writer] = stats
        before.sizes[thread] = before.sizes.get(thread, 0) + 1
    before.linked.hear(hub, signal, labels, is_new=is_new)
    opened, home = before.opened.get(thread, {}), before.linked.home(writer, thread)
    page = f"{hub.settings.public_url}/signals/{signal.key}"
    return Memory(
        stats={
            "signals_30d": stats.signals,
            "sentiment_mean_30d": stats.mean,
            "sentiment_trend_30d": stats.trend,
        },
        conversation={
            **before.kept.get(thread, {}),
            "key": thread,
            "signals": before.sizes.get(thread, 1),
            "url": before.tickets.get(thread) or page,
        },
        # The signal that opened a ticket must not comment on it when it is decided again.
        opened=frozenset(destination for destination, opener in opened.items() if opener != signal.key),
        url=page,
        person=before.linked.facts(writer),
        joins=home.key if home else "",
        joins_opened=home.opened if home else frozenset(),
        account=before.linked.account(writer),
    )


def _planned(signal: Signal, made: Plan) -> list[Planned]:
    rules: Mapping[tuple[str, str], str] = {
        (note.destination, note.mapping): note.rule for note in made.trace.records if note.made
    }
    return [Planned(one, signal.key, rules.get((one.destination, one.mapping), "")) for one in made.records]


def _sentiment(labels: Sequence[Label]) -> float | None:
    return next((label.score for label in labels if label.name == "sentiment"), None)
