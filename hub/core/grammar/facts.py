"""The facts that rules and mappings may read: their names, complete skeletons of nulls, and the way back from a typo.

A node is a dict of names, or None for a leaf (a value, or a list). `person.emails`, `signal.media` and the like are leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from hub.core.model import Author, Counts, Label, Media, Rating, Signal
from hub.core.ratings import stars_of

_ALIKE = 0.7  # of letters that two words share, in order
LABELS = ("sentiment", "language", "intent", "topic", "spam", "urgency")
LABEL: dict[str, Any] = dict.fromkeys(("value", "score", "confidence", "model", "uncertain"))
COUNTS: dict[str, Any] = dict.fromkeys(Counts.__struct_fields__)
RATING: dict[str, Any] = dict.fromkeys((*Rating.__struct_fields__, "stars"))
PROVENANCE: dict[str, Any] = {"source": None, "plugin": None}
_INNER = ("aliases", "parent_alias")  # keys for the engine's own use
SIGNAL: dict[str, Any] = dict.fromkeys(name for name in Signal.__struct_fields__ if name not in _INNER) | {
    "counts": COUNTS,
    "rating": RATING,
    "provenance": PROVENANCE,
}
AUTHOR: dict[str, Any] = dict.fromkeys(Author.__struct_fields__)
# The standing of a person who speaks through several authors: over all of them, this signal included.
STANDING = (
    *("signals_30d", "sentiment_now", "sentiment_mean_30d", "sentiment_trend_30d", "followers"),
    *("last_url", "last_network", "last_at", "open_conversation"),
)
PERSON: dict[str, Any] = dict.fromkeys(("key", "display_name", "emails", "owner", *STANDING))
ACCOUNT: dict[str, Any] = dict.fromkeys(("key", "name", "domain", *STANDING))
CONVERSATION: dict[str, Any] = dict.fromkeys(("key", "signals", "state", "assignee", "tags", "url"))
STATS: dict[str, Any] = dict.fromkeys(("signals_30d", "sentiment_mean_30d", "sentiment_trend_30d"))
RULE: dict[str, Any] = dict.fromkeys(("name", "version"))
HUB: dict[str, Any] = {"url": None}
LISTS = frozenset(
    {
        *("signal.hashtags", "signal.mentions", "signal.media", "author.handle_history"),
        *("topics", "person.emails", "conversation.tags"),
    }
)
LANGUAGES = frozenset({"signal.lang", "labels.language.value"})
"""Facts that are a language's code of two letters."""
MADE_LATER = frozenset({"rule", "hub"})
"""Roots that only mappings may read: conditions come before them."""

assert set(LABEL) - {"uncertain"} <= set(Label.__struct_fields__)


def skeleton(labels: Iterable[str] = ()) -> dict[str, Any]:
    """Return all roots and fields with None, in fresh dicts; `labels` are label names beyond the usual."""
    return {
        "signal": SIGNAL | {"counts": dict(COUNTS), "rating": dict(RATING), "provenance": dict(PROVENANCE)},
        "author": dict(AUTHOR),
        "labels": {name: dict(LABEL) for name in dict.fromkeys((*LABELS, *labels))},
        "topics": None,
        "person": dict(PERSON),
        "account": dict(ACCOUNT),
        "conversation": dict(CONVERSATION),
        "stats": dict(STATS),
        "rule": dict(RULE),
        "hub": dict(HUB),
    }


def merge(over: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `over` upon `under`: dicts are merged, anything else replaces."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = merge(value, below) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged


def missing_name(tree: Mapping[str, Any], path: str) -> tuple[str, str] | None:
    """Return the first part of a dotted path that the tree does not have, as (path so far, hint); None if it has all."""
    node: Any = tree
    walked: list[str] = []
    for part in path.split("."):
        if not isinstance(node, Mapping):
            return ".".join([*walked, part]), f"{'.'.join(walked)} is a value and has no parts"
        if part not in node:
            return ".".join([*walked, part]), did_you_mean(part, node, prefix=".".join(walked))
        node = node[part]
        walked.append(part)
    return None


def leaf_hint(tree: Mapping[str, Any], path: str) -> str:
    """Say what to write instead if a known path names a whole object, else ""."""
    node: Any = tree
    for part in path.split("."):
        node = node[part]
    return (
        f"a whole object; name one of its values, like {path}.{next(iter(node))}" if isinstance(node, Mapping) else ""
    )


def did_you_mean(word: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Return a hint that names what was probably meant, else what there is."""
    names = sorted(known)
    lower = {name.lower(): name for name in reversed(names)}
    near = get_close_matches(word.lower(), lower, n=1, cutoff=_ALIKE)
    best = lower[near[0]] if near else None
    dotted = f"{prefix}." if prefix else ""
    return f"did you mean {dotted}{best}?" if best else f"known: {', '.join(names[:30])}"


# -------------------------------------------------------------------------------------------------- of a signal

_SIGNAL: dict[str, Any] = {
    **SIGNAL,
    "realm": "",
    "revision": "",
    "content_hash": "",
    "visibility": "public",
    "can_reply": "unknown",
    "state": "live",
    "origin": "source",
}
_AUTHOR: dict[str, Any] = {**AUTHOR, "realm": "", "handle_history": []}
_LABELS = dict.fromkeys(LABELS, LABEL)
_MEDIA: dict[str, Any] = dict.fromkeys(Media.__struct_fields__)


def facts(  # noqa: PLR0913 - one name for each thing that is known about a signal
    signal: Signal,
    author: Author | None,
    labels: Sequence[Label],
    *,
    topics: Sequence[str] = (),
    stats: Mapping[str, Any] | None = None,
    conversation: Mapping[str, Any] | None = None,
    person: Mapping[str, Any] | None = None,
    account: Mapping[str, Any] | None = None,
    uncertain_below: float = 0.55,
    url: str = "",
) -> dict[str, Any]:
    """Return the facts as plain nested dicts, complete (missing is None); read them, do not change them."""
    return {
        "signal": _signal_facts(signal),
        "author": AUTHOR if author is None else {**_AUTHOR, **msgspec.to_builtins(author)},
        "labels": _label_facts(labels, uncertain_below),
        "topics": list(topics),
        "person": {**PERSON, **person} if person else PERSON,
        "account": {**ACCOUNT, **account} if account else ACCOUNT,
        "conversation": {**CONVERSATION, "key": signal.conversation_key or signal.key, **(conversation or {})},
        "stats": {**STATS, **stats} if stats else STATS,
        "rule": RULE,
        "hub": {"url": url or None},
    }


def _signal_facts(signal: Signal) -> dict[str, Any]:
    """Return a signal in plain values, times as ISO 8601 in UTC with Z; what its JSON leaves out is filled in."""
    made: dict[str, Any] = {**_SIGNAL, **msgspec.to_builtins(signal)}
    if made["counts"] is not COUNTS:
        made["counts"] = {**COUNTS, **made["counts"]}
    if signal.rating is not None:
        rating = signal.rating
        scale = {"value": rating.value, "best": rating.best, "worst": rating.worst}
        made["rating"] = {**scale, "stars": stars_of(rating)}
    if signal.provenance is not None:
        made["provenance"] = {"source": signal.provenance.source, "plugin": signal.provenance.plugin}
    if signal.media:
        made["media"] = [{**_MEDIA, **one} for one in made["media"]]
    made["hashtags"] = list(signal.hashtags)
    made["mentions"] = list(signal.mentions)
    for name in _INNER:
        made.pop(name, None)
    return made


def _label_facts(labels: Sequence[Label], uncertain_below: float) -> dict[str, Any]:
    """Return labels by name: a person's before a model's, then the later before the earlier."""
    if not labels:
        return _LABELS
    chosen: dict[str, Label] = {}
    for label in labels:
        if label.by == "person" or label.name not in chosen or chosen[label.name].by != "person":
            chosen[label.name] = label
    made: dict[str, Any] = dict(_LABELS)
    for name, label in chosen.items():
        made[name] = {
            "value": label.value,
            "score": label.score,
            "confidence": label.confidence,
            "model": label.model,
            "uncertain": label.by != "person" and label.confidence is not None and label.confidence < uncertain_below,
        }
    return made
