"""What a mapping would write of posts of every kind, held against what a destination's fields take.

A destination tells by `describe` the type, length, choices and uniqueness of its fields; that a record does not fit is else
learnt from the first dead letter. So the mapping is applied to samples that span what a fact may be, the longest texts included.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

from hub.core.grammar.facts import merge, skeleton
from hub.core.mapping import CompiledMapping, MappingFailed
from hub.core.model import CanReply, Kind, Origin, SignalState, Visibility
from hub.core.normalise import LONGEST_LINE, LONGEST_TEXT, LONGEST_URL
from hub.sdk.traits import FieldInfo, ObjectInfo

_KEY = f"{'n' * 31}:{'k' * 32}"
_AT = "2026-01-02T03:04:05.678900Z"
_MOODS = ("positive", "neutral", "negative")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SAMPLES = 12
_SHOWN = 40


def value_misfits(mapping: CompiledMapping, info: ObjectInfo) -> Iterator[str]:
    """Yield what the mapping writes that its fields do not take, each field once; and a key that is not unique there."""
    spec = mapping.spec
    key = info.fields.get(spec.key_field)
    if key is not None and not key.unique and any(field.unique for field in info.fields.values()):
        yield f"'{info.name}.{spec.key_field}' is not unique there, so two records may get one key: make it unique"
    told: dict[str, str] = {}
    for facts in samples():
        made = mapping.apply(facts)
        if isinstance(made, MappingFailed):
            continue
        for name, value in _flat(made.fields):
            known = info.fields.get(name)
            if name not in told and known is not None and (message := misfit(value, known)):
                told[name] = f"'{info.name}.{name}' {message}"
    yield from told.values()


def misfit(value: Any, field: FieldInfo) -> str:
    """Say why a field does not take a value, and the way out; "" if it does, or if that cannot be told."""
    if value in (None, "") or isinstance(value, list | dict):
        return ""
    if field.type in _TAKES:
        fits, wanted = _TAKES[field.type]
        return "" if fits(value) else f"takes {wanted}, the mapping gives {_shown(value)}"
    if field.values and isinstance(value, str) and not _is_chosen(value, field.values):
        choices = ", ".join(field.values[:12])
        return f"takes one of {choices}, the mapping gives {_shown(value)}: add it there, or use table and default"
    if field.max_length and isinstance(value, str) and len(value) > field.max_length:
        cure = (
            "leave a longer address out, cut it leads nowhere" if field.type == "url" else f"limit = {field.max_length}"
        )
        return f"takes {field.max_length} characters, the mapping gives up to {len(value)}: {cure}"
    return ""


def _is_chosen(value: str, choices: Collection[str]) -> bool:
    """Return True if a text is a choice, or several with a semicolon between them, as fields of many choices take them."""
    return value in choices or all(one.strip() in choices for one in value.split(";"))


def samples() -> Iterator[dict[str, Any]]:
    """Yield complete facts: each word that a fact of few words may be, and the longest of all others."""
    yield _facts(0, long=True)
    yield from (_facts(number) for number in range(_SAMPLES))


def _facts(number: int, *, long: bool = False) -> dict[str, Any]:
    line, text, link = ("word", "words", "https://example.com/1")
    if long:
        line, text = "w" * LONGEST_LINE, "w" * LONGEST_TEXT
        link = "https://example.com/".ljust(LONGEST_URL, "w")
    standing = {
        "signals_30d": 3,
        "sentiment_now": _nth(_MOODS, number),
        "sentiment_mean_30d": -0.25,
        "sentiment_trend_30d": 0.5,
        "followers": 1200,
    }
    last = {"last_url": link, "last_network": "mastodon", "last_at": _AT, "open_conversation": link}
    mood = {"value": _nth(_MOODS, number), "score": -0.5, "confidence": 0.9, "uncertain": bool(number % 2)}
    said = {"value": line, "score": 0.5, "confidence": 0.9, "model": line, "uncertain": False}
    given: dict[str, Any] = {
        "signal": _signal(number, line=line, text=text, link=link),
        "author": _author(line, text, link),
        "labels": {"sentiment": {**mood, "model": line}, **dict.fromkeys(("intent", "topic", "urgency", "spam"), said)},
        "topics": [line],
        "stats": {name: value for name, value in standing.items() if name.endswith("30d")},
        "person": {
            "key": _KEY,
            "display_name": line,
            "emails": [f"{line}@example.com"],
            "owner": line,
            **standing,
            **last,
        },
        "account": {"key": _KEY, "name": line, "domain": "example.com", **standing, **last},
        "conversation": {"key": _KEY, "signals": 2, "state": "open", "tags": [], "url": link},
        "rule": {"name": "rule", "version": "v" * 32},
        "hub": {"url": link if long else "https://hub.example/signals/1"},
    }
    return merge(given, skeleton())


def _signal(number: int, *, line: str, text: str, link: str) -> dict[str, Any]:
    return {
        "key": _KEY,
        "network": "mastodon" if number % 2 else "forum",
        "native_id": link,
        "kind": _nth(get_args(Kind), number),
        "text": text,
        "html": text,
        "title": line,
        "url": link,
        "lang": "de",
        "author_key": _KEY,
        **dict.fromkeys(("published_at", "observed_at", "updated_at", "claimed_at"), _AT),
        **dict.fromkeys(("in_reply_to", "conversation_key", "quotes"), _KEY),
        "hashtags": ["tag"] * 30,
        "mentions": [],
        "media": [],
        "visibility": _nth(get_args(Visibility), number),
        "state": _nth(get_args(SignalState), number),
        "origin": _nth(get_args(Origin), number),
        "can_reply": _nth(get_args(CanReply), number),
        "counts": dict.fromkeys(("likes", "replies", "shares", "quotes", "views"), 7),
        "rating": {"value": 4.0, "best": 5.0, "worst": 1.0, "stars": 4.0},
        "provenance": {"source": "source", "plugin": "plugin"},
    }


def _author(line: str, text: str, link: str) -> dict[str, Any]:
    names = dict.fromkeys(("handle", "display_name"), line)
    links = dict.fromkeys(("native_id", "url", "avatar_url"), link)
    marks = {"bio": text, "followers": 1200, "verified": True, "is_bot": False}
    return {"key": _KEY, "network": "mastodon", **names, **links, **marks}


def _nth(words: tuple[str, ...], number: int) -> str:
    return words[number % len(words)]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    text = str(value)
    return f"{text[:_SHOWN]!r}{'...' * (len(text) > _SHOWN)}" if isinstance(value, str) else text


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_whole(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer()


def _is_time(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return not isinstance(value, str) or bool(datetime.fromisoformat(value))
    except ValueError:
        return False


_TAKES = {
    "number": (_is_number, "a number"),
    "integer": (_is_whole, "a whole number"),
    "boolean": (lambda value: isinstance(value, bool) or value in ("true", "false"), "true or false"),
    "datetime": (_is_time, "a time"),
    "date": (
        lambda value: isinstance(value, str) and _DATE.fullmatch(value) is not None,
        'a date without a time (template = "{{ signal.published_at[:10] }}")',
    ),
}
