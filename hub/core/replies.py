"""Replies: what may be answered, which signal of a conversation is answered, and our own posts when they come back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec.structs import replace

from hub.core.model import GONE, Signal

_UNREACHABLE = (*GONE, "hidden")
_MENTIONS = re.compile(r"\s*(?:@\S+[\s,:]*)+")


class Rules(Protocol):
    """How a network takes answers (`hub.sdk.traits.ReplyRules`)."""

    @property
    def max_length(self) -> int:
        """The longest text, as the network counts."""

    @property
    def window(self) -> timedelta | None:
        """Return how long after a post it may be answered, None: always."""


def choose_answered(signals: Iterable[Signal]) -> Signal | None:
    """Return the latest signal that is not ours and can be answered, else the latest that is not ours (the refusal says why)."""
    theirs = [signal for signal in signals if signal.origin != "hub"]
    able = [signal for signal in theirs if not unanswerable(signal)]
    return max(able or theirs, key=lambda signal: (signal.published_at, signal.key), default=None)


def unanswerable(signal: Signal) -> str:
    """Return why a signal cannot be answered, whatever the text; "" if it can."""
    if signal.origin == "hub":
        return "the hub wrote it"
    if signal.state in _UNREACHABLE:
        return f"the post is {signal.state}"
    if signal.can_reply == "no":
        return "its author takes no replies"
    return "it is internal and not on a network" if signal.visibility == "internal" else ""


def may_reply(signal: Signal, rules: Rules | None, *, now: datetime, length: int) -> str | None:
    """Return why an answer of this length may not be sent now; None if it may."""
    if rules is None:
        return "this source cannot answer"
    if reason := unanswerable(signal):
        return reason
    if rules.window is not None and now - signal.published_at > rules.window:
        return f"too late: the network takes answers for {_span(rules.window)} after a post"
    if length < 1:
        return "there is no text"
    if length > rules.max_length:
        return f"too long: {length} of {rules.max_length} that the network allows"
    return None


def is_same_text(sent: str, came: str) -> bool:
    """Return True if a text that came back is one that was sent; spaces, and mentions before it, do not count.

    The end alone says little: "Thanks!" is also how a customer's own answer ends.
    """
    given = _bare(sent)
    return bool(given) and _bare(came) == given


@dataclass(frozen=True)
class Ours:
    """Native ids of our posts by network, and the fields of replies that are in doubt.

    `asked` are the posts that those replies answer, by key.
    """

    posted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    flying: Sequence[Mapping[str, Any]] = ()
    asked: Mapping[str, Signal] = field(default_factory=dict)

    def mark(self, signal: Signal) -> Signal:
        """Return the signal, with the hub as its origin if the hub posted it."""
        is_ours = signal.native_id in self.posted.get(signal.network, ()) or any(
            self._is_this(one, signal) for one in self.flying
        )
        return replace(signal, origin="hub") if is_ours else signal

    def _is_this(self, reply: Mapping[str, Any], signal: Signal) -> bool:
        """Return True for a reply whose answer was lost: the same text, below the same post, by another author."""
        answered = str(reply.get("signal"))
        below = answered in (signal.in_reply_to, signal.conversation_key) and signal.key != answered
        asker = self.asked[answered].author_key if answered in self.asked else None
        by_other = asker is None or signal.author_key != asker
        return below and by_other and is_same_text(str(reply.get("text", "")), signal.text)


def _bare(text: str) -> str:
    return "".join(text[found.end() if (found := _MENTIONS.match(text)) else 0 :].split())


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"
