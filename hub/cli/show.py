"""What commands print: tables for people, one JSON array for programs, nothing that a terminal would act on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import typer

ALL = 10_000_000  # what `--limit 0` means
SCREENFUL = 50
KEY_LETTERS = 7
GAP = "  "
WIDE = 240  # for what no window shows: a file, a pipe
CELL = 28
FEWEST = 24  # characters that a growing column keeps, else others go
FIRM = frozenset({"id", "key", "author_key", "record_key", "signal", "state", "line", "tries"})
"""What commands take as an argument, and the like: never cut."""
GROWING = frozenset({"text", "reason", "error"})
# Control characters, the second set too (0x9b begins a sequence of its own), and marks that turn the direction of a line.
_HARMFUL = [*range(32), *range(127, 160), 0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F)]
_HARMFUL += range(0x2066, 0x206A)
_BLANK = dict.fromkeys(_HARMFUL, " ")
_ESCAPED = {code: f"\\u{code:04x}" for code in _HARMFUL if code >= 127}


def how_many(limit: int | None, *, as_json: bool) -> int:
    """Return how many rows a listing holds: what was asked for, else a screenful, and for a program all."""
    if limit is None:
        return ALL if as_json else SCREENFUL
    return limit or ALL


def say(line: str, style: str = "", *, end: str = "\n") -> None:
    """Print a line on standard output; colours only if a terminal shows them."""
    typer.echo(paint(line, style) + end, nl=False)


def fail(message: str) -> None:
    """Print an error, on standard error."""
    typer.echo(f"{paint('error', 'red', sys.stderr)} {safe_lines(message)}", err=True)


def paint(text: str, style: str, stream: Any = None) -> str:
    """Return text in a colour, `bold` or `dim`, if the stream (standard output) is a terminal that wants colours."""
    stream = stream or sys.stdout
    if not style or not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, bold=True) if style == "bold" else _coloured(text, style)


def _coloured(text: str, style: str) -> str:
    return typer.style(text, dim=True) if style == "dim" else typer.style(text, fg=style)


def rows(
    found: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    as_json: bool,
    empty: str = "none",
    spare: Sequence[str] = (),
) -> None:
    """Print a listing: one JSON array, or a table with the named columns (title by key).

    Columns without a value are left out; those in `spare` go, in this order, if the window is too narrow for all.
    """
    if as_json:
        print_json(list(found))
    elif not found:
        say(empty, "dim")
    else:
        for index, line in enumerate(_lay_out(found, columns, spare=spare, width=_width())):
            say(line, "" if index else "bold")


def _width() -> int:
    wide = shutil.get_terminal_size((WIDE, 0)).columns
    return wide if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE


def _lay_out(
    found: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, spare: Sequence[str], width: int
) -> list[str]:
    table = {title: [cell(row.get(key)) for row in found] for key, title in columns.items()}
    table = {title: cells for title, cells in table.items() if any(cells)}
    widths = _fit(table, width)
    for title in spare:
        if widths is not None:
            break
        table.pop(title, None)
        widths = _fit(table, width)
    widths = widths or _fit(table, width, fewest=1) or {title: _longest(title, cells) for title, cells in table.items()}
    lines = [[_pad(title, widths[title]) for title in table]]
    lines += [
        [_pad(one, widths[title]) for title, one in zip(table, line, strict=True)]
        for line in zip(*table.values(), strict=True)
    ]
    joined = (GAP.join(line).rstrip() for line in lines)
    return [_pad(line, width).rstrip() for line in joined]


def _fit(table: Mapping[str, list[str]], width: int, *, fewest: int = FEWEST) -> dict[str, int] | None:
    """Return the columns' widths, None if they do not fit: firm ones whole, growing ones share what the rest leaves."""
    longest = {title: _longest(title, cells) for title, cells in table.items()}
    widths = {title: size if title in FIRM else min(size, CELL) for title, size in longest.items()}
    growing = [title for title in table if title in GROWING]
    left = width - sum(size for title, size in widths.items() if title not in GROWING) - len(GAP) * (len(table) - 1)
    for title in growing:
        widths[title] = min(longest[title], max(left // len(growing), 0))
    fits = left >= 0 and all(widths[title] >= min(fewest, longest[title]) for title in growing)
    return widths if fits else None


def _longest(title: str, cells: Iterable[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, (title, *cells)))


def _pad(text: str, width: int) -> str:
    """Return text in exactly so many cells of the terminal (a Chinese character takes two), cut with an ellipsis."""
    from rich.cells import cell_len, set_cell_size

    return set_cell_size(text, width) if cell_len(text) <= width else f"{set_cell_size(text, max(width - 1, 0))}…"


def cell(value: Any) -> str:
    """Return a value as a cell: times to the minute, truth in words, texts on one line, nothing that a terminal would act on."""
    if value is None or value is True or value is False:
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Mapping):
        return " ".join(f"{key}={cell(inner)}" for key, inner in value.items() if inner)
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(cell(inner) for inner in value)
    return " ".join(safe(str(value)[:2000]).split())


def short(key: str | None) -> str | None:
    """Return a key's network and the first letters of its digest: commands take that, as long as it is unambiguous."""
    network, colon, digest = (key or "").partition(":")
    return f"{network}:{digest[:KEY_LETTERS]}" if colon else key


def safe(text: str) -> str:
    """Return text from outside without control and direction characters."""
    return text.translate(_BLANK)


def safe_lines(text: str) -> str:
    """Return text from outside that may keep its lines."""
    return "\n".join(safe(line) for line in text.split("\n"))


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(_harmless(msgspec.json.format(msgspec.json.encode(value), indent=2)) + "\n")


def lines(values: Iterable[Any]) -> None:
    """Print JSON lines."""
    for value in values:
        sys.stdout.write(_harmless(msgspec.json.encode(value)) + "\n")


def _harmless(json: bytes) -> str:
    """Return JSON that says the same: what a terminal would act on can stand in its strings only, where an escape serves."""
    text = json.decode()
    return text if text.isascii() and "\x7f" not in text else text.translate(_ESCAPED)
