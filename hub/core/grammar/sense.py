"""Can a condition ever hold? What kind of value each fact is, which words it may be, and where a condition asks for others.

A condition that compares a number with a text, or asks for a word that is never given, is no error of the language: it is false
for every signal, in silence. So it is refused when it is read.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import cel
import msgspec

from hub.core.grammar import calendar
from hub.core.grammar.condition import Condition, ConditionFault, Token, evaluate, open_context, read_paths
from hub.core.grammar.facts import LANGUAGES, LISTS, did_you_mean
from hub.core.grammar.logic import Ask, Closed, Domain, closed
from hub.core.languages import KNOWN, base_language
from hub.core.model import Author, ConversationState, Counts, Provenance, Rating, Signal

_STRUCTS: Mapping[str, type[msgspec.Struct]] = {
    "signal.counts": Counts,
    "signal.rating": Rating,
    "signal.provenance": Provenance,
    "signal": Signal,
    "author": Author,
}
_NUMBERS = frozenset({"score", "confidence", "signals", "signals_30d", "followers", "stars"})
_BOUNDS = {"score": (-1.0, 1.0), "confidence": (0.0, 1.0), "stars": (1.0, 5.0)}
_PARTS = frozenset({"score", "confidence"})  # numbers with a fraction, beside those of a rating
_DATE = re.compile(r"\d{4}(-(0\d|1[0-2])(-([0-2]\d|3[01])([T ]|$)|$)|$)")
_TIMES = frozenset(
    {"signal.published_at", "signal.updated_at", "signal.observed_at", "person.last_at", "account.last_at"}
)
_NETWORKS = frozenset({"signal.network", "author.network", "person.last_network", "account.last_network"})
_RESULTS = {**calendar.BOUNDS, "size": (0.0, math.inf)}
_PART = re.compile(r"\A(?:size\(|timestamp\(.*\)\.(?P<part>get[A-Z]\w*)\()")
_COUNTED = frozenset({"signal.counts", "author"})  # their numbers are counts
_ORDER = frozenset({"<", ">", "<=", ">="})
_COMPARE = _ORDER | {"==", "!="}
_METHODS: Mapping[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
    "matches": lambda word, pattern: bool(cel.compile("w.matches(p)").execute({"w": word, "p": pattern})),
}
"""The questions about a part of a text, as each is asked of a word that it may be."""
_ASKED = {"startsWith": "starts with", "endsWith": "ends with", "contains": "contains", "matches": "matches"}
_MADE = frozenset({"timestamp", "duration"})
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("labels.sentiment.value", "person.sentiment_now", "account.sentiment_now"), ("positive", "neutral", "negative")
    ),
    "conversation.state": get_args(ConversationState),
}
_SAMPLES: Mapping[str, Any] = {"number": 1, "text": "2026-01-01T00:00:00Z", "truth": True, "list": []}
_WRITTEN = {"number": "a number", "text": "a text", "truth": "true or false", "list": "a list"}


class Kind(NamedTuple):
    """What a fact is: "number", "text", "truth" or "list" ("" if it may be any).

    `words` are those that a text may be, if few; `low` and `high` the bounds of a number.
    """

    name: str = ""
    words: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf


class Compared(NamedTuple):
    """A fact beside a constant: `path operator "words"`, the constant's kind and its text.

    The operator is a comparison, "in" (the constant in a list), "in list" (the fact in one), or a method such as "startsWith".
    """

    path: str
    operator: str
    kind: str
    text: str


def kind_of(path: str) -> Kind:
    """Return what kind of value the fact at a dotted path is."""
    if path in LISTS:
        return Kind("list")
    if path in _WORDS:
        return Kind("text", _WORDS[path])
    root, _, name = path.rpartition(".")
    if (struct := _STRUCTS.get(root)) and name != "stars":  # of a rating, reckoned
        hints = {one.name: one.type for one in msgspec.structs.fields(struct)}
        found = _of_type(hints.get(name))
        return found._replace(low=0) if found.name == "number" and root in _COUNTED else found
    if name in _NUMBERS or name.startswith("sentiment_"):
        return Kind("number", (), *_BOUNDS.get("score" if name.startswith("sentiment_") else name, (0, math.inf)))
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
    tokens = read_paths(condition.source, tree)[0]
    found += [*_results_beyond(tokens), *_unmade(tokens)]
    return list(dict.fromkeys(found)) or _fails(condition) or contradictions([condition.source], tree)


def contradictions(sources: Sequence[str], tree: Mapping[str, Any]) -> list[ConditionFault]:
    """Return what conditions which must all hold ask of one fact and it can never be at once, as `x > 10 && x < 5` does."""
    return [_excluded(one) for one in closed(sources, tree, _domain)]


def _excluded(one: Closed) -> ConditionFault:
    clauses = list(dict.fromkeys(_asking(ask) for ask in one.asks))
    if not one.asks[0].kind:
        return ConditionFault(f"{one.thing} cannot hold and not hold at once", "split it into two rules")
    if len(clauses) == 1:
        return ConditionFault(f"{one.thing} is never {clauses[0]}", "no signal matches this: ask for what can be")
    return ConditionFault(f"{one.thing} cannot be {' and '.join(clauses)} at once", "split it into two rules")


def _asking(ask: Ask) -> str:
    named = ask.value if isinstance(ask.value, tuple) else (ask.value,)
    shown = " and ".join(f"{one:g}" if isinstance(one, float) else json.dumps(one, ensure_ascii=False) for one in named)
    return shown if ask.operator in {"==", "in", "is"} else f"{ask.operator} {shown}"


def _domain(thing: str) -> Domain:
    """Return what a fact, its size or a part of its time can be."""
    if found := _PART.search(thing):
        return Domain("number", (), *_RESULTS.get(found["part"] or "size", (-math.inf, math.inf)), whole=True)
    kind = kind_of(thing)
    return Domain(kind.name, kind.words, kind.low, kind.high, whole=kind.name == "number" and not _is_parted(thing))


def _number(text: str) -> float:
    """Return the value of a number as conditions write it: 12, -0.5, 0x1f, 7u."""
    plain = text.rstrip("uU")
    return float(int(plain, 16) if "x" in plain else plain)


def _clause(one: Compared) -> str:
    if one.operator in {"==", "in list"}:
        return _shown(one)
    return f"{one.operator} {_shown(one)}"


def strangers(source: str, tree: Mapping[str, Any], topics: Collection[str]) -> list[ConditionFault]:
    """Return the topics that a condition asks for and that are not defined."""
    return [
        ConditionFault(
            f'there is no topic "{one.text}"', did_you_mean(one.text, topics) if topics else "define it in the topics"
        )
        for one in asked(source, tree)
        if one.path == "topics" and one.kind == "text" and one.operator != "==" and not _is_among(one, topics)
    ]


def _is_among(one: Compared, words: Collection[str]) -> bool:
    asks = _METHODS.get(one.operator)
    return any(asks(word, one.text) for word in words) if asks else one.text in words


def asked(source: str, tree: Mapping[str, Any]) -> Iterator[Compared]:
    """Yield each constant that stands beside a fact, in the order of the source."""
    tokens, paths = read_paths(source, tree)
    by_start = {start: (path, end) for (start, end), path in paths.items()}
    for index, token in enumerate(tokens):
        if _is_part(tokens, index):
            continue
        if token.start in by_start:
            path, end = by_start[token.start]
            yield from _after(path, tokens, next(i for i, one in enumerate(tokens) if one.end == end))
        if (constant := _constant(token)) and index + 2 < len(tokens):
            operator, after = _operator(tokens, index + 1)
            if operator and tokens[after].start in by_start:
                yield Compared(by_start[tokens[after].start][0], _TURNED.get(operator, operator), *constant)


def _after(path: str, tokens: list[Token], index: int) -> Iterator[Compared]:
    """Yield what follows a fact: `== "x"`, `in ["x", "y"]`, `.exists(t, t == "x")`."""
    following = tokens[index + 1 : index + 4]
    if path in LISTS and [one.kind for one in following] == ["mark", "number", "mark"] and following[0].text == "[":
        # a member by its place: what is asked of it is asked of the list's members
        found = [one for one in _after(path, tokens, index + 3) if one.operator in {"==", "in list", *_METHODS}]
        yield from (one if one.operator in _METHODS else one._replace(operator="in") for one in found)
        return
    operator, after = _operator(tokens, index + 1)
    if operator and after < len(tokens) and tokens[after].text == "[":
        yield from _listed(path, tokens[after + 1 :])
    elif operator and after < len(tokens):
        if constant := _signed(tokens, after):
            yield Compared(path, operator, *constant)
    elif one := _part_asked(tokens, index):
        yield Compared(path, *one)
    elif [one.text for one in tokens[index + 1 : index + 4 : 2]] == [".", "("] and index + 8 < len(tokens):
        yield from _members(path, tokens, index)


def _signed(tokens: list[Token], at: int) -> tuple[str, str] | None:
    """Return the constant that begins at a token, with its sign, if it is compared by itself."""
    sign = "-" if tokens[at].text == "-" and at + 1 < len(tokens) else ""
    at += len(sign)
    constant = _constant(tokens[at])
    return None if not constant or _is_part(tokens, at, before=False) else (constant[0], sign + constant[1])


def _part_asked(tokens: list[Token], index: int) -> tuple[str, str, str] | None:
    """Return the method, kind and text of `.startsWith("x")` and its like after a token."""
    following = tokens[index + 1 : index + 6]
    if [one.text for one in following[:1] + following[2:3] + following[4:5]] != [".", "(", ")"]:
        return None
    constant = _constant(following[3])
    return (following[1].text, *constant) if constant and following[1].text in _METHODS else None


def _listed(path: str, tokens: list[Token]) -> Iterator[Compared]:
    if tokens and tokens[0].text == "]":
        yield Compared(path, "in list", "", "")
    for token in tokens:
        if token.text == "]":
            return
        if constant := _constant(token):
            yield Compared(path, "in list", *constant)


def _members(path: str, tokens: list[Token], index: int) -> Iterator[Compared]:
    """Yield what a macro over a list asks of its members; `index` is the list's last token."""
    variable = tokens[index + 4].text
    for at in range(index + 6, len(tokens) - 2):
        operator, after = _operator(tokens, at + 1)
        if tokens[at].text == variable and operator == "==" and (constant := _constant(tokens[after])):
            yield Compared(path, "in", *constant)
        elif tokens[at].text == variable and operator == "in" and tokens[after].text == "[":
            yield from (one._replace(operator="in") for one in _listed(path, tokens[after + 1 :]))
        elif tokens[at].text == variable and (one := _part_asked(tokens, at)):
            yield Compared(path, *one)
        if tokens[at].text == ")":
            return


def _is_part(tokens: list[Token], index: int, *, before: bool = True) -> bool:
    """Return True if a sum or a product goes on before (or after) a token: then it is not compared by itself."""
    beside = index - 1 if before else index + 1
    return 0 <= beside < len(tokens) and tokens[beside].text in {"+", "-", "*", "/", "%"}


def _is_sign(tokens: list[Token], index: int) -> bool:
    """Return True if the token is the minus of a number that follows a comparison."""
    return tokens[index].text == "-" and index > 0 and tokens[index - 1].text in {"<", ">", "=", "[", ","}


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
        return _unlisted(one)
    if not one.kind:
        return ConditionFault(f"{one.path} is in no empty list", "write what it may be between [ and ]")
    if one.operator == "in":  # `"x" in text`: the evaluator says what it thinks of that
        return None
    if kind.name and kind.name != one.kind:
        return ConditionFault(f"{one.path} is {_WRITTEN[kind.name]}, never {_shown(one)}", _way_out(kind))
    return _beyond(one, kind) if kind.name == "number" else _unsaid(one, kind)


def _unsaid(one: Compared, kind: Kind) -> ConditionFault | None:
    if one.kind != "text":
        return None
    return _never_has(one, kind) if one.operator in _METHODS else _never_said(one, kind)


def _unlisted(one: Compared) -> ConditionFault | None:
    if one.operator in _COMPARE:
        told = f'write "{one.text}" in {one.path}' if one.kind == "text" else f"count it with size({one.path})"
        return ConditionFault(f"{one.path} is a list, never {one.text}", told)
    if one.path in {"signal.mentions", "author.handle_history"}:
        return _unnamed(one)
    if one.path != "signal.hashtags" or one.kind != "text" or one.operator in {"contains", "endsWith", "matches"}:
        return None
    kept = one.text.lower().lstrip("#＃ ")
    if kept != one.text:
        return ConditionFault("hashtags are kept without # and in lower case", f'write "{kept}" in signal.hashtags')
    if one.operator == "in" and re.search(r"\s", one.text):
        return ConditionFault("a hashtag has no space", f'write "{"".join(one.text.split())}" in signal.hashtags')
    return None


def _unnamed(one: Compared) -> ConditionFault | None:
    """Refuse a handle with its @, and one where keys stand."""
    if one.kind != "text" or one.operator not in {"in", "startsWith"}:
        return None
    if one.path == "signal.mentions" and one.operator == "in" and ":" not in one.text:
        hint = 'a condition for posts that mention the brand: signal.kind == "mention"'
        return ConditionFault(f'mentions are keys of authors, never "{one.text}"', hint)
    if one.path == "author.handle_history" and one.text.startswith("@"):
        return ConditionFault(f'handles are kept without @, never "{one.text}"', f'write "{one.text.lstrip("@")}"')
    return None


def _beyond(one: Compared, kind: Kind) -> ConditionFault | None:
    if one.operator == "!=" or not _is_beyond(one, kind):
        return None
    bounds = f"from {kind.low:g} to {kind.high:g}" if kind.high < math.inf else f"{kind.low:g} or more"
    return ConditionFault(f"{one.path} is {bounds}, never {_clause(one)}", "compare it with a number in between")


def _results_beyond(tokens: list[Token]) -> Iterator[ConditionFault]:
    """Yield the sizes and the parts of times that are compared with a number that they never are."""
    if any(_is_part(tokens, index) and not _is_sign(tokens, index - 1) for index in range(len(tokens))):
        return  # a sum is compared, not the part
    for index, token in enumerate(tokens[:-2]):
        bounds = _RESULTS.get(token.text)
        if bounds is None or tokens[index + 1].text != "(":
            continue
        for one in _after(f"{token.text}()", tokens, _closing(tokens, index + 1)):
            if one.operator in _COMPARE | {"in list"} and one.kind == "text":
                yield ConditionFault(f"{one.path} is a number, never {_shown(one)}", _way_out(Kind("number")))
            elif one.kind == "number" and (fault := _beyond(one, Kind("number", (), *bounds))):
                yield fault


def _unmade(tokens: list[Token]) -> Iterator[ConditionFault]:
    """Yield the constant times and durations that are none: each is an error for every signal."""
    for index, token in enumerate(tokens[:-3]):
        if token.text not in _MADE or tokens[index + 1].text != "(" or tokens[index + 3].text != ")":
            continue
        try:
            cel.compile(f"{token.text}({tokens[index + 2].text})").execute({})
        except (ValueError, RuntimeError):
            example = "2026-01-31T09:00:00Z" if token.text == "timestamp" else "36h"
            if tokens[index + 2].kind == "string":
                yield ConditionFault(
                    f"{tokens[index + 2].text} is no {token.text}", f'such as {token.text}("{example}")'
                )


def _closing(tokens: list[Token], index: int) -> int:
    """Return the index of the bracket that closes the one at `index`; the last token's if none does."""
    depth = 0
    for at in range(index, len(tokens)):
        depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if not depth:
            return at
    return len(tokens) - 1


def _never_said(one: Compared, kind: Kind) -> ConditionFault | None:
    """Refuse a text that the fact never is: another word, a language or a network as the hub does not write it."""
    if kind.words and one.text not in kind.words:
        return ConditionFault(f'{one.path} is never "{one.text}"', did_you_mean(one.text, kind.words))
    if one.path in _TIMES and one.operator != "!=" and not _DATE.match(one.text):
        return ConditionFault(f'{one.path} is never "{one.text}"', 'a time is such as "2026-01-31T09:00:00Z"')
    plain: str | None = one.text
    if one.path in _NETWORKS:
        plain = one.text.lower().strip()
    elif one.path in LANGUAGES:
        plain = base_language(one.text)
    elif one.path == "author.handle":
        plain = one.text.lstrip("@ ")
    if plain == one.text:
        return None
    return ConditionFault(
        f'{one.path} is never "{one.text}"', f'write "{plain}"' if plain else "write a code such as fr"
    )


def _never_has(one: Compared, kind: Kind) -> ConditionFault | None:
    """Refuse a part that no word has which the fact may be: `signal.lang.startsWith("fr-")`."""
    words = kind.words or (sorted(KNOWN) if one.path in LANGUAGES else ())
    if words and not any(_METHODS[one.operator](word, one.text) for word in words):
        told = f'no value of {one.path} {_ASKED[one.operator]} "{one.text}"'
        plain = base_language(one.text.strip("^$.*-_ ")) if one.path in LANGUAGES else None
        return ConditionFault(told, _instead(one.path, plain, words))
    if one.path == "author.handle" and one.text.startswith(
        {"startsWith": "@", "matches": "^@"}.get(one.operator, "\n")
    ):
        told = f'no value of {one.path} {_ASKED[one.operator]} "{one.text}"'
        return ConditionFault(told, "handles are kept without @: leave it out")
    if one.path in _NETWORKS and one.operator != "matches" and one.text != one.text.lower():
        return ConditionFault(
            f'no value of {one.path} {_ASKED[one.operator]} "{one.text}"', f'write "{one.text.lower()}"'
        )
    return None


def _instead(path: str, plain: str | None, words: Sequence[str]) -> str:
    if path in LANGUAGES:
        return f'a language is two letters: write {path} == "{plain or "fr"}"'
    return f"known: {', '.join(sorted(words))}"


def _is_beyond(one: Compared, kind: Kind) -> bool:
    value = _number(one.text)
    outside = {"<": value <= kind.low, ">": value >= kind.high, "<=": value < kind.low, ">=": value > kind.high}
    return outside.get(one.operator, not kind.low <= value <= kind.high)


def _shown(one: Compared) -> str:
    return f'"{one.text}"' if one.kind == "text" else one.text


def _way_out(kind: Kind) -> str:
    if kind.name == "number":
        return "write the number without quotes"
    return "write the text in quotes" if kind.name == "text" else f"compare it with {_WRITTEN[kind.name]}"


_EXAMPLES = {"timestamp": 'timestamp("2026-01-31T09:00:00Z")', "duration": 'duration("36h")', "int": 'int("5")'}
"""What the evaluator reads."""


def _sample(path: str) -> Any:
    """Return a value of the kind of a fact; the evaluator tells whole numbers from others."""
    kind = kind_of(path)
    return 0.5 if kind.name == "number" and _is_parted(path) else _SAMPLES.get(kind.name)


def _is_parted(path: str) -> bool:
    """Return True if a number may have a fraction."""
    root, _, name = path.rpartition(".")
    return name in _PARTS or root == "signal.rating" or "sentiment_" in name


def _fails(condition: Condition) -> list[ConditionFault]:
    """Run it over values of the right kinds: an error of types would come for every signal."""
    facts = {name: _sample(path) for path, name in condition.reads.items()}
    verdict = evaluate(condition.program, open_context(facts))
    if verdict is False and not condition.reads and condition.source.strip() != "false":  # that is meant
        return [ConditionFault("it is false for every signal", "take the rule out, or write enabled = false")]
    if re.search(r"[/%]\s*0+(?![\w.])", condition.source):
        return [ConditionFault("it divides by zero for every signal")]
    said = str(verdict)
    for name, example in _EXAMPLES.items():
        if f"Function '{name}' error" in said and re.search(rf"\b{name}\(\s*[\"']", condition.source):
            return [ConditionFault(f"it fails for every signal: {name}() cannot read its text", f"write {example}")]
    if any(word in said for word in ("No such overload", "Unsupported operation", "Undefined variable or function")):
        kinds = ", ".join(f"{path} is {_WRITTEN[name]}" for path in condition.reads if (name := kind_of(path).name))
        return [ConditionFault("it fails for every signal: its parts are of kinds that do not go together", kinds)]
    return []
