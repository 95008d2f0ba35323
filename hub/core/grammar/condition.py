"""One condition in CEL: read, checked against the facts that exist, compiled so that it is cheap and cannot hang.

The evaluator takes no limits (three nested macros hold the process for seconds, deep nesting crashes it), so what could is
refused before it sees it. Dotted paths become flat variables (`_f0`): only what is read is converted, once a signal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import cel

from hub.core.grammar import calendar
from hub.core.grammar.facts import LISTS, did_you_mean, leaf_hint, missing_name
from hub.core.grammar.fold import DASHES, plain

MAX_LENGTH = 4_000
MAX_NESTING = 50
FUNCTIONS = frozenset({"size", "int", "uint", "double", "string", "timestamp", "duration"})
MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
METHODS = frozenset({"contains", "startsWith", "endsWith", "matches", "size"}) | calendar.METHODS
_WORDS = frozenset({"true", "false", "null", "in"})
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>(?:[bB]?[rR]|[rR][bB])(?:'{3}.*?'{3}|"{3}.*?"{3}|'[^'\n]*'|"[^"\n]*")
      |[bB]?(?:'{3}(?:\\.|[^\\])*?'{3}|"{3}(?:\\.|[^\\])*?"{3}|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"))
    |(?P<number>(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)[uU]?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_OTHER_LANGUAGES = {"and": "&&", "or": "||", "not": "!", "none": "null", "is": "=="}
_OTHER_MARKS = {"===": "==", "!==": "!=", "<>": "!=", "=>": ">=", "=<": "<=", "&": "&&", "|": "||"}
_EXAMPLE = "an example: labels.sentiment.score < -0.5 && author.followers > 1000"
_AS_WORDS = ("contains", "matches", "startsWith", "endsWith", "startswith", "endswith", "like")
_DASH = re.compile(f"[{DASHES}]")
_ZONED = re.compile(r"\.get[A-Z]\w*\(\s*[^)\s]")
_CEL_ERROR = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


class ConditionFault(NamedTuple):
    """What is wrong with a condition, and the way out."""

    message: str
    hint: str = ""


class Token(NamedTuple):
    """A piece of source: its kind (string, number, name, mark), text and place."""

    kind: str
    text: str
    start: int
    end: int


class Condition(NamedTuple):
    """A compiled condition; `reads` maps the dotted paths that it reads to their variables."""

    source: str
    reads: Mapping[str, str]
    program: Any


def compile_condition(
    source: str, tree: Mapping[str, Any], variables: dict[str, str]
) -> Condition | list[ConditionFault]:
    """Compile `source` against the tree of facts; new paths get a variable in `variables` (shared by many conditions)."""
    tokens = _tokens(source)
    # in this order: the parser must not see what could crash it
    fault = _too_big(source, tokens) or _syntax_fault(source)
    if fault:
        return [fault]
    reading = _Reading(tokens, tree)
    if reading.faults:
        return reading.faults
    # flat variables: nested dicts cost the evaluator five times as much to take over
    for path in reading.paths.values():
        variables.setdefault(path, f"_f{len(variables)}")
    condition = Condition(
        source,
        {path: variables[path] for path in reading.paths.values()},
        cel.compile(_plain_constants(_flatten(source, reading.paths, variables))),
    )
    fault = _no_verdict(condition)
    return [fault] if fault else condition


def read_paths(source: str, tree: Mapping[str, Any]) -> tuple[list[Token], Mapping[tuple[int, int], str]]:
    """Return the tokens of a condition, and the dotted paths that it reads by their places."""
    tokens = _tokens(source)
    return tokens, _Reading(tokens, tree).paths


def has_zone(source: str) -> bool:
    """Return True if a condition asks for a part of a time in a zone."""
    return bool(_ZONED.search(source))


def open_context(values: dict[str, Any], *, zones: bool = True) -> Any:
    """Return what a program runs over; `zones` lets it ask for times in a zone, which costs a little."""
    return cel.Context(values, dict(calendar.FUNCTIONS)) if zones else cel.Context(values)


def evaluate(program: Any, context: Any) -> bool | Exception:
    """Run a program: its verdict, or the exception that says why there is none."""
    try:
        outcome = program.execute(context)
    except Exception as error:  # noqa: BLE001 - the evaluator raises whatever fits; each is a verdict, none may escape
        return error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what a panic of the evaluator looks like from here
            raise
        return RuntimeError(f"the evaluator failed: {error}")
    if outcome is True or outcome is False:
        return bool(outcome)
    return TypeError(f"gives {_kind(outcome)}, not true or false")


def _kind(value: Any) -> str:
    return "null" if value is None else f"a value of type {type(value).__name__}"


def _tokens(source: str) -> list[Token]:
    return [
        Token(found.lastgroup or "", found[0], found.start(), found.end())
        for found in _TOKEN.finditer(source)
        if found.lastgroup != "space"
    ]


def _too_big(source: str, tokens: list[Token]) -> ConditionFault | None:
    if len(source) > MAX_LENGTH:
        return ConditionFault(f"longer than {MAX_LENGTH} characters", "split it: all conditions of `when` must hold")
    depth = deepest = 0
    for token in tokens:
        depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
        deepest = max(deepest, depth)
    return ConditionFault(f"more than {MAX_NESTING} brackets in each other") if deepest > MAX_NESTING else None


def _syntax_fault(source: str) -> ConditionFault | None:
    try:
        cel.compile(source)
    except ValueError as error:
        found = _CEL_ERROR.search(str(error))
        if not found:
            return ConditionFault(str(error).splitlines()[0][:200])
        line, column, said = found.groups()
        where = f"column {column}" if line == "1" else f"line {line}, column {column}"
        return ConditionFault(*_plainly(source, where, said.split(" expecting ")[0]))
    return None


def _plainly(source: str, where: str, said: str) -> tuple[str, str]:
    """Return the parser's words as a person would say it, and the way out."""
    told, hint = _borrowed(source) or _mistyped(source, said) or (said, _EXAMPLE)
    return f"{where}: {told}", hint


def _borrowed(source: str) -> tuple[str, str] | None:
    """Return what is written as other languages write it."""
    words = {token.text.lower() for token in _tokens(source) if token.kind == "name"}
    if foreign := next((word for word in _OTHER_LANGUAGES if word in words), None):
        return f"{foreign} is no word of conditions", f"write {_OTHER_LANGUAGES[foreign]} instead of {foreign}"
    if mark := _other_mark(source):
        return f"{mark} is no mark of conditions", f"write {_OTHER_MARKS[mark]} instead of {mark}"
    if word := next((word for word in _AS_WORDS if re.search(rf"\w\s+{word}\s", source)), None):
        return f"{word} stands after a dot", _dotted(word)
    return None


def _mistyped(source: str, said: str) -> tuple[str, str] | None:
    """Return what is missing or too much: a second =, an end, a quote."""
    marks = [token.text for token in _tokens(source) if token.kind == "mark"]
    if "'= '" in said or "at: '='" in said:
        return "a single = compares nothing", "write == to compare"
    if re.search("[`\u2018\u2019\u201c\u201d\u00ab\u00bb]", source):
        return "this is no quote of conditions", "write straight quotes: \" or '"
    if not {'"', "'"}.isdisjoint(marks):
        return "a quote is opened and not closed", "close it before the condition ends"
    if "<EOF>" in said:
        unclosed = [mark for mark, end in ("()", "[]", "{}") if marks.count(mark) > marks.count(end)]
        return "the condition ends too early", f"close each {' and '.join(unclosed)}" if unclosed else _EXAMPLE
    return None


def _other_mark(source: str) -> str | None:
    """Return the first comparison or link that is written as other languages write it."""
    marks, run, end = [token for token in _tokens(source) if token.kind == "mark" and token.text in "=!<>&|"], "", -1
    for token in [*marks, Token("mark", "", -2, -2)]:
        if token.start == end:
            run += token.text
        elif run in _OTHER_MARKS:
            return run
        else:
            run = token.text
        end = token.end
    return None


def _dotted(word: str) -> str:
    if word == "like":
        return 'write signal.text.contains("...")'
    method = {"startswith": "startsWith", "endswith": "endsWith"}.get(word, word)
    return f'write signal.text.{method}("..."); for a list: "..." in topics'


def _flatten(source: str, paths: Mapping[tuple[int, int], str], variables: Mapping[str, str]) -> str:
    pieces: list[str] = []
    done = 0
    for (start, end), path in paths.items():
        pieces += [source[done:start], variables[path]]
        done = end
    return "".join([*pieces, source[done:]])


def _plain_constants(source: str) -> str:
    """Return a source whose constant texts have the typography that facts are given in, see `plain_facts`."""
    if source.isascii():
        return source
    pieces: list[str] = []
    done = 0
    tokens = _tokens(source)
    for index, token in enumerate(tokens):
        if token.kind == "string" and not token.text.isascii():
            is_pattern = [before.text for before in tokens[max(index - 2, 0) : index]] == ["matches", "("]
            pieces += [source[done : token.start], _plain_constant(token.text, is_pattern=is_pattern)]
            done = token.end
    return "".join([*pieces, source[done:]])


def _plain_constant(literal: str, *, is_pattern: bool) -> str:
    value = cel.compile(literal).execute({})
    if not isinstance(value, str):
        return literal
    # inside brackets a hyphen would make a range
    made = plain(_DASH.sub(r"\\-", value) if is_pattern else value)
    return literal if made == value else json.dumps(made, ensure_ascii=False)


def plain_facts(value: Any) -> Any:
    """Return a fact as conditions read it: texts and lists of texts without typography, so that ' finds ’ and - finds ‑."""
    if type(value) is str:
        return plain(value)
    return [plain_facts(part) for part in value] if type(value) is list else value


def _no_verdict(condition: Condition) -> ConditionFault | None:
    """Refuse what gives no verdict: over nulls and empty lists a condition may fail, but else it must be true or false."""
    nothing: dict[str, Any] = {name: [] if path in LISTS else None for path, name in condition.reads.items()}
    outcome = evaluate(condition.program, open_context(nothing))
    if isinstance(outcome, TypeError) and str(outcome).startswith("gives "):
        return ConditionFault(f"{outcome}", "compare it with something")
    return None


class _Reading:
    """One walk over the tokens: the paths that are read (by their span), and the faults."""

    def __init__(self, tokens: list[Token], tree: Mapping[str, Any]) -> None:
        self.tokens = tokens
        self.tree = tree
        self.paths: dict[tuple[int, int], str] = {}
        self.faults: list[ConditionFault] = []
        self._open: list[str | None] = []  # for each open bracket: the variable of its macro, None for others
        index = 0
        while index < len(tokens):
            index = self._step(index)

    def _text(self, index: int) -> str:
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def _kind(self, index: int) -> str:
        return self.tokens[index].kind if 0 <= index < len(self.tokens) else ""

    def _fault(self, message: str, hint: str = "") -> None:
        self.faults.append(ConditionFault(message, hint))

    def _step(self, index: int) -> int:
        token = self.tokens[index]
        if token.text in {"(", "[", "{"}:
            self._open.append(None)
        elif token.text in {")", "]", "}"} and self._open:
            self._open.pop()
        elif token.kind == "name" and token.text not in _WORDS:
            return self._name(index)
        return index + 1

    def _name(self, index: int) -> int:
        name, is_call = self._text(index), self._text(index + 1) == "("
        if self._text(index - 1) == ".":
            return self._method(index) if is_call else index + 1
        if is_call:
            self._check_function(name)
            return index + 1
        return index + 1 if name in self._open else self._path(index)

    def _check_function(self, name: str) -> None:
        if name == "has":
            self._fault("has() is true for a null too", "write path != null")
        elif name not in FUNCTIONS:
            self._fault(f"unknown function {name}()", did_you_mean(name, FUNCTIONS))

    def _method(self, index: int) -> int:
        name = self._text(index)
        if name in MACROS:
            return self._macro(index)
        if name not in METHODS:
            self._fault(f"unknown method .{name}()", did_you_mean(name, METHODS | MACROS))
        elif name == "matches":
            self._check_pattern(index)
        elif name in calendar.METHODS:
            self._check_time(index)
        return index + 1

    def _macro(self, index: int) -> int:
        name, variable = self._text(index), self._text(index + 2)
        if any(self._open):
            self._fault(
                f".{name}() inside another macro", "nested macros may hold the hub for minutes; use two conditions"
            )
        if self._text(index + 3) != "," or self._kind(index + 2) != "name":
            self._fault(f".{name}() takes a name and a condition", f"like topics.{name}(t, t == 'acme')")
        elif variable in self.tree or variable.startswith("_"):
            self._fault(f"{variable} cannot be a macro's name", "take another, like x")
        self._open.append(variable)
        return index + 3

    def _check_pattern(self, index: int) -> None:
        if self._kind(index + 2) != "string" or self._text(index + 3) != ")":
            self._fault(".matches() takes a constant pattern in quotes")
            return
        try:
            cel.compile(f"''.matches({self._text(index + 2)})").execute({})
        except (ValueError, RuntimeError) as error:
            said = str(error).strip().splitlines()[-1].removeprefix("error: ").split(". Check function")[0]
            self._fault(f"bad pattern {self._text(index + 2)}: {said}")

    def _check_time(self, index: int) -> None:
        """Refuse a part of a time that is asked of a fact itself, which is a text, and a zone that does not exist."""
        end = self.tokens[index - 2].end
        for path in (path for (_, last), path in self.paths.items() if last == end):
            self._fault(f"{path} is a text, no time", f"write timestamp({path}).{self._text(index)}(...)")
        if self._text(index + 2) == ")":
            return
        if self._kind(index + 2) != "string" or self._text(index + 3) != ")":
            self._fault(f".{self._text(index)}() takes a time zone in quotes", 'such as "Europe/Paris"')
        elif wrong := calendar.wrong_zone(cel.compile(self._text(index + 2)).execute({})):
            self._fault(*wrong)

    def _path(self, index: int) -> int:
        first, parts = index, [self._text(index)]
        while True:
            if self._text(index + 1) == "." and self._kind(index + 2) == "name" and self._text(index + 3) != "(":
                parts.append(self._text(index + 2))
                index += 2
            elif self._text(index + 1) == "[" and self._kind(index + 2) == "string" and self._text(index + 3) == "]":
                parts.append(self._text(index + 2).strip("\"'"))
                index += 3
            else:
                break
        self._take(".".join(parts), (self.tokens[first].start, self.tokens[index].end))
        return index + 1

    def _take(self, path: str, span: tuple[int, int]) -> None:
        missing = missing_name(self.tree, path)
        if missing:
            self._fault(f"unknown name {missing[0]}", missing[1])
        elif hint := leaf_hint(self.tree, path):
            self._fault(f"{path} is {hint.partition(';')[0]}", hint.partition("; ")[2])
        else:
            self.paths[span] = path
