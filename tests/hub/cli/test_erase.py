"""`hub erase` and `hub recheck` in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.queue.inprocess import InProcessBell
from hub.runtime import open_hub
from tests.hub.cli.terminal import Said, run
from tests.hub.store.given import author, judged, signal

KEY = "rss:aaaabbbb"
WORDS = "acme broke my teapot"


@pytest.fixture
def config(tmp_path: Path, unlogged: None) -> Path:
    file = tmp_path / "config.toml"
    assert run("-c", file, "init").code == 0
    assert run("-c", file, "db", "upgrade").code == 0
    hub = open_hub(file, bell=InProcessBell())
    with hub.store.database.write() as conn:
        hub.store.signals.add(conn, [judged(signal(KEY, text=WORDS))._replace(trace={"rules": "1", "topics": "1"})])
        hub.store.signals.meet(conn, [author()], now=hub.now())
    hub.close()
    return file


def erase(config: Path, *arguments: Any) -> Said:
    return run("-c", config, "erase", *arguments)


def test_a_signal_is_erased_by_the_beginning_of_its_key(config: Path) -> None:
    said = erase(config, "rss:aaaa", "--yes")
    assert (said.code, "no destination had it" in said.out, f"{KEY}: erasure" in said.out) == (0, True, True)
    shown = run("-c", config, "signals", "show", KEY, "--json")
    assert (shown.code, WORDS in shown.out, '"deleted"' in shown.out) == (0, False, True)


def test_an_erased_signal_is_explained_with_what_is_left(config: Path) -> None:
    erase(config, KEY, "--yes")
    said = run("-c", config, "explain", KEY)
    assert (said.code, "was erased" in said.out) == (0, True)
    assert "matched: " in said.out
    assert "rules " in said.out


def test_without_yes_it_is_asked_and_nothing_happens_unless_confirmed(config: Path) -> None:
    assert erase(config, KEY).code != 0
    assert WORDS in run("-c", config, "signals", "show", KEY).out


def test_an_author_is_erased_with_all_signals(config: Path) -> None:
    assert erase(config, "rss:ada", "--yes").code == 0
    assert WORDS not in run("-c", config, "signals", "list", "--json").out


def test_receipts_are_listed_and_an_audit_entry_is_kept(config: Path) -> None:
    assert "was not erased" in erase(config, KEY, "--show").out
    erase(config, KEY, "--yes")
    assert erase(config, KEY, "--show", "--json").json == []
    assert "erase" in run("-c", config, "audit").out


def test_a_key_that_nobody_has_is_an_error(config: Path) -> None:
    said = erase(config, "rss:zzzz", "--yes")
    assert (said.code, "no author has it" in said.err) == (1, True)


def test_an_unknown_source_cannot_be_rechecked(config: Path) -> None:
    said = run("-c", config, "recheck", "nowhere")
    assert (said.code, "there is no source 'nowhere'" in said.err) == (2, True)
