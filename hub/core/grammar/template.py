"""Templates of one field: Jinja2 in a sandbox, without a loader, with what makes text of facts and nothing more.

Refused when compiled: unknown facts, calls and filters that could cost much or give another result each time.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hub.core.grammar.facts import did_you_mean, missing_name
from hub.core.grammar.names import is_company, split_name
from hub.core.grammar.words import counted, gist, network_name, stars

MAX_OUTPUT = 1_000_000
MAX_RANGE = 10_000
FILTERS = frozenset(
    """abs capitalize count d default e escape first float int join last length list lower map max min reject rejectattr
    replace reverse round select selectattr sort string striptags sum title trim truncate unique upper urlencode
    wordcount""".split()  # noqa: SIM905 - a list of words reads better than forty quotes
)
METHODS = frozenset(
    {"lower", "upper", "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "title", "capitalize", "items"}
)
_TAG = re.compile(r"<[^<>]*>")


class TooMuch(Exception):
    """A template made more than a field can hold."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Facts are dicts, so a name is a key first: faster, and no fact hides behind a method."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a key of a dict before anything else."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute with numbers only: a text times a billion fills the memory before any cap sees it."""
        if not all(isinstance(side, int | float) and abs(side) < 1e9 for side in (left, right)) or operator == "**":
            raise SecurityError(f"{operator} works on plain numbers only")
        return super().call_binop(context, operator, left, right)


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


def _environment(*, autoescape: bool) -> _Sandbox:
    made = _Sandbox(autoescape=autoescape, finalize=_shown)
    made.filters = {name: made.filters[name] for name in FILTERS} | _OWN_FILTERS
    made.globals = dict(_GLOBALS)
    return made


_PLAIN = _environment(autoescape=False)
_HTML = _environment(autoescape=True)


@lru_cache(maxsize=1024)
def _compiled(source: str, *, escape: bool) -> jinja2.Template:
    """Compile a source: asked for when faults are looked for, when the mapping is made, and for each file that repeats it."""
    made = (_HTML if escape else _PLAIN).from_string(source)
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
        context = self._template.new_context({**_GLOBALS, **facts}, shared=True)
        for piece in self._template.root_render_func(context):
            pieces.append(piece)
            length += len(piece)
            if length > MAX_OUTPUT:
                raise TooMuch(f"more than {MAX_OUTPUT:,} characters")
        text = "".join(pieces)
        return None if not text or text.isspace() else str(text)


def template_faults(source: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a template's source, as (message with its line, hint)."""
    try:
        parsed = _PLAIN.parse(source)
        _compiled(source, escape=False)
    except jinja2.TemplateSyntaxError as error:
        name = re.match(r"No filter named '(\w+)'", error.message or "")
        yield f"line {error.lineno}: {error.message}", did_you_mean(name[1], _PLAIN.filters) if name else ""
        return
    yield from _unknown_facts(parsed, tree)
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
