"""What was deleted leaves the database's files too."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text, update

from hub.store import Store, residue
from hub.store.residue import scrub
from hub.store.schema import signals
from tests.hub.store.given import judged, signal

WORD = "heirloom"


@pytest.fixture
def grown(sqlite_store: Store) -> Store:
    """A store whose rows grew, so that pages were split, and lost their words."""
    store = sqlite_store
    for number in range(60):
        with store.database.write() as conn:
            store.signals.add(conn, [judged(signal(f"rss:{number}", text=f"{WORD} {number} " * (1 + number % 40)))])
            grow = {"body": signals.c.body + "x" * (number * 37 % 3000)}
            conn.execute(update(signals).where(signals.c.key == f"rss:{number // 2}").values(grow))
    with store.database.write() as conn:
        conn.execute(update(signals).values(body="{}", trace="{}"))
    return store


def files_with(word: str, folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("hub.db*") if word.encode() in file.read_bytes())


def test_deleted_words_stand_in_the_files_until_they_are_scrubbed(grown: Store, tmp_path: Path) -> None:
    assert files_with(WORD, tmp_path) != []
    assert scrub(grown.database, (signals,), whole=True) == "clean"
    assert files_with(WORD, tmp_path) == []


def test_the_log_is_emptied_without_rewriting_the_file(grown: Store, tmp_path: Path) -> None:
    scrub(grown.database, (signals,), whole=False)
    assert "hub.db-wal" not in files_with(WORD, tmp_path)


def test_a_file_that_is_too_large_is_told_and_its_log_emptied(
    grown: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residue, "REWRITABLE", 4096)
    assert scrub(grown.database, (signals,), whole=True) == "large"
    assert "hub.db-wal" not in files_with(WORD, tmp_path)


def test_a_reader_in_the_way_lets_it_be_tried_again(grown: Store, tmp_path: Path) -> None:
    reader = sqlite3.connect(tmp_path / "hub.db")
    reader.execute("begin")
    reader.execute("select count(*) from signals").fetchone()
    with grown.database.write() as conn:
        conn.execute(text("delete from cursors"))
    assert scrub(grown.database, (signals,), whole=False) == "busy"
    reader.close()
    assert scrub(grown.database, (signals,), whole=True) == "clean"


def test_each_connection_zeroes_what_it_frees(sqlite_store: Store) -> None:
    with sqlite_store.database.read() as conn:
        assert conn.execute(text("PRAGMA secure_delete")).scalar() == 1


def test_on_both_databases_it_leaves_the_rows_as_they_are(store: Store) -> None:
    with store.database.write() as conn:
        store.signals.add(conn, [judged(signal("rss:1"))])
    assert scrub(store.database, (signals,), whole=True) == "clean"
    assert store.signals.count() == 1
