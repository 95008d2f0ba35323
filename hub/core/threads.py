"""Conversations: which one a signal belongs to, in whatever order root and replies come, and what follows if two are one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from hub.core.model import GONE, Signal

V = TypeVar("V")


class Move(NamedTuple):
    """A conversation that is part of another: its key, and the key that both go by from now on."""

    old: str
    new: str


class Dropped(NamedTuple):
    """A ticket that was planned, and is not sent because its conversation has one: destination and conversation key."""

    destination: str
    key: str


@dataclass
class BatchThreads:
    """Conversations as a batch sees them; it grows while signals are placed.

    `known` is the conversation of each stored signal, `homes` the present key of joined conversations, `names` what aliases
    stand for, `live` the conversations that hold signals. `moves` are the joins that this batch brings about.
    """

    known: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    moves: list[Move] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    def copy(self) -> BatchThreads:
        """Return a copy that grows by itself."""
        live, moves, others = set(self.live), list(self.moves), set(self.others)
        return BatchThreads(
            dict(self.known), dict(self.homes), dict(self.names), live, moves, dict(self.aliases), others
        )

    @property
    def is_woven(self) -> bool:
        """True if any of the signals may have to do with others: then no other batch may change threads at the same time."""
        return bool(self.others or self.aliases or self.moves)

    def place(self, given: Signal) -> Signal:
        """Return the signal in its conversation; if others waited for it under one of its names, theirs becomes its own."""
        signal = self._answering(given)
        known = self.known.get(signal.key)
        home = self.home(known or thread_of(signal))
        self.known[signal.key] = home
        self.live.add(home)
        for name in {signal.key, *signal.aliases} - {home}:
            self.others.add(name)
            if name in self.live and name not in self.homes:
                self.homes[name] = home
                self.moves.append(Move(name, home))
        return replace(signal, conversation_key=home) if home != signal.conversation_key else signal

    def home(self, key: str) -> str:
        """Return the conversation that a conversation's key, or a signal's, leads to now."""
        seen = {key}
        while True:
            further = self.homes.get(key) or self.names.get(key) or self.known.get(key) or key
            if further in seen:
                return key
            seen.add(further)
            key = further

    def settled(self, signal: Signal) -> Signal:
        """Return the signal after the whole batch is placed: its conversation may have joined another, its parent have come."""
        signal, home = self._answering(signal), self.home(signal.conversation_key or signal.key)
        return replace(signal, conversation_key=home) if home != signal.conversation_key else signal

    def fold(self, values: Mapping[str, Mapping[str, V]]) -> dict[str, dict[str, V]]:
        """Return values by conversation, with those under earlier keys counted to the key of now (what stands there is kept)."""
        folded: dict[str, dict[str, V]] = {}
        for key, inner in sorted(values.items(), key=lambda item: item[0] in self.homes):
            folded[self.homes.get(key, key)] = {**inner, **folded.get(self.homes.get(key, key), {})}
        return folded

    def fold_flat(self, values: Mapping[str, V]) -> dict[str, V]:
        """Return the same for values that are single."""
        return {key: inner["it"] for key, inner in self.fold({key: {"it": one} for key, one in values.items()}).items()}

    def _answering(self, signal: Signal) -> Signal:
        parent = self.names.get(signal.parent_alias or "")
        return replace(signal, in_reply_to=parent) if parent and signal.in_reply_to is None else signal


def thread_of(signal: Signal) -> str:
    """Return the conversation that a signal tells of: its root, else its parent (by whatever name), else itself."""
    if signal.conversation_key not in (None, signal.key):
        return signal.conversation_key or signal.key
    return signal.in_reply_to or signal.parent_alias or signal.key


@dataclass(frozen=True)
class Rivals:
    """Tickets of conversations that are joined: those that were not sent yet, and the signals that asked for them.

    `unsent` maps (conversation, destination) to the key of the planned record, `openers` keys to signals as they are stored.
    """

    unsent: Mapping[tuple[str, str], str] = field(default_factory=dict)
    openers: Mapping[str, Signal] = field(default_factory=dict)


class Reunion(NamedTuple):
    """What follows from joins: signals to judge again, tickets that are not sent after all, and all that counts by conversation.

    `opened` and `sizes` are what they were (see `Known`), under the keys that conversations go by now.
    """

    again: list[Signal]
    dropped: list[Dropped]
    opened: dict[str, dict[str, str]]
    sizes: dict[str, int]


def reunite(
    threads: BatchThreads, rivals: Rivals, *, opened: Mapping[str, Mapping[str, str]], sizes: Mapping[str, int]
) -> Reunion:
    """Bring what is known of joined conversations together; of two tickets one is given up, if it was not sent yet."""
    found = Reunion([], [], {key: dict(tickets) for key, tickets in opened.items()}, dict(sizes))
    unsent = dict(rivals.unsent)
    openers = [opener for move in threads.moves for opener in _join(move, unsent, found)]
    stored = (rivals.openers[key] for key in dict.fromkeys(openers) if key in rivals.openers)
    found.again.extend(threads.settled(signal) for signal in stored if signal.state not in GONE)
    return found


def _join(move: Move, unsent: dict[tuple[str, str], str], found: Reunion) -> Iterator[str]:
    """Count one conversation to another; yields the signals whose tickets are given up. Later moves may lead further on."""
    found.sizes[move.new] = found.sizes.get(move.new, 0) + found.sizes.pop(move.old, 0)
    there = found.opened.setdefault(move.new, {})
    for destination, opener in found.opened.pop(move.old, {}).items():
        rival = there.setdefault(destination, opener)
        old, new = (move.old, destination), (move.new, destination)
        if rival == opener:
            if key := unsent.pop(old, ""):
                unsent[new] = key
        elif key := unsent.pop(old, ""):
            found.dropped.append(Dropped(destination, key))
            yield opener
        elif key := unsent.pop(new, ""):
            found.dropped.append(Dropped(destination, key))
            there[destination] = opener
            yield rival


def keys_of(threads: BatchThreads, signals: Sequence[Signal]) -> list[str]:
    """Return all keys under which something may be stored of the conversations of these signals."""
    told = (name for one in signals for name in (one.key, one.in_reply_to, thread_of(one), *one.aliases))
    return _unique((*told, *threads.known.values(), *threads.homes, *threads.homes.values()))


def _unique(keys: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(key for key in keys if key))
