"""What may be answered, and which signal of a conversation an answer goes to: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from hub.core.model import GONE, Signal

_UNREACHABLE = (*GONE, "hidden")
_PRIVATE = frozenset({"direct", "followers", "internal"})
_MENTIONS = re.compile(r"\s*(?:@\S+[\s,:]*)+")


class Rules(Protocol):
    """How a network takes answers (`hub.sdk.traits.ReplyRules`)."""

    @property
    def max_length(self) -> int:
        """The longest text, as the network counts."""

    @property
    def window(self) -> timedelta | None:
        """How long after a post it may be answered, None: always."""


def choose_answered(signals: Iterable[Signal]) -> Signal | None:
    """The latest signal that is not ours and can be answered, else the latest that is not ours (the refusal says why)."""
    theirs = [signal for signal in signals if signal.origin != "hub"]
    able = [signal for signal in theirs if not unanswerable(signal)]
    return max(able or theirs, key=lambda signal: (signal.published_at, signal.key), default=None)


def unanswerable(signal: Signal) -> str:
    """Why nobody can answer a signal, whatever the text; "" where one can."""
    if signal.origin == "hub":
        return "the hub wrote it"
    if signal.state in _UNREACHABLE:
        return f"the post is {signal.state}"
    if signal.can_reply == "no":
        return "its author takes no replies"
    return "it is internal and not on a network" if signal.visibility == "internal" else ""


def may_reply(signal: Signal, rules: Rules | None, *, now: datetime, length: int) -> str | None:
    """Why an answer of this length may not be sent now; None where it may."""
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


def is_private(signal: Signal) -> bool:
    """Whether not everybody may read the signal."""
    return signal.visibility in _PRIVATE


def is_same_text(sent: str, came: str) -> bool:
    """Whether a text that came back is one that was sent: spaces aside, and whoever is mentioned before it.

    The end alone says little: "Thanks!" is also how a customer's own answer ends.
    """
    given = _bare(sent)
    return bool(given) and _bare(came) == given


def _bare(text: str) -> str:
    return "".join(text[found.end() if (found := _MENTIONS.match(text)) else 0 :].split())


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"
