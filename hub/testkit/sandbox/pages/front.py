"""The page of a sandbox: what is in it, readable, escaped, no scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

from hub.testkit.sandbox.exchange import Answer
from hub.testkit.sandbox.journal import Journal
from hub.testkit.sandbox.pages.document import document, linked
from hub.testkit.sandbox.records import RecordStore

_NEWEST = 50
_STYLE = """
body { max-width: 72rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; } a { color: inherit; }
table { width: 100%; } td, th { vertical-align: top; } th { color: var(--soft); font-weight: 500; }
td { overflow-wrap: anywhere; white-space: pre-wrap; } td:first-child { overflow-wrap: normal; }
"""


class Shown(Protocol):
    """What the page reads of a sandbox."""

    store: RecordStore
    journal: Journal

    @property
    def title(self) -> str:
        """The sandbox's name."""

    @property
    def home(self) -> tuple[str, str]:
        """Return what its people call their page, and its path."""

    @property
    def violations(self) -> Sequence[object]:
        """Return what broke the contract."""

    def heading_of(self, object_: str, record: Mapping[str, Any]) -> str:
        """Return one line about a record."""

    def address_of(self, object_: str, id_: str) -> str:
        """Return the path of a record's page."""


def front_page(sandbox: Shown) -> Answer:
    """Show objects with their newest records, and the journal's counts."""
    counts = sandbox.journal.counts()
    names = [name for name in sandbox.store.names() if not name.startswith("_") and sandbox.store.count(name)]
    name, path = sandbox.home
    parts = [f"<h1>{escape(sandbox.title)} sandbox</h1>"]
    parts += [f"<p>Go to <a href='{escape(path)}'>{escape(name)}</a></p>"] if name else []
    parts += [f"<p>{' · '.join(_jump(sandbox, one) for one in names)}</p>"]
    parts += [_counts(counts, len(sandbox.violations))]
    parts += [_object(sandbox, name) for name in names]
    parts += [] if names else ["<p>No records yet.</p>"]
    return document(f"{sandbox.title} sandbox", "".join(parts), style=_STYLE)


def record_page(sandbox: Shown, object_: str, id_: str) -> Answer:
    """Show one record with all its fields and what the journal says of it."""
    record = sandbox.store.get(object_, id_)
    if record is None:
        return document("Not found", "<h1>No such record</h1><p><a href='/'>All records</a></p>", status=404)
    heading = sandbox.heading_of(object_, record) or f"{object_} {id_}"
    history = [entry for entry in sandbox.journal.show(object_)["entries"] if entry["id"] == id_]
    rows = "".join(_row([entry["at"], entry["kind"], _brief(entry["fields"])]) for entry in reversed(history))
    return document(
        heading,
        f"<p><a href='/'>{escape(sandbox.title)} sandbox</a> / {escape(object_)}</p><h1>{escape(heading)}</h1>"
        f"<table>{''.join(_row([name, value]) for name, value in _flatten(record))}</table>"
        f"<h2>History</h2><table>{rows}</table>",
        style=_STYLE,
    )


def _jump(sandbox: Shown, name: str) -> str:
    return f"<a href='#{escape(name)}'>{escape(name)}</a> {sandbox.store.count(name)}"


def _object(sandbox: Shown, name: str) -> str:
    rows = "".join(
        f"<tr><td><a href='{escape(sandbox.address_of(name, id_))}'>{escape(id_)}</a></td>"
        f"<td>{escape(sandbox.heading_of(name, record) or _brief(record))}</td></tr>"
        for id_, record in sandbox.store.newest(name, _NEWEST)
    )
    head = f"{escape(name)} <span class='soft'>{sandbox.store.count(name)}</span>"
    return f"<h2 id='{escape(name)}'>{head}</h2><table>{rows}</table>"


def _counts(counts: Mapping[str, Any], violations: int) -> str:
    rows = _row(["calls", f"{counts['calls']['write']} writes, {counts['calls']['read']} reads"])
    rows += "".join(
        _row([name or "(no object)", ", ".join(f"{number} {kind}" for kind, number in kinds.items())])
        for name, kinds in counts["objects"].items()
    )
    return f"<table>{rows}{_row(['violations', str(violations)])}</table>"


def _row(cells: list[str]) -> str:
    first, *rest = cells
    return f"<tr><th>{escape(first)}</th>{''.join(f'<td>{linked(cell)}</td>' for cell in rest)}</tr>"


def _flatten(record: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return fields as (dotted name, text)."""
    rows: list[tuple[str, str]] = []
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            rows += _flatten(value, f"{before}{name}.")
        else:
            rows.append((f"{before}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return rows


def _brief(record: Mapping[str, Any]) -> str:
    """Return a record in one line."""
    text = " · ".join(f"{name}: {value}" for name, value in _flatten(record) if value)
    return text if len(text) <= 240 else text[:239] + "…"
