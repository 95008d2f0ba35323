"""What the hub itself posted, when it comes back from its network: it stays in the conversation and makes no records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from hub.core.errors import ConfigError
from hub.core.exchange.answer import is_same_text
from hub.core.model import Signal
from hub.runtime import SOURCES, Hub
from hub.store import Connection


@dataclass(frozen=True)
class Ours:
    """Native ids of our posts by network, and the fields of replies whose fate nobody knows yet.

    `asked` are the posts that those replies answer, by key.
    """

    posted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    flying: Sequence[Mapping[str, Any]] = ()
    asked: Mapping[str, Signal] = field(default_factory=dict)

    def mark(self, signal: Signal) -> Signal:
        """The signal, with the hub as its origin where the hub posted it."""
        is_ours = signal.native_id in self.posted.get(signal.network, ()) or any(
            self._is_this(one, signal) for one in self.flying
        )
        return replace(signal, origin="hub") if is_ours else signal

    def _is_this(self, reply: Mapping[str, Any], signal: Signal) -> bool:
        """Whether a signal is a reply whose answer was lost: the same text, below the same post, by somebody else."""
        answered = str(reply.get("signal"))
        below = answered in (signal.in_reply_to, signal.conversation_key) and signal.key != answered
        asker = self.asked[answered].author_key if answered in self.asked else None
        by_other = asker is None or signal.author_key != asker
        return below and by_other and is_same_text(str(reply.get("text", "")), signal.text)


def find_ours(hub: Hub, conn: Connection, signals: Sequence[Signal]) -> Ours:
    """What of these signals may be our own; asks the database only for networks that the hub answers on."""
    lanes, posted = _lanes(hub), dict[str, frozenset[str]]()
    ours = [signal for signal in signals if signal.network in lanes]
    for network in dict.fromkeys(signal.network for signal in ours):
        ids = [signal.native_id for signal in ours if signal.network == network]
        posted[network] = hub.store.conversations.our_posts(conn, lanes[network], ids)
    asked = [lane for network in posted for lane in lanes[network]]
    flying = hub.store.conversations.in_flight(conn, asked) if asked else []
    answered = [str(one.get("signal")) for one in flying]
    return Ours(posted, flying, hub.store.threads.of(conn, answered) if answered else {})


def _lanes(hub: Hub) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, section in hub.settings.sources.items():
        if section.enabled and section.reply != "off":
            try:
                source = hub.source(name)
            except ConfigError:  # told where the source is used
                continue
            if source.reply_rules is not None:
                found.setdefault(source.network, []).append(f"{SOURCES}{name}")
    return found
