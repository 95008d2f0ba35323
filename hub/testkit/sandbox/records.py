"""The store of a sandbox: records by collection with unique keys, in memory and, given a folder, in sqlite too."""

from __future__ import annotations

import copy
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.testkit.sandbox.journal import Entry

_SCHEMA = """
create table if not exists records (collection text, id text, body text, primary key (collection, id));
create table if not exists collections (name text primary key, keys text, fold integer);
create table if not exists counters (name text primary key, value integer);
create table if not exists journal (seq integer primary key, body text);
"""

# An update keeps the row's place, so that a restart finds the records in the order of their making.
_PUT = "insert into records values (?, ?, ?) on conflict (collection, id) do update set body = excluded.body"


SCRUB_S = 0.5  # seconds from a change to the rewriting of the file


class Taken(Exception):
    """A unique key's value belongs to another record."""

    def __init__(self, field: str, value: str, id_: str) -> None:
        super().__init__(f"{field} = {value} belongs to {id_}")
        self.field, self.value, self.id = field, value, id_


@dataclass(slots=True)
class _Collection:
    """Records by id in the order of their making, and an index for each unique key."""

    unique: tuple[str, ...] = ()
    fold: bool = False
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    index: dict[tuple[str, str], str] = field(default_factory=dict)

    def keys_of(self, record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name in self.unique:
            value = value_at(record, name)
            if value is not None and value != "":
                yield name, self.fold_key(value)

    def fold_key(self, value: Any) -> str:
        return str(value).casefold() if self.fold else str(value)

    def place(self, id_: str, record: dict[str, Any]) -> None:
        """Put a record and its keys; raises Taken before anything is changed."""
        keys = list(self.keys_of(record))
        for name, value in keys:
            if self.index.get((name, value), id_) != id_:
                raise Taken(name, value, self.index[name, value])
        self.drop_keys(id_)
        self.records[id_] = record
        self.index.update(dict.fromkeys(keys, id_))

    def reindex(self) -> None:
        self.index = {key: id_ for id_, record in self.records.items() for key in self.keys_of(record)}

    def drop_keys(self, id_: str) -> None:
        for key in self.keys_of(self.records.get(id_, {})):
            self.index.pop(key, None)


def value_at(record: Mapping[str, Any], path: str) -> Any:
    """Return the value under a dotted path, None if a step is missing."""
    value: Any = record
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


class RecordStore:
    """All collections of a sandbox: thread safe, copied in and out; `flush` makes it durable (the server calls it)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.lock = threading.RLock()
        self._collections: dict[str, _Collection] = {}
        self._counters: dict[str, int] = {}
        self._database = _open(folder) if folder is not None else None
        self._changed = False
        self._scrubbing: threading.Timer | None = None
        if self._database is not None:
            self._load(self._database)

    def declare(self, collection: str, *, unique: Sequence[str] = (), fold: bool = False) -> None:
        """Make a collection and its unique keys known (dotted paths; `fold`: case-blind); later calls add keys."""
        with self.lock:
            held = self._of(collection)
            held.unique = tuple(dict.fromkeys((*held.unique, *unique)))
            held.fold = held.fold or fold
            held.reindex()
            self._write(
                "insert or replace into collections values (?, ?, ?)", collection, json.dumps(held.unique), held.fold
            )

    def next_id(self, counter: str = "id", start: int = 1) -> str:
        """Return the next number of a counter as a string; never given twice, not even after a restart."""
        with self.lock:
            value = self._counters[counter] = max(self._counters.get(counter, 0) + 1, start)
            self._write("insert or replace into counters values (?, ?)", counter, value)
            return str(value)

    def insert(self, collection: str, id_: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """Add a record; raises Taken if the id or a unique key belongs to another."""
        with self.lock:
            if id_ in self._of(collection).records:
                raise Taken("id", id_, id_)
            return self.put(collection, id_, record)

    def put(self, collection: str, id_: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """Add or replace a record; raises Taken if a unique key belongs to another."""
        with self.lock:
            self._of(collection).place(id_, copy.deepcopy(dict(record)))
            self._write(_PUT, collection, id_, json.dumps(record))
            return dict(record)

    def update(self, collection: str, id_: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Merge changes into a record's top level; raises KeyError if there is none and Taken as `put` does."""
        with self.lock:
            return self.put(collection, id_, {**self._of(collection).records[id_], **changes})

    def get(self, collection: str, id_: str) -> dict[str, Any] | None:
        """Return a record by id."""
        with self.lock:
            return copy.deepcopy(self._of(collection).records.get(id_))

    def find(self, collection: str, key: str, value: Any) -> tuple[str, dict[str, Any]] | None:
        """Return `(id, record)` by a declared unique key."""
        with self.lock:
            held = self._of(collection)
            id_ = held.index.get((key, held.fold_key(value)))
            return None if id_ is None else (id_, copy.deepcopy(held.records[id_]))

    def remove(self, collection: str, id_: str) -> bool:
        """Remove a record; False if there was none."""
        with self.lock:
            held = self._of(collection)
            held.drop_keys(id_)
            self._write("delete from records where collection = ? and id = ?", collection, id_)
            return held.records.pop(id_, None) is not None

    def all(self, collection: str) -> list[tuple[str, dict[str, Any]]]:
        """Return all `(id, record)` in the order of their making."""
        with self.lock:
            return copy.deepcopy(list(self._of(collection).records.items()))

    def newest(self, collection: str, limit: int) -> list[tuple[str, dict[str, Any]]]:
        """Return the last `limit` records, newest first."""
        with self.lock:
            records = self._of(collection).records
            return copy.deepcopy([pair for pair, _ in zip(reversed(records.items()), range(limit), strict=False)])

    def count(self, collection: str) -> int:
        """Return how many records a collection holds."""
        with self.lock:
            return len(self._of(collection).records)

    def names(self) -> list[str]:
        """Return the names of all collections; those that begin with "_" are the sandbox's own affairs."""
        with self.lock:
            return list(self._collections)

    def clear(self) -> None:
        """Forget all records (and, on disk, the journal); counters go on."""
        with self.lock:
            for held in self._collections.values():
                held.records.clear()
                held.index.clear()
            self._write("delete from records")
            self._write("delete from journal")

    def keep_entry(self, entry: Entry) -> None:
        """Write a journal entry through."""
        body = [entry.at, entry.kind, entry.object, entry.id, entry.key, entry.fields]
        with self.lock:
            self._write("insert or replace into journal values (?, ?)", entry.seq, json.dumps(body))

    def kept_entries(self) -> list[Entry]:
        """Return the journal entries of former runs."""
        if self._database is None:
            return []
        with self.lock:
            rows = self._database.execute("select seq, body from journal order by seq").fetchall()
        return [Entry(seq, *json.loads(body)) for seq, body in rows]

    def flush(self) -> None:
        """Commit what was written since the last flush."""
        with self.lock:
            if self._database is not None and self._changed:
                self._database.commit()
                self._changed = False

    def close(self) -> None:
        """Flush and close the database."""
        with self.lock:
            if self._scrubbing is not None:
                self._scrubbing.cancel()
                self._scrub()
            self.flush()
            if self._database is not None:
                self._database.close()
                self._database = None

    def scrub_soon(self) -> None:
        """Take what was replaced or removed out of the file too, within a second."""
        with self.lock:
            if self._database is not None and self._scrubbing is None:
                self._scrubbing = threading.Timer(SCRUB_S, self._scrub)
                self._scrubbing.daemon = True
                self._scrubbing.start()

    def _scrub(self) -> None:
        with self.lock:
            self._scrubbing = None
            self.flush()
            if self._database is not None:
                # Rewritten, since copies stay behind as pages are split; a look-alike's file is small.
                self._database.execute("vacuum")
                self._database.execute("pragma wal_checkpoint(truncate)").fetchall()

    def _of(self, collection: str) -> _Collection:
        return self._collections.setdefault(collection, _Collection())

    def _write(self, statement: str, *values: Any) -> None:
        if self._database is not None:
            self._database.execute(statement, values)
            self._changed = True

    def _load(self, database: sqlite3.Connection) -> None:
        for collection, id_, body in database.execute("select collection, id, body from records order by rowid"):
            self._of(collection).records[id_] = json.loads(body)
        for name, keys, fold in database.execute("select name, keys, fold from collections"):
            held = self._of(name)
            held.unique, held.fold = tuple(json.loads(keys)), bool(fold)
            held.reindex()
        self._counters = dict(database.execute("select name, value from counters").fetchall())


def _open(folder: Path) -> sqlite3.Connection:
    """Open the database of a folder; usable from any thread because the store's lock guards it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = sqlite3.connect(folder / "sandbox.sqlite", check_same_thread=False)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = normal")
    database.execute("pragma secure_delete = on")
    database.executescript(_SCHEMA)
    return database
