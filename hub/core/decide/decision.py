"""The decision about a batch: what is stored, what is planned, and how its raw rows end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from hub.core.decide.batch import TOMBSTONED, Fresh, Known, RowEnd, Sifted
from hub.core.decide.judgement import Judged, judge
from hub.core.decide.trace import Trace
from hub.core.model import Author, Label, Planned, Signal
from hub.core.pipeline import Rulebook, SignalPlan
from hub.core.ratings import heard
from hub.core.signals import Stats, fortnight_before
from hub.core.threads import BatchThreads, Dropped

KEPT_VALUES = ("state", "assignee", "tags")


@dataclass(frozen=True)
class Decision:
    """What a batch changes: signals that are new, revised, or whose raw row is another now; authors; deliveries; conversations.

    `outcome` says how the raw rows end that end otherwise than done, `assigned` who has a new conversation, `dropped` are
    tickets that are not sent after all.
    """

    new: Sequence[Judged] = ()
    revised: Sequence[Judged] = ()
    refreshed: Mapping[str, int] = field(default_factory=dict)
    authors: Sequence[Author] = ()
    planned: Sequence[Planned] = ()
    outcome: Mapping[int, RowEnd] = field(default_factory=dict)
    assigned: Mapping[str, str] = field(default_factory=dict)
    threads: BatchThreads = field(default_factory=BatchThreads)
    dropped: Sequence[Dropped] = ()

    @property
    def destinations(self) -> list[str]:
        """The destinations that get something."""
        return list(dict.fromkeys(item.record.destination for item in self.planned))

    @property
    def judged(self) -> list[Judged]:
        """All signals that are stored in a new form."""
        return [*self.new, *self.revised]

    def lacking(self, missing: Mapping[str, Sequence[str]]) -> Decision:
        """Return the decision with what its traces tell of enrichers that could not work (signal's key to their names)."""
        if not any(missing.values()):
            return self
        return replaced(self, new=_marked(self.new, missing), revised=_marked(self.revised, missing))

    @property
    def late(self) -> list[int]:
        """Raw rows whose post is gone already: they bring its text back."""
        return [raw_id for raw_id, (_, reason) in self.outcome.items() if reason == TOMBSTONED]


def _marked(judged: Sequence[Judged], missing: Mapping[str, Sequence[str]]) -> list[Judged]:
    return [one._replace(trace=replace(one.trace, missing=tuple(missing[one.signal.key]))) for one in judged]


def decide(
    known: Known,
    signals: Sifted,
    labels: Sequence[Sequence[Label]],
    *,
    book: Rulebook,
    now: datetime,
) -> Decision:
    """Decide about what is fresh of a batch, in its order; `labels` are each signal's by the enrichers."""
    tally = _Tally(known, signals, now)
    new, revised = list[Judged](), list[Judged]()
    planned = list[Planned]()
    for one, given in zip(signals.fresh, labels, strict=True):
        judged, made = _judge(tally, one, given, book)
        (new if one.is_new else revised).append(judged)
        planned += _planned(judged.signal, made)
    return Decision(
        new,
        revised,
        signals.refreshed,
        [author for author in known.met if author.key not in known.tombstoned | signals.owned],
        planned,
        signals.outcome,
        tally.assigned,
        signals.threads,
        signals.dropped,
    )


def _judge(tally: _Tally, one: Fresh, labels: Sequence[Label], book: Rulebook) -> tuple[Judged, SignalPlan]:
    signal = _spoken(one.signal, labels)
    labels = heard(signal, labels)
    tally.hear(signal, labels, is_new=one.is_new)
    page = tally.page(signal)
    made, trace = judge(signal, tally.recall(signal, labels), labels, book=book, page=page, topics=one.topics)
    tally.learn(signal, made, is_new=one.is_new)
    return Judged(signal, (*labels, *made.labels), trace, bool(made.matched)), made


class _Tally:
    """What is known of authors, people and conversations, and grows signal by signal; `known` itself stays as it is."""

    def __init__(self, known: Known, signals: Sifted, now: datetime) -> None:
        self.known = known
        self.now = now
        self.sizes = dict(signals.sizes)
        self.opened = {thread: dict(tickets) for thread, tickets in signals.opened.items()}
        self.stats = dict(known.stats)
        self.values = dict(known.values)
        self.assigned: dict[str, str] = {}
        self.linked = known.linked.copy()

    def page(self, signal: Signal) -> str:
        """Return the address of a signal in the hub."""
        return f"{self.known.pages}{signal.key}"

    def hear(self, signal: Signal, labels: Sequence[Label], *, is_new: bool) -> None:
        """Count a signal in."""
        if signal.kind == "repost":  # another's words: they count on what is boosted
            return
        if is_new:
            writer, thread = signal.author_key or "", _thread(signal)
            late = signal.published_at >= fortnight_before(self.now)
            self.stats[writer] = self.stats.get(writer, Stats()).plus(_score(labels), late=late)
            self.sizes[thread] = self.sizes.get(thread, 0) + 1
        self.linked.hear(signal, labels, is_new=is_new, now=self.now)

    def recall(self, signal: Signal, labels: Sequence[Label]) -> Trace:
        """Begin the signal's trace with all that is known beside it, the signal counted in."""
        thread, writer = _thread(signal), signal.author_key or ""
        stats, home = self.stats.get(writer, Stats()), self.linked.home(writer, thread)
        # The signal that opened a ticket must not comment on it when it is decided again.
        openers = self.opened.get(thread, {})
        opened = sorted(destination for destination, opener in openers.items() if opener != signal.key)
        return Trace(
            stats={
                "signals_30d": stats.signals,
                "sentiment_mean_30d": stats.mean,
                "sentiment_trend_30d": stats.trend,
            },
            size=self.sizes.get(thread, 1),
            opened=tuple(opened),
            author=self.known.authors.get(writer),
            labels=tuple(labels),
            conversation=self._conversation(thread),
            person=self.linked.facts(writer),
            joins=home.key if home else "",
            joins_opened=tuple(sorted(home.opened)) if home else (),
            account=self.linked.account(writer),
        )

    def learn(self, signal: Signal, made: SignalPlan, *, is_new: bool) -> None:
        """Keep which tickets a signal opens, and who has its conversation: one that people know already stays with its own."""
        for record in made.records:
            if record.operation == "create":
                self.opened.setdefault(record.key, {})[record.destination] = signal.key
        thread = _thread(signal)
        if made.assign and is_new and self.sizes.get(thread) == 1 and thread not in self.values:
            self.assigned[thread] = made.assign
            self.values[thread] = {"assignee": made.assign}

    def _conversation(self, thread: str) -> dict[str, Any]:
        """Return what people gave the conversation, and its ticket's link; what is not known is left out."""
        values = self.values.get(thread, {})
        told = {name: values[name] for name in KEPT_VALUES if values.get(name) is not None}
        ticket = self.known.tickets.get(thread)
        return {**told, "url": ticket} if ticket else told


def _thread(signal: Signal) -> str:
    return signal.conversation_key or signal.key


def _spoken(signal: Signal, labels: Sequence[Label]) -> Signal:
    """Return the signal; if its network gives no language, with the label's."""
    if signal.lang is None:
        found = next((label.value for label in labels if label.name == "language"), None)
        return replace(signal, lang=found) if found else signal
    return signal


def _planned(signal: Signal, made: SignalPlan) -> list[Planned]:
    rules = made.asked_by if made.records else {}
    return [Planned(one, signal.key, rules.get((one.destination, one.mapping), "")) for one in made.records]


def _score(labels: Sequence[Label]) -> float | None:
    return next((label.score for label in labels if label.name == "sentiment"), None)
