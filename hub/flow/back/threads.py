"""Which conversation a signal belongs to, whatever the order in which root and replies come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from hub.core.model import GONE, Signal
from hub.store import Connection, Store
from hub.store.upkeep.threads import Dropped, Move

V = TypeVar("V")


@dataclass
class Threads:
    """Conversations as a batch sees them; it grows while signals are placed.

    `known` is the conversation of each stored signal, `homes` where joined conversations are now, `names` what aliases stand
    for, `live` the conversations that hold signals. `moves` are the joins that this batch brings about.
    """

    known: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    moves: list[Move] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    @property
    def is_woven(self) -> bool:
        """Whether any of the signals may have to do with others: then nobody else may change threads meanwhile."""
        return bool(self.others or self.aliases or self.moves)

    def place(self, given: Signal) -> Signal:
        """The signal in its conversation; where others waited for it under one of its names, theirs becomes its own."""
        signal = self._answering(given)
        known = self.known.get(signal.key)
        home = self.home(known or _thread(signal))
        self.known[signal.key] = home
        self.live.add(home)
        for name in {signal.key, *signal.aliases} - {home}:
            self.others.add(name)
            if name in self.live and name not in self.homes:
                self.homes[name] = home
                self.moves.append(Move(name, home))
        return replace(signal, conversation_key=home) if home != signal.conversation_key else signal

    def home(self, key: str) -> str:
        """The conversation that a conversation's key, or a signal's, leads to now."""
        seen = {key}
        while True:
            further = self.homes.get(key) or self.names.get(key) or self.known.get(key) or key
            if further in seen:
                return key
            seen.add(further)
            key = further

    def settled(self, signal: Signal) -> Signal:
        """The signal after the whole batch is placed: its conversation may have joined another, its parent have come."""
        signal, home = self._answering(signal), self.home(signal.conversation_key or signal.key)
        return replace(signal, conversation_key=home) if home != signal.conversation_key else signal

    def fold(self, values: Mapping[str, Mapping[str, V]]) -> dict[str, dict[str, V]]:
        """Values by conversation, with those under earlier keys counted to the key of now (what stands there is kept)."""
        folded: dict[str, dict[str, V]] = {}
        for key, inner in sorted(values.items(), key=lambda item: item[0] in self.homes):
            folded[self.homes.get(key, key)] = {**inner, **folded.get(self.homes.get(key, key), {})}
        return folded

    def fold_flat(self, values: Mapping[str, V]) -> dict[str, V]:
        """The same for values that are single."""
        return {key: inner["it"] for key, inner in self.fold({key: {"it": one} for key, one in values.items()}).items()}

    def _answering(self, signal: Signal) -> Signal:
        parent = self.names.get(signal.parent_alias or "")
        return replace(signal, in_reply_to=parent) if parent and signal.in_reply_to is None else signal


def _thread(signal: Signal) -> str:
    """The conversation that a signal tells of: its root, else its parent (by whatever name), else itself."""
    if signal.conversation_key not in (None, signal.key):
        return signal.conversation_key or signal.key
    return signal.in_reply_to or signal.parent_alias or signal.key


def look_up_threads(store: Store, conn: Connection, signals: Sequence[Signal]) -> Threads:
    """Read what is known of the conversations that these signals may belong to."""
    told = {alias: signal.key for signal in signals for alias in signal.aliases}
    parents = _unique(signal.parent_alias for signal in signals)
    names = store.threads.named(conn, _unique((*told, *parents)))
    # Of two posts that claim one alias the first keeps it: what a stranger sends later must not redirect a thread.
    fresh = {alias: key for alias, key in told.items() if alias not in names}
    names |= fresh
    wanted = _unique((*names.values(), *(key for one in signals for key in (one.key, one.in_reply_to, _thread(one)))))
    known = store.signals.conversations(conn, wanted)
    threads = _unique((*known.values(), *wanted, *told, *parents))
    return Threads(known, store.threads.joined(conn, threads), names, set(), [], fresh)


class Reunion(NamedTuple):
    """What follows from joins: tickets that are not sent after all, and the signals that asked for them, to judge again."""

    again: list[Signal]
    dropped: list[Dropped]


def reunite(store: Store, threads: Threads, opened: dict[str, dict[str, str]], sizes: dict[str, int]) -> Reunion:
    """Bring what is known of joined conversations together; of two tickets one is given up, if it was not sent yet.

    `opened` and `sizes` (see `Outbox.opened`, `Signals.sizes`) are brought up to date.
    """
    found, openers = Reunion([], []), list[str]()
    if threads.moves:
        with store.database.read() as conn:
            for move in threads.moves:
                sizes[move.new] = sizes.get(move.new, 0) + sizes.pop(move.old, 0)
                for destination, opener in opened.pop(move.old, {}).items():
                    rival = opened.setdefault(move.new, {}).setdefault(destination, opener)
                    if rival != opener and (key := store.threads.unsent(conn, move.old, destination)):
                        found.dropped.append(Dropped(destination, key))
                        openers.append(opener)
                    elif rival != opener and (key := store.threads.unsent(conn, move.new, destination)):
                        found.dropped.append(Dropped(destination, key))
                        openers.append(rival)
                        opened[move.new][destination] = opener
            stored = store.threads.of(conn, openers).values()
        found.again.extend(threads.settled(signal) for signal in stored if signal.state not in GONE)
    return found


def keys_of(threads: Threads, signals: Sequence[Signal]) -> list[str]:
    """All keys under which something may be stored of the conversations of these signals."""
    told = (name for one in signals for name in (one.key, one.in_reply_to, _thread(one), *one.aliases))
    return _unique((*told, *threads.known.values(), *threads.homes, *threads.homes.values()))


def _unique(keys: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(key for key in keys if key))
