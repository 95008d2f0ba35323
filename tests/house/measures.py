"""What the tests of the house measure with: the tree's files, the sizes of functions and files, and what a text holds."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("hub", "plugins", "workers")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree_files() -> list[Path]:
    """The files of the repository as git sees them (tracked, or new and not ignored), those of a plain folder without git."""
    asked = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(asked, capture_output=True, check=False)
    if told.returncode == 0:
        names = {name.decode() for name in told.stdout.split(b"\0") if name}
        return sorted(path for name in names if (path := ROOT / name).is_file())
    hidden = {".git", ".venv", "__pycache__", "data"}
    return sorted(path for path in ROOT.rglob("*") if path.is_file() and not hidden & set(path.relative_to(ROOT).parts))


def python_files(*rooms: str) -> list[Path]:
    """The Python files of rooms of the tree (of the program's, where none is named)."""
    wanted = rooms or PROGRAM
    return [path for path in tree_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in wanted]


def name_of(path: Path) -> str:
    """A path as messages show it: from the root of the repository on."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


@cache
def functions(source: str) -> tuple[Function, ...]:
    """All functions and methods of a module, the inner ones too."""
    return tuple(node for node in ast.walk(ast.parse(source)) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """The lines of a function's body without its docstring; blank lines and comments count."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def positional(function: Function) -> int:
    """How many parameters may be given by position; `self` and `cls` do not count."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def percentile(values: Iterable[int], percent: int) -> float:
    """The value below which `percent` of a hundred lie."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def middle(values: Iterable[int]) -> float:
    """The median."""
    return median(values)


@dataclass(frozen=True)
class Undocumented:
    """A public name without a docstring."""

    line: int
    name: str


def undocumented(source: str) -> Iterator[Undocumented]:
    """The public names of a module that have no docstring.

    A method that overrides one of a documented base may be silent where its name says all (`__init__`, properties of values).
    """
    module = ast.parse(source)
    if ast.get_docstring(module) is None:
        yield Undocumented(1, "the module")
    yield from _undocumented(module.body, "")


def _undocumented(body: Iterable[ast.stmt], prefix: str) -> Iterator[Undocumented]:
    for node in body:
        if isinstance(node, ast.If):  # `if TYPE_CHECKING` and the like
            yield from _undocumented(node.body, prefix)
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None:
            yield Undocumented(node.lineno, prefix + node.name)
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node.body, f"{prefix}{node.name}.")


def comments(source: str) -> list[str]:
    """The comments of a module that say something: a tool's directive counts by the reason after it, a ruler not at all."""
    return [said for token in _comment_tokens(source) if (said := _DIRECTIVE.sub("", token.string).strip(" #-"))]


def _comment_tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    yield from (one for one in tokens(source) if one.type == tokenize.COMMENT)


@cache
def tokens(source: str) -> tuple[tokenize.TokenInfo, ...]:
    """The tokens of a module that hold text: its strings and comments."""
    every = tokenize.generate_tokens(io.StringIO(source).readline)
    return tuple(one for one in every if tokenize.tok_name[one.type] in {"COMMENT", "STRING", "FSTRING_MIDDLE"})


_DIRECTIVE = re.compile(r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w, -]+\])?)|-{5,}.*")


def unreasoned(source: str) -> list[int]:
    """The lines where a tool is told to look away and nobody says why."""
    return [
        token.start[0]
        for token in _comment_tokens(source)
        if _DIRECTIVE.match(token.string) and not _DIRECTIVE.sub("", token.string).strip(" #-")
    ]


@cache
def imported(source: str) -> tuple[str, ...]:
    """The dotted names of the modules that a module imports anywhere."""
    return tuple(_imported(ast.parse(source)))


def _imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@dataclass(frozen=True)
class Block:
    """A fenced block of a Markdown file: its language, text and first line, and what stands after the language."""

    language: str
    text: str
    line: int
    note: str = ""


_FENCE = re.compile(r"^( *)(`{3,})([\w+-]*)[ \t]*([^\n]*)\n(.*?)^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)


def blocks(markdown: str) -> list[Block]:
    """The fenced blocks of a Markdown text."""
    return [
        Block(found[3], found[5], markdown.count("\n", 0, found.start()) + 1, found[4])
        for found in _FENCE.finditer(markdown)
    ]
