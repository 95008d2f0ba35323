"""What a run over history wants, kept in a file of its own: a million records do not fit into memory."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hub.core.decide.trace import Trace, decode_trace, encode_trace
from hub.core.model import Record
from hub.store.database import chunks
from hub.store.history import Target
from hub.store.ledger.outbox import ONCE_ONLY

LONGEST_REASON = 200
_record = msgspec.json.Decoder(Record)
_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-16000", "temp_store=FILE")
_TABLES = """
CREATE TABLE wishes (
    ordinal INTEGER PRIMARY KEY, target BLOB NOT NULL UNIQUE, destination TEXT NOT NULL, object TEXT NOT NULL,
    operation TEXT NOT NULL, record BLOB NOT NULL, stable TEXT NOT NULL, signal TEXT NOT NULL, source TEXT NOT NULL,
    rule TEXT NOT NULL, wanted INTEGER NOT NULL, writes INTEGER NOT NULL, late_raw INTEGER NOT NULL, late_signal TEXT NOT NULL,
    late_stable TEXT NOT NULL);
CREATE TABLE opened (conversation TEXT, destination TEXT, signal TEXT, PRIMARY KEY (conversation, destination)) WITHOUT ROWID;
CREATE TABLE made (target BLOB, signal TEXT, destination TEXT, object TEXT, record_key TEXT, operation TEXT,
    PRIMARY KEY (target, signal)) WITHOUT ROWID;
CREATE TABLE failures (destination TEXT, mapping TEXT, rule TEXT, field TEXT, reason TEXT, count INTEGER, signal TEXT,
    PRIMARY KEY (destination, mapping, rule, field, reason)) WITHOUT ROWID;
CREATE TABLE told (signal TEXT PRIMARY KEY, raw INTEGER, trace TEXT, matched INTEGER) WITHOUT ROWID;
CREATE TABLE differences (ordinal INTEGER PRIMARY KEY, kind TEXT, body BLOB);
"""
# The last signal that asks has it, as in the ledger; and beside it the one with the newest raw item: an edit comes after
# signals that were stored after its first version.
_ASK = """
INSERT INTO wishes (target, destination, object, operation, record, stable, signal, source, rule, wanted, writes,
    late_raw, late_signal, late_stable)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?7, ?6) ON CONFLICT (target) DO UPDATE SET """
_LAST = """
writes = writes + (stable != excluded.stable), record = excluded.record, stable = excluded.stable, signal = excluded.signal,
source = excluded.source, rule = excluded.rule, wanted = max(wanted, excluded.wanted),
late_signal = CASE WHEN excluded.late_raw >= late_raw THEN excluded.late_signal ELSE late_signal END,
late_stable = CASE WHEN excluded.late_raw >= late_raw THEN excluded.late_stable ELSE late_stable END,
late_raw = max(late_raw, excluded.late_raw)"""
_FIRST = "wanted = max(wanted, excluded.wanted)"


class AskedRecord(NamedTuple):
    """A record that a signal asks for; `wanted` tells whether the run was asked about it (by source, rule, mapping)."""

    record: Record
    signal: str
    raw_id: int
    source: str
    rule: str
    wanted: bool


class RecordWish(NamedTuple):
    """A record as the run leaves it. `late` is (signal, stable) of the asking signal with the newest raw item."""

    ordinal: int
    record: Record
    signal: str
    source: str
    rule: str
    late: tuple[str, str]

    @property
    def target(self) -> Target:
        """Return what tells it apart in the ledger."""
        return target_of(self.record)


class Failed(msgspec.Struct, frozen=True):
    """Records that cannot be made, for one reason: how many, and a signal that is one of those concerned."""

    destination: str
    mapping: str
    rule: str
    field: str
    reason: str
    count: int
    signal: str


class Wishes:
    """A scratch database in a folder; it goes when it is closed, and nothing in it is worth keeping after a crash."""

    def __init__(self, folder: Path | None = None) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="hubbub-history-", dir=folder, ignore_cleanup_errors=True)
        self.folder = Path(self._scratch.name)
        self._db = sqlite3.connect(self.folder / "wishes.db", isolation_level=None)
        for pragma in _PRAGMAS:
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close and delete it."""
        self._db.close()
        self._scratch.cleanup()

    def begin(self) -> None:
        """Begin a batch."""
        self._db.execute("BEGIN")

    def end(self) -> None:
        """End a batch."""
        self._db.execute("COMMIT")

    # ------------------------------------------------------------------------------------------------------- gathering

    def ask(self, asked: Iterable[AskedRecord]) -> None:
        """Keep what signals ask for, in their order: the last one wins, but a ticket or comment is made once."""
        for one in asked:
            is_once = one.record.operation in ONCE_ONLY
            self._db.execute(_ASK + (_FIRST if is_once else _LAST), _row(one))

    def open(self, conversation: str, destination: str, signal: str) -> None:
        """Note that a signal opens a conversation's ticket; the first one does."""
        self._db.execute("INSERT OR IGNORE INTO opened VALUES (?, ?, ?)", (conversation, destination, signal))

    def opened(self, conversations: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the signals that opened the tickets of conversations in this run, by destination."""
        found: dict[str, dict[str, str]] = {}
        for part in chunks(conversations):
            marks = ",".join("?" * len(part))
            query = f"SELECT conversation, destination, signal FROM opened WHERE conversation IN ({marks})"  # noqa: S608 - marks only
            for conversation, destination, signal in self._db.execute(query, part):
                found.setdefault(conversation, {})[destination] = signal
        return found

    def was_made(self, rows: Iterable[tuple[Target, str]]) -> None:
        """Note which records the ledger has by which signals."""
        self._db.executemany(
            "INSERT OR IGNORE INTO made VALUES (?, ?, ?, ?, ?, ?)",
            ((_digest(target), signal, *target) for target, signal in rows),
        )

    def fail(self, failed: Iterable[Failed]) -> None:
        """Count records that cannot be made."""
        self._db.executemany(
            "INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            (
                msgspec.structs.astuple(msgspec.structs.replace(one, reason=one.reason[:LONGEST_REASON]))
                for one in failed
            ),
        )

    def tell(self, signal: str, raw_id: int, trace: Trace, *, matched: bool) -> None:
        """Keep the new trace of a signal about which this run decides otherwise."""
        row = (signal, raw_id, encode_trace(trace), matched)
        self._db.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", row)

    # --------------------------------------------------------------------------------------------------------- reading

    def wanted(self, *, after: int, limit: int) -> list[RecordWish]:
        """Return the next wishes that the run was asked about, in the order in which they may be sent."""
        query = """SELECT ordinal, record, signal, source, rule, late_signal, late_stable FROM wishes
            WHERE ordinal > ? AND wanted ORDER BY ordinal LIMIT ?"""
        return [
            RecordWish(row[0], _record.decode(row[1]), row[2], row[3], row[4], (row[5], row[6]))
            for row in self._db.execute(query, (after, limit))
        ]

    def unmade(self, *, size: int = 500) -> Iterator[list[Target]]:
        """Yield records of the ledger that no signal asks for any more, in parts."""
        query = """SELECT DISTINCT target, destination, object, record_key, operation FROM made
            WHERE target NOT IN (SELECT target FROM wishes) AND target > ? ORDER BY target LIMIT ?"""
        last = b""
        while rows := self._db.execute(query, (last, size)).fetchall():
            yield [Target(*row[1:]) for row in rows]
            last = rows[-1][0]

    def has_made(self, target: Target, signal: str) -> bool:
        """Return True if the ledger has a record by a signal of this run."""
        query = "SELECT 1 FROM made WHERE target = ? AND signal = ?"
        return self._db.execute(query, (_digest(target), signal)).fetchone() is not None

    def count(self) -> int:
        """Count the wishes that the run was asked about."""
        return int(self._db.execute("SELECT count(*) FROM wishes WHERE wanted").fetchone()[0])

    def writes(self) -> list[tuple[str, str, str, str, str, int]]:
        """Return (destination, object, operation, source, rule, writes): what living through this history would have sent."""
        query = """SELECT destination, object, operation, source, rule, sum(writes) FROM wishes
            WHERE wanted GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"""
        return self._db.execute(query).fetchall()

    def failures(self, limit: int) -> list[Failed]:
        """Return the most frequent reasons why records cannot be made."""
        query = "SELECT * FROM failures ORDER BY count DESC, destination, mapping, rule, field, reason LIMIT ?"
        return [Failed(*row) for row in self._db.execute(query, (limit,))]

    def failed(self) -> int:
        """Count the records that cannot be made."""
        return int(self._db.execute("SELECT coalesce(sum(count), 0) FROM failures").fetchone()[0])

    def told(self, signals: Iterable[str]) -> dict[str, tuple[int, Trace, bool]]:
        """Return the new traces of these signals: key to (raw row, trace, matched)."""
        query = "SELECT raw, trace, matched FROM told WHERE signal = ?"
        rows = ((key, self._db.execute(query, (key,)).fetchone()) for key in set(signals))
        return {key: (row[0], decode_trace(row[1]), bool(row[2])) for key, row in rows if row}

    def spool(self, differences: Iterable[tuple[str, Any]]) -> None:
        """Keep differences (kind, value) to be shown."""
        self._db.executemany(
            "INSERT INTO differences (kind, body) VALUES (?, ?)",
            ((kind, msgspec.json.encode(value)) for kind, value in differences),
        )

    def spooled(self) -> Iterator[dict[str, Any]]:
        """Yield the differences that were kept, kind by kind."""
        for row in self._db.execute("SELECT body FROM differences ORDER BY kind, ordinal"):
            yield msgspec.json.decode(row[0])


def target_of(record: Record) -> Target:
    """Return what tells a record apart in the ledger."""
    return Target(record.destination, record.object, record.key, record.operation)


def _row(one: AskedRecord) -> tuple[Any, ...]:
    record, target = one.record, _digest(target_of(one.record))
    kind = (record.destination, record.object, record.operation)
    body = msgspec.json.encode(record)
    return target, *kind, body, record.stable, one.signal, one.source, one.rule, one.wanted, one.raw_id


def _digest(target: Target) -> bytes:
    """Digest a target to 16 bytes: an index over the words themselves would be as large as the records."""
    return blake2b("\x1f".join(target).encode("utf-8", "replace"), digest_size=16).digest()
