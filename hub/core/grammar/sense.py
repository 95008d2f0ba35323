"""Can a condition ever hold? What kind of value each fact is, which words it may be, and where a condition asks for others.

A condition that compares a number with a text, or asks for a word that is never given, is no error of the language: it is false
for every signal, in silence. So it is refused when it is read.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import cel
import msgspec

from hub.core.grammar.condition import Condition, ConditionFault, Token, evaluate, read_paths
from hub.core.grammar.facts import LISTS, did_you_mean
from hub.core.languages import base_language
from hub.core.model import Author, Counts, Provenance, Rating, Signal

_STRUCTS: Mapping[str, type[msgspec.Struct]] = {
    "signal.counts": Counts,
    "signal.rating": Rating,
    "signal.provenance": Provenance,
    "signal": Signal,
    "author": Author,
}
_NUMBERS = frozenset({"score", "confidence", "signals", "signals_30d", "followers"})
_COMPARE = frozenset({"==", "!=", "<", ">", "<=", ">="})
_MOODS = ("positive", "neutral", "negative")
_SAMPLES: Mapping[str, Any] = {"number": 1, "text": "2026-01-01T00:00:00Z", "truth": True, "list": []}
_WRITTEN = {"number": "a number", "text": "a text", "truth": "true or false", "list": "a list"}


class Kind(NamedTuple):
    """What a fact is: "number", "text", "truth" or "list" ("" if it may be any), and the words that a text may be, if few."""

    name: str = ""
    words: tuple[str, ...] = ()


class Compared(NamedTuple):
    """A fact beside a constant: `path operator "words"`, the constant's kind and its text."""

    path: str
    operator: str
    kind: str
    text: str


def kind_of(path: str) -> Kind:
    """Return what kind of value the fact at a dotted path is."""
    if path in LISTS:
        return Kind("list")
    if path == "labels.sentiment.value":
        return Kind("text", _MOODS)
    root, _, name = path.rpartition(".")
    if struct := _STRUCTS.get(root):
        hints = {one.name: one.type for one in msgspec.structs.fields(struct)}
        return _of_type(hints.get(name))
    if name in _NUMBERS or name.startswith("sentiment_"):
        return Kind("number")
    return Kind("truth") if name == "uncertain" else Kind("text")


def _of_type(hint: Any) -> Kind:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    options = tuple(one for one in options if one is not type(None))
    if len(options) != 1:
        return Kind("number") if set(options) == {int, float} else Kind()
    (only,) = options
    if get_origin(only) is Literal:
        return Kind("text", get_args(only))
    if get_origin(only) is tuple:
        return Kind("list")
    return Kind({int: "number", float: "number", bool: "truth", str: "text", datetime: "text"}.get(only, ""))


def senseless(condition: Condition, tree: Mapping[str, Any]) -> list[ConditionFault]:
    """Return why a condition can never hold, or fails for every signal; empty if nothing speaks against it."""
    found = [fault for one in asked(condition.source, tree) if (fault := _unfit(one))]
    return list(dict.fromkeys(found)) or _fails(condition)


def strangers(source: str, tree: Mapping[str, Any], topics: Collection[str]) -> list[ConditionFault]:
    """Return the topics that a condition asks for and that are not defined."""
    return [
        ConditionFault(
            f'there is no topic "{one.text}"', did_you_mean(one.text, topics) if topics else "define it in the topics"
        )
        for one in asked(source, tree)
        if one.path == "topics" and one.kind == "text" and one.operator != "==" and one.text not in topics
    ]


def asked(source: str, tree: Mapping[str, Any]) -> Iterator[Compared]:
    """Yield each constant that stands beside a fact, in the order of the source."""
    tokens, paths = read_paths(source, tree)
    by_start = {start: (path, end) for (start, end), path in paths.items()}
    for index, token in enumerate(tokens):
        if token.start in by_start:
            path, end = by_start[token.start]
            yield from _after(path, tokens, next(i for i, one in enumerate(tokens) if one.end == end))
        if (constant := _constant(token)) and index + 2 < len(tokens):
            operator, after = _operator(tokens, index + 1)
            if operator and tokens[after].start in by_start:
                yield Compared(by_start[tokens[after].start][0], operator, *constant)


def _after(path: str, tokens: list[Token], index: int) -> Iterator[Compared]:
    """Yield what follows a fact: `== "x"`, `in ["x", "y"]`, `.exists(t, t == "x")`."""
    operator, after = _operator(tokens, index + 1)
    if operator and after < len(tokens):
        listed = tokens[after].text == "["
        for token in tokens[after + 1 :] if listed else tokens[after : after + 1]:
            if token.text == "]":
                return
            if constant := _constant(token):
                yield Compared(path, "in list" if listed else operator, *constant)
    elif [one.text for one in tokens[index + 1 : index + 4 : 2]] == [".", "("] and index + 8 < len(tokens):
        variable = tokens[index + 4].text
        for at in range(index + 6, len(tokens) - 2):
            operator, after = _operator(tokens, at + 1)
            if tokens[at].text == variable and operator == "==" and (constant := _constant(tokens[after])):
                yield Compared(path, "in", *constant)
            if tokens[at].text == ")":
                return


def _operator(tokens: list[Token], index: int) -> tuple[str, int]:
    """Return the comparison that begins at a token (the tokens are single marks), and the index after it; "" for none."""
    if index >= len(tokens):
        return "", index
    first = tokens[index]
    if first.text == "in":
        return "in", index + 1
    second = tokens[index + 1] if index + 1 < len(tokens) else None
    if second and second.start == first.end and first.text + second.text in _COMPARE:
        return first.text + second.text, index + 2
    return (first.text, index + 1) if first.text in _COMPARE else ("", index)


def _constant(token: Token) -> tuple[str, str] | None:
    if token.kind == "number":
        return "number", token.text
    if token.kind == "string":
        value = cel.compile(token.text).execute({})
        return ("text", value) if isinstance(value, str) else None
    return ("truth", token.text) if token.text in {"true", "false"} else None


def _unfit(one: Compared) -> ConditionFault | None:
    kind = kind_of(one.path)
    if kind.name == "list":
        told = f'write "{one.text}" in {one.path}' if one.kind == "text" else f"count it with size({one.path})"
        return ConditionFault(f"{one.path} is a list, never {one.text}", told) if one.operator in _COMPARE else None
    if one.operator == "in":  # `"x" in text`: the evaluator says what it thinks of that
        return None
    if kind.name and kind.name != one.kind:
        return ConditionFault(f"{one.path} is {_WRITTEN[kind.name]}, never {_shown(one)}", _way_out(kind))
    if kind.words and one.text not in kind.words:
        return ConditionFault(f'{one.path} is never "{one.text}"', did_you_mean(one.text, kind.words))
    if one.path in {"signal.lang", "labels.language.value"} and (short := base_language(one.text)) != one.text:
        return ConditionFault(
            f'{one.path} is never "{one.text}"', f'write "{short}"' if short else "write a code such as fr"
        )
    return None


def _shown(one: Compared) -> str:
    return f'"{one.text}"' if one.kind == "text" else one.text


def _way_out(kind: Kind) -> str:
    if kind.name == "number":
        return "write the number without quotes"
    return "write the text in quotes" if kind.name == "text" else f"compare it with {_WRITTEN[kind.name]}"


def _fails(condition: Condition) -> list[ConditionFault]:
    """Run it over values of the right kinds: an error of types would come for every signal."""
    facts = {name: _SAMPLES.get(kind_of(path).name) for path, name in condition.reads.items()}
    said = str(evaluate(condition.program, cel.Context(facts)))
    if any(word in said for word in ("No such overload", "Unsupported operation", "Undefined variable or function")):
        kinds = ", ".join(f"{path} is {_WRITTEN[name]}" for path in condition.reads if (name := kind_of(path).name))
        return [ConditionFault("it fails for every signal: its parts are of kinds that do not go together", kinds)]
    return []
