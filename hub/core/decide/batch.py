"""A batch before it is decided: what the hub knows, and which of its signals say anything new."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from hub.core.dedupe import Duplicate, KnownSignal, New, compare
from hub.core.model import Author, Signal
from hub.core.persons import Linked
from hub.core.pipeline import Rulebook, topics_of
from hub.core.replies import Ours
from hub.core.signals import Stats
from hub.core.threads import BatchThreads, Dropped, Rivals, reunite

TOMBSTONED = "tombstoned"
REPEATS = frozenset({"same content", "same revision"})
RowEnd = tuple[str, str | None]
"""How a raw row ends: its state, and why."""


@dataclass(frozen=True)
class Known:
    """What the hub knows before a batch is decided, by key; `met` are the batch's own authors.

    `opened` holds the tickets of conversations (destination to the signal that opened it), `tickets` their links, `values`
    their state, assignee and tags. `private` are sources whose senders choose the ids, `owned` authors of the batch that other
    sources brought and that it may not change. `pages` is what stands before a signal's key in its address in the hub.
    """

    pages: str = ""
    signals: Mapping[str, KnownSignal] = field(default_factory=dict)
    tombstoned: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset()
    owned: frozenset[str] = frozenset()
    threads: BatchThreads = field(default_factory=BatchThreads)
    rivals: Rivals = field(default_factory=Rivals)
    sizes: Mapping[str, int] = field(default_factory=dict)
    opened: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tickets: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stats: Mapping[str, Stats] = field(default_factory=dict)
    authors: Mapping[str, Author] = field(default_factory=dict)
    met: Sequence[Author] = ()
    ours: Ours = field(default_factory=Ours)
    linked: Linked = field(default_factory=Linked)

    def is_gone(self, signal: Signal) -> bool:
        """Return True if the post is gone, its author, or what it only repeats."""
        repeated = signal.quotes if signal.kind == "repost" else None
        return not self.tombstoned.isdisjoint((signal.key, signal.author_key or "", repeated or ""))


def barred(signals: Iterable[Signal], stones: Mapping[str, datetime], returned: Collection[str]) -> frozenset[str]:
    """Return what must not come back, of these signals and of the keys in `stones`, which are gone since those times.

    A post that is gone stays so. What an erased author says later is a new signal, but what had come in before and was not
    read yet falls too. `returned` are authors who are stored: they spoke again.
    """
    late, heard = set[str](), set(returned)
    for one in signals:
        at = stones.get(one.author_key or "")
        if at is None or one.key in stones:
            continue
        if one.observed_at < at:
            late.add(one.key)
        else:
            heard.add(one.author_key or "")
    return frozenset(stones.keys() - heard | late)


class Fresh(NamedTuple):
    """A signal that is new, changed, or to be judged again, with the topics that it is about."""

    signal: Signal
    is_new: bool
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Sifted:
    """A batch without its repeats: what is fresh, in order, and how the raw rows of the others end.

    `refreshed` are signals whose raw row is another now. `opened` and `sizes` count joined conversations as one, `dropped`
    are tickets that are not sent since their conversation has one, `owned` authors that only another source may change.
    """

    fresh: Sequence[Fresh]
    outcome: Mapping[int, RowEnd]
    refreshed: Mapping[str, int]
    threads: BatchThreads
    opened: Mapping[str, Mapping[str, str]]
    sizes: Mapping[str, int]
    dropped: Sequence[Dropped] = ()
    owned: frozenset[str] = frozenset()

    @property
    def needs_rivals(self) -> bool:
        """True if conversations are joined: then `rejoin` must know of their tickets."""
        return bool(self.threads.moves)


def sift(known: Known, signals: Sequence[Signal], book: Rulebook) -> Sifted:
    """Place the signals of a batch in their conversations and leave out what says nothing new."""
    threads, seen = known.threads.copy(), dict(known.signals)
    fresh: dict[str, tuple[Signal, bool]] = {}
    outcome: dict[int, RowEnd] = {}
    refreshed: dict[str, int] = {}
    strange: set[str] = set()
    for given in signals:
        signal = known.ours.mark(threads.place(given))
        raw_id, before = raw_of(signal), seen.get(signal.key)
        verdict = compare(signal, before, tombstoned=known.is_gone(signal), private=known.private)
        if isinstance(verdict, Duplicate):
            outcome[raw_id] = ("duplicate", verdict.reason)
            if verdict.foreign and signal.author_key:
                strange.add(signal.author_key)
            if before and _is_fresher(verdict, signal, before) and signal.key not in fresh:
                refreshed[signal.key] = raw_id
                outcome[raw_id] = ("done", verdict.reason)
            continue
        is_new = isinstance(verdict, New) or fresh.get(signal.key, (signal, False))[1]
        fresh[signal.key] = (signal, is_new)
        seen[signal.key] = _as_known(signal, 0 if is_new else raw_id)
    strange -= {signal.author_key for signal, _ in fresh.values() if signal.author_key}
    settled = [(threads.settled(signal), is_new) for signal, is_new in fresh.values()]
    found = [Fresh(signal, is_new, topics_of(signal, book)) for signal, is_new in settled]
    owned = known.owned | strange
    return Sifted(found, outcome, refreshed, threads, known.opened, known.sizes, owned=owned)


def rejoin(known: Known, sifted: Sifted, book: Rulebook) -> Sifted:
    """Add the stored signals that are to be judged again, since their conversation has joined one that has its ticket."""
    found = reunite(sifted.threads, known.rivals, opened=sifted.opened, sizes=sifted.sizes)
    placed = {one.signal.key for one in sifted.fresh}
    again = [Fresh(one, is_new=False, topics=topics_of(one, book)) for one in found.again if one.key not in placed]
    fresh = (*sifted.fresh, *again)
    return replace(sifted, fresh=fresh, opened=found.opened, sizes=found.sizes, dropped=found.dropped)


def raw_of(signal: Signal) -> int:
    """Return the raw row that a signal was read from, 0 if it is unknown."""
    return signal.provenance.raw_id if signal.provenance else 0


def _as_known(signal: Signal, raw_id: int) -> KnownSignal:
    said = (signal.content_hash, signal.state, signal.revision, signal.updated_at)
    by = signal.provenance
    return KnownSignal(*said, signal.observed_at, raw_id, by.source if by else "", by.plugin if by else "")


def _is_fresher(verdict: Duplicate, signal: Signal, seen: KnownSignal) -> bool:
    """Return True if a repeat says the same as what is stored, with counts of a later time.

    What is gone or older replaces nothing.
    """
    later = seen.observed_at is None or signal.observed_at >= seen.observed_at
    return verdict.reason in REPEATS and later and seen.raw_id not in (0, raw_of(signal))
