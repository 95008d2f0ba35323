"""Templates of one field: Jinja2 in a sandbox, without a loader, with what makes text of facts and nothing more.

Refused when compiled: unknown facts, calls and filters that could cost much or give another result each time. Bounded while they
run: what a template writes, joins, filters and walks through is counted, whether it reaches the output or not.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, wraps
from typing import Any, cast

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import _PassArg

from hub.core.grammar.facts import did_you_mean, leaf_hint, missing_name
from hub.core.grammar.names import is_company, split_name
from hub.core.grammar.words import counted, gist, network_name, stars

MAX_OUTPUT = 1_000_000
MAX_WORK = 4 * MAX_OUTPUT  # characters made and steps taken, those that are thrown away too
MAX_RANGE = 10_000
FILTERS = frozenset(
    """abs capitalize count d default e escape first float int join last length list lower map max min reject rejectattr
    replace reverse round select selectattr sort string striptags sum title trim truncate unique upper urlencode
    wordcount""".split()  # noqa: SIM905 - a list of words reads better than forty quotes
)
METHODS = frozenset(
    {"lower", "upper", "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "title", "capitalize", "items"}
)
_OF_TEXT = frozenset(
    {"upper", "lower", "title", "capitalize", "trim", "truncate", "e", "escape", "default", "d", "plain", "gist"}
)
_WORK, _WALKED, _JOINED = "\x00work", "\x00walked", "\x00joined"  # names that no template has
_WEIGHED, _COMPARED = "\x00weighed", "\x00compared"
_MOST_DIGITS = 20
_LOOKING = frozenset("== eq equalto != ne > gt greaterthan ge >= < lt lessthan <= le in".split())  # noqa: SIM905 - as above
_TAG = re.compile(r"<[^<>]*>")


class TooMuch(Exception):
    """A template made more than a field can hold."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Facts are dicts, so a name is a key first: faster, and no fact hides behind a method."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a key of a dict before anything else."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute with numbers only, and add texts and lists: a text times a billion fills the memory before any cap sees it."""
        if operator == "+":
            _spend(context, _size(left) + _size(right))
        elif operator == "**" or not all(isinstance(side, int | float) and abs(side) < 1e9 for side in (left, right)):
            raise SecurityError(f"{operator} works on plain numbers only")
        return super().call_binop(context, operator, left, right)


class _CountingSandbox(_Sandbox):
    """For templates with statements: a loop or a variable can make much of little, and throw it away again."""

    def call(self, context: Context, called: Any, *arguments: Any, **named: Any) -> Any:
        """Count what a method of a text walks through."""
        _spend(context, _size(getattr(called, "__self__", None)))
        return super().call(context, called, *arguments, **named)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,
    ) -> str:
        """Compile the tree in which all that can grow passes a counting filter."""
        for loop in source.find_all(nodes.For):
            written = sum(len(data.data) for data in loop.find_all(nodes.TemplateData))
            loop.iter = _filtered(loop.iter, _WALKED, nodes.Const(1 + written))
        _count_joins(source)
        return super()._generate(source, name, filename, defer_init=defer_init)


def _count_joins(node: nodes.Node) -> None:
    """Replace what joins texts and what puts facts into lists, from the leaves up."""
    for name, value in node.iter_fields():
        if isinstance(value, list):
            setattr(node, name, [_counted(part) if isinstance(part, nodes.Node) else part for part in value])
        elif isinstance(value, nodes.Node):
            setattr(node, name, _counted(value))


def _counted(node: nodes.Node) -> nodes.Node:
    _count_joins(node)
    if isinstance(node, nodes.Concat):
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), _JOINED)
    if isinstance(node, nodes.Compare):
        node.expr = _filtered(node.expr, _COMPARED)
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, _COMPARED)
    is_made = isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load")
    if is_made and node.find(nodes.Name):
        return _filtered(node, _WEIGHED)
    return node


def _filtered(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", node), name, list(arguments), [], None, None, lineno=node.lineno)


def _spend(context: Context, work: int) -> None:
    """Count work, and never give any back. Raises TooMuch beyond what one field can need."""
    spent = context.parent[_WORK]
    spent[0] += max(work, 0)
    if spent[0] > MAX_WORK:
        raise TooMuch(f"more than {MAX_WORK:,} characters and steps on the way")


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | dict) else 1


@pass_context
def _walked(context: Context, values: Any, weight: int) -> Any:
    """Filter of loops: count each step with what is written beside it."""
    if isinstance(values, str | list | tuple | dict | range | jinja2.Undefined):
        _spend(context, len(values) * weight)
        return values
    return _steps(context, values, weight)


def _steps(context: Context, values: Iterable[Any], weight: int) -> Iterator[Any]:
    for value in values:
        _spend(context, weight)
        yield value


@pass_context
def _joined(context: Context, parts: list[Any]) -> str:
    """Filter of `~`: join texts as Jinja does, counted before they are one."""
    texts = [part if isinstance(part, str) else str(part) for part in parts]
    _spend(context, sum(map(len, texts)))
    return markup_join(parts) if context.eval_ctx.autoescape else str_join(texts)


@pass_context
def _weighed(context: Context, value: Any) -> Any:
    """Filter of lists: count all that is in one, since a list of lists may hold one text a billion times."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        _spend(context, _size(part))
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
    return value


@pass_context
def _compared(context: Context, value: Any) -> Any:
    """Filter of both sides of a comparison: to look into a text or a list again and again takes as long as to make it."""
    _spend(context, _size(value))
    return value


def _measured_test(made: Any) -> Callable[..., Any]:
    """Return a test, as `select` applies to each value, that counts what it looks through."""

    @pass_context
    @wraps(made)
    def run(context: Context, value: Any, *arguments: Any) -> Any:
        _spend(context, _size(value) + sum(map(_size, arguments)))
        return made(value, *arguments)

    return run


def _measured(name: str, made: Any) -> Callable[..., Any]:
    """Return a filter that counts what goes in and what comes out; what multiplies is told beforehand."""
    passed = _PassArg.from_obj(made)
    foresee = _FORESEEN.get(name)

    @pass_context
    @wraps(made)
    def run(context: Context, value: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(value, range | Iterator):  # its length is known once it is a list
            value = list(_steps(context, value, 1))
        _spend(context, foresee(value, *arguments, **named) if foresee else _size(value))
        before = {
            _PassArg.context: context,
            _PassArg.eval_context: context.eval_ctx,
            _PassArg.environment: context.environment,
        }
        result = made(*((before[passed],) if passed else ()), value, *arguments, **named)
        _spend(context, _size(result))
        return result

    return run


def _replacing(text: Any, old: Any, new: Any, *_: Any) -> int:
    return len(str(text)) + str(text).count(str(old)) * len(str(new))


def _joining(values: Any, d: Any = "", *_: Any, **__: Any) -> int:
    return _size(values) * (1 + len(str(d))) + (sum(map(_size, values)) if isinstance(values, list | tuple) else 0)


def _rounding(_: Any, precision: int = 0, *__: Any, **___: Any) -> int:
    if abs(precision) > _MOST_DIGITS:
        raise TooMuch(f"round() to more than {_MOST_DIGITS} digits")
    return 1


def _adding(values: Any, *arguments: Any, start: Any = 0, **_: Any) -> int:
    if not all(isinstance(one, int | float) for one in (start, *arguments[1:])):
        raise SecurityError("sum() adds numbers only")
    return _size(values)


_FORESEEN: dict[str, Callable[..., int]] = {"replace": _replacing, "join": _joining, "round": _rounding, "sum": _adding}


def plain(value: Any) -> str:
    """Filter `plain`: return text without tags and entities, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", str(_shown(value)))).split())


def _shown(value: Any) -> Any:
    """Show nothing for null, a list with commas, anything else as it is."""
    if value is None:
        return ""
    return ", ".join(str(_shown(part)) for part in value) if isinstance(value, list | tuple) else value


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise TooMuch(f"range() of more than {MAX_RANGE:,}")
    return numbers


_GLOBALS = {"range": _range}
_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "plain": plain,
    "gist": lambda text, limit=80: gist(str(text or ""), limit),
    "counted": counted,
    "network_name": network_name,
    "stars": stars,
    "given_name": lambda name: split_name(name).given,
    "family_name": lambda name: split_name(name).family,
    "company_name": lambda name: split_name(name).family if is_company(name) else "",
}
"""Filters of the hub's own: what people read (hub.core.grammar.words) and the parts of a name (hub.core.grammar.names)."""


_COUNTING = {_WALKED: _walked, _JOINED: _joined, _WEIGHED: _weighed, _COMPARED: _compared}


@pass_context
def _written(context: Context, value: Any) -> Any:
    shown = _shown(value)
    _spend(context, _size(shown))
    return shown


def _environment(*, autoescape: bool, counting: bool) -> _Sandbox:
    made = (_CountingSandbox if counting else _Sandbox)(
        autoescape=autoescape, finalize=_written if counting else _shown
    )
    filters = {name: made.filters[name] for name in FILTERS} | _OWN_FILTERS
    made.filters = {name: _measured(name, one) for name, one in filters.items()} | _COUNTING
    made.tests |= {name: _measured_test(made.tests[name]) for name in _LOOKING}
    made.globals = dict(_GLOBALS)
    return made


_PLAIN = _environment(autoescape=False, counting=False)
_HTML = _environment(autoescape=True, counting=False)
_COUNTED = {escape: _environment(autoescape=escape, counting=True) for escape in (False, True)}


@lru_cache(maxsize=1024)
def _compiled(source: str, *, escape: bool) -> jinja2.Template:
    """Compile a source: asked for when faults are looked for, when the mapping is made, and for each file that repeats it."""
    made = (_COUNTED[escape] if "{%" in source else _HTML if escape else _PLAIN).from_string(source)
    made.globals = _GLOBALS  # a plain dict: Jinja's chain of maps is walked at each rendering
    return made


class Template:
    """A compiled template; `render` gives a text, or None if nothing but space came out."""

    def __init__(self, source: str, *, escape: bool) -> None:
        self._template = _compiled(source, escape=escape)

    def render(self, facts: Mapping[str, Any]) -> str | None:
        """Render the facts. Raises ValueError with the reason if the template fails (a wrong type, too much output)."""
        try:
            return self._render(facts)
        except (
            jinja2.TemplateError,
            TooMuch,
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            AttributeError,
        ) as error:
            raise ValueError(f"the template failed: {error}") from error

    def _render(self, facts: Mapping[str, Any]) -> str | None:
        pieces: list[str] = []
        length = 0
        # shared: the facts are not copied a second time, and nothing is exported into them
        context = self._template.new_context({**_GLOBALS, **facts, _WORK: [0]}, shared=True)
        for piece in self._template.root_render_func(context):
            pieces.append(piece)
            length += len(piece)
            if length > MAX_OUTPUT:
                raise TooMuch(f"more than {MAX_OUTPUT:,} characters")
        text = "".join(pieces)
        return None if not text or text.isspace() else str(text)


def template_faults(source: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a template's source over facts of this tree, as (message with its line, hint)."""
    yield from _read_faults(source, tree)


def source_faults(source: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a template's source whatever it is rendered over, as (message with its line, hint)."""
    yield from _read_faults(source, None)


def _read_faults(source: str, tree: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    try:
        yield from list(_faults(source, tree))
    except (RecursionError, SyntaxError, MemoryError):  # of Jinja's walks over the tree, and of Python's own parser
        yield (
            "it is nested too deeply",
            "use fewer filters, brackets or blocks in each other: {% set %} gives a step a name",
        )


def _faults(source: str, tree: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    try:
        parsed = _PLAIN.parse(source)
        _compiled(source, escape=False)
    except jinja2.TemplateSyntaxError as error:
        name = re.match(r"No filter named '(\w+)'", error.message or "")
        yield (
            f"line {error.lineno}: {error.message}",
            did_you_mean(name[1], FILTERS | _OWN_FILTERS.keys()) if name else "",
        )
        return
    if tree is not None:
        yield from _unknown_facts(parsed, tree)
        yield from _unprintable(parsed, tree)
    yield from _unsafe_calls(parsed)
    yield from _deep_loops(parsed)
    for node in parsed.find_all(
        (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Macro, nodes.CallBlock)
    ):
        yield f"line {node.lineno}: {type(node).__name__.lower()} is not for templates of a field", ""


def _unknown_facts(parsed: nodes.Template, tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    own = {name.name for name in parsed.find_all(nodes.Name) if name.ctx != "load"} | {"loop", "range"}
    # each step of a chain is a node of its own: only the longest path from a name says what is asked for
    longest: dict[int, tuple[str, int]] = {}
    for node in parsed.find_all((nodes.Getattr, nodes.Getitem, nodes.Name)):
        path, root = _path(node)
        if root is not None and root.name not in own and len(path) > len(longest.get(id(root), ("", 0))[0]):
            longest[id(root)] = (path, node.lineno)
    for path, line in longest.values():
        above, _, last = path.rpartition(".")
        missing = missing_name(tree, above if last in METHODS and above else path)
        if missing and missing_name(tree, path):
            yield f"line {line}: unknown fact {missing[0]}", missing[1]


def _unprintable(parsed: nodes.Template, tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is no text to write: whole objects, and methods that are not called."""
    own = {name.name for name in parsed.find_all(nodes.Name) if name.ctx != "load"}
    for expression in (one for output in parsed.find_all(nodes.Output) for one in output.nodes):
        for node in _printed(expression):
            path, root = _path(node)
            if root is None or root.name in own or missing_name(tree, root.name):
                continue
            above, _, last = path.rpartition(".")
            if missing_name(tree, path) is None and (hint := leaf_hint(tree, path)):
                yield f"line {node.lineno}: {path} is {hint.partition(';')[0]}", hint.partition("; ")[2]
            elif last in METHODS and above and isinstance(node, nodes.Getattr) and missing_name(tree, path):
                yield f"line {node.lineno}: .{last} is not called", f"write {path}()"


def _printed(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield the expressions whose values are written as they are."""
    if isinstance(node, nodes.CondExpr):
        yield from (part for one in (node.expr1, node.expr2) if one for part in _printed(one))
    elif isinstance(node, nodes.Concat):
        yield from (part for one in node.nodes for part in _printed(one))
    elif isinstance(node, nodes.Filter) and node.node and node.name in _OF_TEXT:
        yield from _printed(node.node)
    else:
        yield node


def _path(node: nodes.Node) -> tuple[str, nodes.Name | None]:
    """Return the dotted path that starts at a name, and that name; None as name if its part is asked of something else."""
    parts: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            parts.append(node.arg.value)
        else:
            parts.clear()  # an index: what follows cannot be known
        node = node.node
    if not isinstance(node, nodes.Name) or node.ctx != "load":
        return "", None
    return ".".join([node.name, *reversed(parts)]), node


def _unsafe_calls(parsed: nodes.Template) -> Iterator[tuple[str, str]]:
    for call in parsed.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr):
            if call.node.attr not in METHODS:
                yield f"line {call.lineno}: .{call.node.attr}() is not allowed", did_you_mean(call.node.attr, METHODS)
        elif not _is_range(call):
            yield f"line {call.lineno}: only range() and methods of text can be called", ""
    for division in parsed.find_all((nodes.Div, nodes.FloorDiv, nodes.Mod)):
        if isinstance(division.right, nodes.Const) and division.right.value == 0:
            yield f"line {division.lineno}: it divides by zero", ""
    for power in parsed.find_all(nodes.Pow):
        yield f"line {power.lineno}: ** is not allowed", ""


def _deep_loops(parsed: nodes.Template) -> Iterator[tuple[str, str]]:
    for loop in parsed.find_all(nodes.For):
        inner = list(loop.find_all(nodes.For))
        if any(deeper.find(nodes.For) for deeper in inner):
            yield f"line {loop.lineno}: more than two loops in each other", ""
        if any(_is_range(call) for part in loop.body for call in part.find_all(nodes.Call)):
            yield f"line {loop.lineno}: range() inside a loop", ""


def _is_range(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.Name) and call.node.name == "range"
