"""Words: docstrings and comments speak plainly, and a class name means one thing."""

from __future__ import annotations

import ast
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.house.measures import ROOT, comments, name_of, python_files, tokens

UNDONE: tuple[str, ...] = ()
"""Rooms that are not rewritten yet: their words are not refused, their classes may share a name. This tuple only shrinks."""

WORDS = re.compile(r"\b(?:nobody|somebody|whoever|whom|anew|meanwhile)\b", re.IGNORECASE)
NAMES = frozenset({"Nobody in particular"})
"""What others call their own things: the real name of RT's user Nobody."""
RIDDLES = re.compile(
    r"\b(?:None|False|True|0|\"\"|Raises? \w+),? where\b"  # say: None if
    r"|\bwhere(?: [\w'`]+){1,3} (?:is|are|was|were)\b"  # say: if, or name the place
    r"|\A(?:Return |Returns )?[Ww]hether\b"  # say: Return True if
    r"|\breturns? whether\b",
    re.IGNORECASE,
)


def done_files() -> list[Path]:
    """Return the files of the program's finished rooms."""
    return [path for path in python_files() if not name_of(path).startswith(UNDONE)]


def docstrings(source: str) -> Iterator[str]:
    """Yield every string that stands as a statement: docstrings, and what is said below a constant."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield " ".join(node.value.value.split())


def messages(source: str) -> Iterator[str]:
    """Yield the other texts of a module with a blank in them: what log lines, errors and notes say."""
    for token in tokens(source):
        text = token.string
        is_text = tokenize.tok_name[token.type] in {"STRING", "FSTRING_MIDDLE"} and " " in text and '"""' not in text
        if is_text and text.strip("\"'") not in NAMES:
            yield text


def refused(source: str) -> list[str]:
    """Return what docstrings, comments and messages say in words that are hard to read."""
    told = [*docstrings(source), *comments(source)]
    hits = [hit for text in told for hit in (*WORDS.finditer(text), *RIDDLES.finditer(text))]
    hits += [hit for text in messages(source) for hit in WORDS.finditer(text)]
    return [hit[0] for hit in hits]


def public_classes(source: str) -> Iterator[str]:
    """Yield the names of the public classes of a module."""
    yield from (node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name[0] != "_")


def homonyms(sources: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return class names that more than one file uses, with the files."""
    places: dict[str, list[str]] = {}
    for name, source in sources:
        for one in public_classes(source):
            places.setdefault(one, []).append(name)
    return {one: files for one, files in places.items() if len(files) > 1}


def test_no_refused_word_is_used() -> None:
    assert [(name_of(path), hit) for path in done_files() for hit in refused(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))], ids=name_of)
def test_no_refused_word_is_on_a_page(page: Path) -> None:
    assert WORDS.findall(page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "Return what nobody knows.",
        "Return the row, None where there is none.",
        "Poll; False where the lease is lost.",
        "Take it back. Raises Conflict where another was faster.",
        "Find the folder where the file is.",
        "Whether it is due.",
        "Set it; returns whether it changed.",
    ],
)
def test_a_refused_word_would_be_seen(text: str) -> None:
    assert refused(f'"""{text}"""\n')
    assert refused(f"x = 1  # {text}\n")


def test_a_refused_word_in_a_message_would_be_seen() -> None:
    assert refused('raise ValueError(f"{name}: nobody provides it")\n') == ["nobody"]
    assert refused('QUERY = "SELECT id FROM deliveries WHERE state IS NULL"\n') == []


def test_plain_words_pass() -> None:
    assert refused('"""Return True if due; a cut is allowed where a character ends. Ask whether it fits."""\n') == []


def test_a_public_class_name_means_one_thing() -> None:
    assert homonyms((name_of(path), path.read_text("utf-8")) for path in done_files()) == {}


def test_a_class_name_with_two_meanings_would_be_seen() -> None:
    one, other = "class Plan:\n    x: int\n", "class Plan: ...\nclass _Own: ...\n"
    assert homonyms([("a.py", one), ("b.py", other), ("c.py", "class _Own: ...\n")]) == {"Plan": ["a.py", "b.py"]}


def test_ruff_looks_away_from_unfinished_rooms_only() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    silent = {glob.removesuffix("/**") for glob, rules in config["per-file-ignores"].items() if "D401" in rules}
    assert {"D205", "D401"} <= set(config["select"])
    assert silent == {"tests", *UNDONE}


def test_unfinished_rooms_exist() -> None:
    assert [room for room in UNDONE if not (ROOT / room).is_dir()] == []
