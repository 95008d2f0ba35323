"""What of a payload are a post's own words, and what is left when they are taken out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from hub.core.exchange.wording import network_name
from hub.core.model import Signal, TombstoneReason

TELLING = 8  # characters: a shorter piece may be anybody's ("New", "ok"), so only the whole of it counts
EXCERPT = 16
_WHY: Mapping[TombstoneReason, str] = {
    "user_deleted": "It was deleted on {}",
    "account_deleted": "Its author's account on {} was deleted",
    "erasure": "It was erased on request ({})",
    "expired": "It may not be kept any longer by the terms of {}",
}


def words_of(signal: Signal) -> tuple[str, ...]:
    """What somebody said with a signal: text, title, descriptions of pictures."""
    said = (signal.text, signal.title, signal.html, *(media.alt for media in signal.media))
    return tuple(dict.fromkeys(one.strip() for one in said if one and one.strip()))


def traces_of(signal: Signal, page: str) -> frozenset[str]:
    """Where and when a signal was said, as records of people hold it: its link, its page in the hub, its time."""
    at: str = msgspec.to_builtins(signal.published_at)
    return frozenset(one for one in (signal.url, page, at) if one)


def quotes(value: str, words: Sequence[str]) -> bool:
    """Whether a text holds any of these words, or is a piece of them."""
    text = value.strip()
    return bool(text) and any(_holds(text, one) for one in words)


def _holds(text: str, said: str) -> bool:
    if len(said) < TELLING:
        return text == said
    if said in text or (len(text) >= EXCERPT and text in said):
        return True
    # A template or a limit may have cut it, and on one line it has no line breaks.
    flat, piece = " ".join(text.split()), " ".join(said.split())[:EXCERPT]
    return len(piece) >= TELLING and piece in flat


def without(
    fields: Mapping[str, Any], words: Sequence[str], *, traces: Collection[str] = (), instead: str = ""
) -> dict[str, Any]:
    """The fields with each text replaced that holds these words, or is one of the traces (a link, a time) as a whole."""
    return {name: _without(value, words, traces, instead) for name, value in fields.items()}


def _without(value: Any, words: Sequence[str], traces: Collection[str], instead: str) -> Any:
    if isinstance(value, str):
        return instead if value in traces or quotes(value, words) else value
    if isinstance(value, Mapping):
        return without(value, words, traces=traces, instead=instead)
    return [_without(one, words, traces, instead) for one in value] if isinstance(value, list | tuple) else value


def quoting(fields: Mapping[str, Any], words: Sequence[str], *, traces: Collection[str] = ()) -> dict[str, Any]:
    """Only those fields that hold these words or traces, without them."""
    bare = without(fields, words, traces=traces)
    return {name: value for name, value in bare.items() if value != fields[name]}


def is_own(provides: str, operation: str) -> bool:
    """Whether a record stands for one signal (or the ticket that it opened), and not for a person or a whole conversation."""
    return operation in ("create", "comment") or provides.startswith("signal:")


def is_of_people(provides: str) -> bool:
    """Whether a record stands for an author, or for the person or account behind authors."""
    return provides.startswith(("author:", "person:", "account:"))


def gone_note(network: str, reason: TombstoneReason) -> str:
    """What agents read on the ticket."""
    return f"A post is gone. {_WHY[reason].format(network_name(network))}, so its text was taken out here too."
