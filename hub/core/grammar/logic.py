"""Can conditions that must all hold ever hold together? What each asks of a fact, by `&&`, `||` and `!`, and what excludes it.

Each way in which the conditions can hold is written out as what it asks (`Ask`) of single things: a fact, its size, a part of
a time. A way is closed if no value of one thing is all that is asked of it; what is not understood is taken to be possible.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import cel

from hub.core.grammar.condition import Token, read_paths
from hub.core.grammar.fold import plain

_MOST = 256  # ways that are looked at: of more, one will be open
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not in", "holds": "holds not"}
_OTHER = "\x00another"  # stands for each text that is not named


class Ask(NamedTuple):
    """What a condition asks of a thing: `thing operator value`; of what is not understood, that it holds or holds not.

    `kind` is that of the value: "number", "text", "truth", "null", "list", or "" if the thing is a whole piece of source. A fact
    that stands alone "is" true, or with a ! before it false.
    """

    thing: str
    operator: str
    kind: str
    value: Any


class Domain(NamedTuple):
    """What a thing can be: its kind, the words of a text (none: any), bounds of a number, True if it has no fraction."""

    kind: str
    words: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False


Way = tuple[Ask, ...]
Ways = list[Way]


class Closed(NamedTuple):
    """A thing of which too much is asked at once, and what that is."""

    thing: str
    asks: tuple[Ask, ...]


def closed(sources: Sequence[str], tree: Mapping[str, Any], domain: Callable[[str], Domain]) -> list[Closed]:
    """Return what excludes each other in conditions that must all hold; empty if one way is open, or if there are too many."""
    ways: Ways = [()]
    for source in sources:
        ways = _both(ways, _Reader(source, tree).ways)
    if not ways or len(ways) > _MOST:
        return []
    found = [_shut(way, domain) for way in ways]
    return list(dict.fromkeys(one for one in found if one)) if all(found) else []


def _both(left: Ways, right: Ways) -> Ways:
    if len(left) * len(right) > _MOST:
        return [()]  # as if nothing were asked
    return [(*one, *other) for one, other in product(left, right)]


def _shut(way: Way, domain: Callable[[str], Domain]) -> Closed | None:
    """Return the first thing that cannot be all that a way asks of it."""
    asked: dict[str, list[Ask]] = {}
    for one in dict.fromkeys(way):
        asked.setdefault(one.thing, []).append(one)
    for thing, asks in asked.items():
        if not _can_be(asks, domain(thing)):
            return Closed(thing, tuple(asks))
    return None


def _can_be(asks: list[Ask], domain: Domain) -> bool:
    pieces = {one.operator for one in asks if not one.kind}
    if pieces:
        return pieces != {"holds", "holds not"}
    return any(all(_is(value, one) for one in asks) for value in _values(asks, domain))


def _is(value: Any, ask: Ask) -> bool:
    """Return True if a condition finds that a value is what is asked; over a null, an order or a truth is neither so nor not."""
    if ask.operator == "is":
        return value is ask.value
    if ask.operator in {"==", "!=", "in", "not in"}:
        named = ask.value if ask.operator in {"in", "not in"} else (ask.value,)
        found = any(type(one) is type(value) and one == value for one in named)
        return found is (ask.operator in {"==", "in"})
    if value is None or isinstance(value, str) is not isinstance(ask.value, str):
        return False
    return _ORDER[ask.operator](value, ask.value)


def _values(asks: list[Ask], domain: Domain) -> Iterator[Any]:
    """Yield a value of each class that the asks tell apart."""
    named = [one for ask in asks for one in (ask.value if isinstance(ask.value, tuple) else (ask.value,))]
    yield from (None, True, False) if domain.kind in {"truth", ""} else (None,)
    if domain.kind == "truth":
        return
    if domain.kind == "number":
        yield from _numbers([one for one in named if isinstance(one, float)], domain)
    elif domain.words:
        yield from domain.words
    else:
        texts = [one for one in named if isinstance(one, str)]
        yield from (_OTHER, "", *texts, *(f"{one}\x00" for one in texts), "\U0010ffff")
        yield from _numbers([one for one in named if isinstance(one, float)], domain)


def _numbers(named: list[float], domain: Domain) -> Iterator[float]:
    """Yield the numbers, those between them and those beyond, as far as the thing can be them."""
    known = sorted({*named, *(one for one in (domain.low, domain.high) if math.isfinite(one)), 0.0})
    made = {
        known[0] - 1,
        known[-1] + 1,
        2 * known[-1] + 1,
        *known,
        *((one + other) / 2 for one, other in pairwise(known)),
    }
    if domain.whole:
        made = {float(round_(one)) for one in made for round_ in (math.floor, math.ceil)}
        made |= {one + step for one in made for step in (-1, 1)}
    yield from (one for one in made if domain.low <= one <= domain.high)


class _Reader:
    """One walk over a condition: `ways` are those in which it can be true."""

    def __init__(self, source: str, tree: Mapping[str, Any]) -> None:
        self.source = source
        tokens, paths = read_paths(source, tree)
        self.tokens = _joined(tokens)
        self.paths = {start: (path, end) for (start, end), path in paths.items()}
        self.depths, self.ends = _nesting(self.tokens)
        self.ways = self._any(0, len(self.tokens), is_so=True)

    def _any(self, start: int, end: int, *, is_so: bool) -> Ways:
        """Read a stretch of tokens: alternatives, of which one is so, or none."""
        if self._has(start, end, "?"):
            return self._piece(start, end, is_so=is_so)
        return self._linked("||", start, end, is_so=is_so)

    def _linked(self, mark: str, start: int, end: int, *, is_so: bool) -> Ways:
        parts = self._split(start, end, mark)
        if len(parts) == 1 and mark == "||":
            return self._linked("&&", start, end, is_so=is_so)
        if len(parts) == 1:
            return self._one(start, end, is_so=is_so)
        inner = [self._any(*part, is_so=is_so) for part in parts]
        if (mark == "||") is is_so:
            return [way for ways in inner for way in ways]
        found: Ways = [()]
        for ways in inner:
            found = _both(found, ways)
        return found

    def _one(self, start: int, end: int, *, is_so: bool) -> Ways:
        if start < end and self.tokens[start].text == "!":
            return self._one(start + 1, end, is_so=not is_so)
        if start < end and self.tokens[start].text == "(" and self._closing(start) == end - 1:
            return self._any(start + 1, end - 1, is_so=is_so)
        text = self.source[self.tokens[start].start : self.tokens[end - 1].end] if start < end else ""
        if text in {"true", "false"}:
            return [()] if (text == "true") is is_so else []
        ask = self._ask(start, end)
        if ask is None:
            return self._piece(start, end, is_so=is_so)
        return [(ask if is_so else _turned(ask),)]

    def _piece(self, start: int, end: int, *, is_so: bool) -> Ways:
        text = " ".join(token.text for token in self.tokens[start:end])
        found = [Ask(text, "holds" if is_so else "holds not", "", None)]
        if is_so and end - start > 2 and self.tokens[start + 1].text == "in" and (held := self._fact(start + 2, end)):
            found.append(Ask(f"size({held})", ">=", "number", 1.0))
        return [tuple(found)]

    def _ask(self, start: int, end: int) -> Ask | None:
        """Return what a comparison asks, None if it is none of a thing with a constant."""
        marks = [
            at for at in range(start, end) if self._depth(start, at) == 0 and self.tokens[at].text in {*_TURNED, "in"}
        ]
        if not marks:
            thing = self._fact(start, end)
            return Ask(thing, "is", "truth", True) if thing else None
        if len(marks) > 1:
            return None
        mark, at = self.tokens[marks[0]].text, marks[0]
        if mark == "in":
            thing, listed = self._thing(start, at), self._list(at + 1, end)
            return Ask(thing, "in", "list", listed) if thing and listed is not None else None
        for (first, last), (other, behind), turned in (
            ((start, at), (at + 1, end), mark),
            ((at + 1, end), (start, at), _TURNED[mark]),
        ):
            thing, constant = self._thing(first, last), self._constant(other, behind)
            if thing and constant:
                return Ask(thing, turned, *constant)
        return None

    def _fact(self, start: int, end: int) -> str:
        """Return the path that a stretch of tokens is, and nothing beside it."""
        path, last = self.paths.get(self.tokens[start].start, ("", -1)) if start < end else ("", -1)
        return path if last == self.tokens[end - 1].end else ""

    def _thing(self, start: int, end: int) -> str:
        """Return the name of a fact, of its size, or of a part of a time of it."""
        if fact := self._fact(start, end):
            return fact
        texts = [token.text for token in self.tokens[start:end]]
        if texts[:2] == ["size", "("] and texts[-1] == ")" and (fact := self._fact(start + 2, end - 1)):
            return f"size({fact})"
        if texts[-4:] == [".", "size", "(", ")"] and (fact := self._fact(start, end - 4)):
            return f"size({fact})"
        if texts[:2] == ["timestamp", "("] and self._fact(start + 2, self._closing(start + 1)):
            after = texts[self._closing(start + 1) + 1 - start :]
            if len(after) in {4, 5} and after[:1] == ["."] and after[1].startswith("get") and after[-1] == ")":
                return "".join(texts)
        return ""

    def _list(self, start: int, end: int) -> tuple[Any, ...] | None:
        """Return the constants between [ and ], None if there is anything else."""
        if end - start < 3 or self.tokens[start].text != "[" or self._closing(start) != end - 1:
            return None
        found = [self._constant(*part) for part in self._split(start + 1, end - 1, ",")]
        return None if None in found else tuple(one[1] for one in found if one)

    def _constant(self, start: int, end: int) -> tuple[str, Any] | None:
        """Return kind and value of a constant; numbers are floats, texts as conditions compare them."""
        tokens = self.tokens[start:end]
        sign = -1 if len(tokens) == 2 and tokens[0].text == "-" else 1
        if len(tokens) != 1 and sign == 1:
            return None
        last = tokens[-1]
        if last.kind == "number":
            return "number", sign * float(cel.compile(last.text).execute({}))
        if sign == 1 and last.kind == "string" and isinstance(text := cel.compile(last.text).execute({}), str):
            return "text", plain(text)
        words = {"true": ("truth", True), "false": ("truth", False), "null": ("null", None)}
        return words.get(last.text) if sign == 1 else None

    def _split(self, start: int, end: int, mark: str) -> list[tuple[int, int]]:
        cuts = [at for at in range(start, end) if self.tokens[at].text == mark and self._depth(start, at) == 0]
        return list(zip([start, *(at + 1 for at in cuts)], [*cuts, end], strict=True))

    def _has(self, start: int, end: int, mark: str) -> bool:
        return len(self._split(start, end, mark)) > 1

    def _depth(self, start: int, at: int) -> int:
        return self.depths[at] - self.depths[start]

    def _closing(self, start: int) -> int:
        """Return the index of the bracket that closes the one at `start`."""
        return self.ends.get(start, -1)


def _turned(ask: Ask) -> Ask:
    """Return what is asked if the ask is not so; a fact that is not so by itself is false, for a null is neither."""
    if ask.operator == "is":
        return ask._replace(value=not ask.value)
    return ask._replace(operator=_OPPOSITE[ask.operator])


def _joined(tokens: list[Token]) -> list[Token]:
    """Return tokens with the marks of two signs in one: && || == != <= >=."""
    made: list[Token] = []
    for token in tokens:
        last = made[-1] if made else None
        if (
            last
            and last.kind == "mark"
            and last.end == token.start
            and last.text + token.text in {"&&", "||", *_TURNED}
        ):
            made[-1] = Token("mark", last.text + token.text, last.start, token.end)
        else:
            made.append(token)
    return made


def _nesting(tokens: Sequence[Token]) -> tuple[list[int], dict[int, int]]:
    """Return how deep in brackets each token stands, and where each bracket that opens is closed."""
    depths, ends, opened = [0], dict[int, int](), list[int]()
    for at, token in enumerate(tokens):
        if token.text in {"(", "[", "{"}:
            opened.append(at)
        elif token.text in {")", "]", "}"} and opened:
            ends[opened.pop()] = at
        depths.append(len(opened))
    return depths, ends
