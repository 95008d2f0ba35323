"""What commands print: tables for people, one JSON array for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()
errors = Console(stderr=True)
_HARMFUL = dict.fromkeys([*range(32), 127, *range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], " ")


def rows(found: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str = "none") -> None:
    """A listing: one JSON array, or a table with the named columns (title by key)."""
    if as_json:
        print_json(list(found))
    elif not found:
        console.print(f"[dim]{empty}[/dim]")
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for title in columns.values():
            table.add_column(title, overflow="fold" if title in {"error", "text", "reason"} else "ellipsis")
        for row in found:
            table.add_row(*(escape(cell(row.get(key))) for key in columns))
        console.print(table)


def cell(value: Any) -> str:
    """A value as a cell: times to the second, texts on one line, nothing that a terminal would act on."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping):
        return " ".join(f"{key}={cell(inner)}" for key, inner in value.items() if inner)
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(cell(inner) for inner in value)
    return safe(str(value))[:240]


def safe(text: str) -> str:
    """Text from outside without control and direction characters."""
    return text.translate(_HARMFUL)


def print_json(value: Any) -> None:
    """A value as JSON on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def lines(values: Iterable[Any]) -> None:
    """JSON lines."""
    for value in values:
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def fail(message: str) -> None:
    """An error, on standard error."""
    errors.print(f"[red]error[/red] {escape(safe_lines(message))}", highlight=False, soft_wrap=True)


def safe_lines(text: str) -> str:
    """Text from outside that may keep its lines."""
    return "\n".join(safe(line) for line in text.split("\n"))
