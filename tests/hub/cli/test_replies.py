"""`hub replies list|approve|refuse`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.core.model import Planned
from hub.store import Store
from tests.databases import Databases
from tests.hub.cli.terminal import Said
from tests.hub.store.given import NOON, record

Cli = Callable[..., Said]
CONFIG = '[sources.town]\nplugin = "webhook"\noptions = { scheme = "none" }\n'


@pytest.fixture
def waiting(cli: Cli, databases: Databases, tmp_path: Path) -> Iterator[Store]:
    """The store of a folder with two deliveries that wait for approval."""
    (tmp_path / "config.toml").write_text(CONFIG)
    store = databases.open(databases.sqlite(tmp_path / "data" / "hubbub.db"))
    with store.database.write() as conn:
        planned = [Planned(record(f"rss:{number}"), f"rss:{number}", "rule", "approval") for number in range(2)]
        store.outbox.plan(conn, planned, now=NOON)
    yield store
    store.close()


def test_what_waits_is_listed_with_its_words(waiting: Store, cli: Cli) -> None:
    listed = cli("replies", "list", "--json").json
    assert [(one["id"], one["signal"], bool(one["text"])) for one in listed] == [(1, "rss:0", True), (2, "rss:1", True)]


def test_each_gets_its_word(waiting: Store, cli: Cli) -> None:
    assert cli("replies", "approve", "1").out.strip() == "1 approved"
    assert cli("replies", "refuse", "2", "--note", "too rude").out.strip() == "1 refused"
    states = {row["id"]: row["state"] for row in waiting.outbox.recent()}
    assert states == {1: "pending", 2: "discarded"}
    assert [entry["action"] for entry in cli("audit", "--json").json] == ["refuse", "approve"]


def test_what_does_not_wait_is_told_with_a_way_out(waiting: Store, cli: Cli) -> None:
    said = cli("replies", "approve", "1", "7")
    assert (said.code, "7: no reply" in said.err, "hub deliveries list" in said.err) == (1, True, True)
    assert {row["state"] for row in waiting.outbox.recent()} == {"approval"}


def test_nothing_that_waits_is_told_so(waiting: Store, cli: Cli) -> None:
    cli("replies", "approve", "1", "2")
    assert cli("replies", "list").out.strip() == "no reply waits for approval"
