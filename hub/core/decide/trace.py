"""The trace of a decision: stored as JSON by `encode_trace`, read by `decode_trace` and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec.structs import replace

from hub.core.model import Author, Label

_LAST = ("last_url", "last_network", "last_at")


class Trace(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a decision: versions, what matched, and the facts that may change later; the rest is computed again.

    `rules` and `topics` are versions, `about` the topics' names, `size` the conversation's number of signals. `opened` names
    the destinations that had another signal's ticket of the conversation. `notes` say why records were not made. `missing` names
    the enrichers that could not work, `late` those that labelled the signal later, each with when (ISO 8601, UTC).
    """

    rules: str = ""
    topics: str = ""
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
    missing: tuple[str, ...] = ()
    late: dict[str, str] = {}


_decoder = msgspec.json.Decoder(Trace)


def encode_trace(trace: Trace) -> str:
    """Return a trace as JSON text; if half a surrogate is in it, which no database takes, that and NUL become U+FFFD."""
    try:
        return msgspec.json.encode(trace).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_mended(msgspec.to_builtins(trace))).decode()


def decode_trace(text: str) -> Trace:
    """Return the trace that a text holds; names that this version does not know are left out."""
    return _decoder.decode(text)


def mark_of(name: str) -> str:
    """Return the piece that stands in the text of each trace that holds a fact of this name: to find candidates in SQL."""
    return f'"{name}"'


def forget_post(trace: Trace) -> Trace:
    """Return what stays of the trace of an erased post: versions and what matched; the rest may quote its author."""
    return Trace(trace.rules, trace.topics, trace.matched, trace.about, size=trace.size)


def forget_person(trace: Trace, keys: Collection[str]) -> Trace:
    """Return the trace without what it holds of the person, if that is one of `keys`: the key alone stays."""
    key = (trace.person or {}).get("key")
    return replace(trace, person={"key": key}) if key in keys else trace


def forget_last_word(trace: Trace, traces: Collection[str]) -> Trace:
    """Return the trace without the last words of its person and account whose link or time is among `traces`."""
    return replace(trace, person=_unsaid(trace.person, traces), account=_unsaid(trace.account, traces))


def _unsaid(facts: dict[str, Any] | None, traces: Collection[str]) -> dict[str, Any] | None:
    if not facts or {facts.get("last_url"), facts.get("last_at")}.isdisjoint(traces):
        return facts
    return {name: value for name, value in facts.items() if name not in _LAST}


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mended(name): _mended(inner) for name, inner in value.items()}
    return [_mended(inner) for inner in value] if isinstance(value, list | tuple) else value
