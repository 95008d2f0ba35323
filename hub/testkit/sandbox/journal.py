"""The journal: what was written, and every HTTP call, countable by object."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

GOING = ("delete", "redact")
"""Kinds of entries after which nothing of a record is left."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change in the sandbox; `seq` grows by one over entries and calls."""

    seq: int
    at: str
    kind: str
    object: str
    id: str
    key: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP call; `kind` is read or write, status 0 if the connection was reset instead of an answer."""

    seq: int
    at: str
    kind: str
    method: str
    path: str
    object: str
    status: int


class Journal:
    """Entries and calls in memory, thread safe.

    `keep` is told each entry so that a store can persist it, `aged` that some of them hold less than before.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        keep: Callable[[Entry], None] | None = None,
        aged: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        self._keep = keep
        self._lock = threading.Lock()
        self._aged = aged
        self._seq = 0
        self._places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self.entries: list[Entry] = []
        self.calls: list[HttpCall] = []

    def record(
        self, kind: str, object_: str, id_: str, *, key: str = "", fields: Mapping[str, Any] | None = None
    ) -> Entry:
        """Note a change: kind is create, update, delete, ticket, comment, link ...; `fields` as written.

        What a record held before an update, a redaction or its deletion is forgotten: a journal is no history of a person.
        """
        if kind in GOING or kind == "update":
            self.forget(object_, id_, None if kind in GOING else set(fields or {}))
        with self._lock:
            self._seq += 1
            self._places[object_, id_].append(len(self.entries))
            entry = Entry(self._seq, self._clock().isoformat(), kind, object_, id_, key, dict(fields or {}))
            self.entries.append(entry)
        if self._keep is not None:
            self._keep(entry)
        return entry

    def forget(self, object_: str, id_: str, names: Collection[str] | None = None) -> None:
        """Forget what was written of a record, or these fields of it, and say so to `aged`; that it was written stays."""
        changed: list[Entry] = []
        with self._lock:
            for place in self._places[object_, id_]:
                entry = self.entries[place]
                spared = (name for name in entry.fields if names is not None and name not in names)
                empty = (name for name, one in entry.fields.items() if one in ("", None))
                kept = {name: entry.fields[name] for name in dict.fromkeys((*spared, *empty))}
                if kept != entry.fields:
                    self.entries[place] = replace(entry, fields=kept)
                    changed.append(self.entries[place])
        if self._keep is not None:
            for entry in changed:
                self._keep(entry)
        if changed and self._aged is not None:
            self._aged()

    def note(self, *, write: bool, method: str, path: str, object_: str, status: int) -> None:
        """Note an HTTP call (the server does this)."""
        with self._lock:
            self._seq += 1
            kind = "write" if write else "read"
            self.calls.append(HttpCall(self._seq, self._clock().isoformat(), kind, method, path, object_, status))

    def restore(self, entries: list[Entry]) -> None:
        """Take back the entries that a store kept."""
        with self._lock:
            self.entries = entries
            for place, entry in enumerate(entries):
                self._places[entry.object, entry.id].append(place)
            self._seq = max((entry.seq for entry in entries), default=0)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.entries, self.calls = [], []
            self._places.clear()

    def show(self, object_: str = "", since: int = 0) -> dict[str, list[dict[str, Any]]]:
        """Return entries and calls after sequence number `since`, of one object if it is named."""
        with self._lock:
            entries, calls = list(self.entries), list(self.calls)
        return {
            "entries": [asdict(item) for item in entries if item.seq > since and object_ in {"", item.object}],
            "calls": [asdict(item) for item in calls if item.seq > since and object_ in {"", item.object}],
        }

    def counts(self) -> dict[str, Any]:
        """Return how many of what: `writes` and `objects` count changes, `calls` and `calls_by_object` HTTP calls."""
        with self._lock:
            objects: defaultdict[str, Counter[str]] = defaultdict(Counter)
            by_object: defaultdict[str, Counter[str]] = defaultdict(Counter)
            for entry in self.entries:
                objects[entry.object][entry.kind] += 1
            for call in self.calls:
                by_object[call.object][call.kind] += 1
            writes = Counter(entry.kind for entry in self.entries)
            calls = Counter(call.kind for call in self.calls)
        return {
            "writes": dict(writes),
            "objects": {name: dict(kinds) for name, kinds in objects.items()},
            "calls": {"read": calls["read"], "write": calls["write"]},
            "calls_by_object": {name: dict(kinds) for name, kinds in by_object.items()},
        }
