"""`hub people` and `hub audit` in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hub.cli.terminal import Said, run

GROUND = ("--basis", "order_reference", "--evidence", "order 4711")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    assert run("-c", file, "init").code == 0
    assert run("-c", file, "db", "upgrade").code == 0
    return file


def people(config: Path, *arguments: Any) -> Said:
    return run("-c", config, "people", *arguments)


def test_a_person_is_made_linked_and_shown(config: Path) -> None:
    key = people(config, "add", "Ada", "--email", "ada@example.com").out.strip()
    assert people(config, "link", "mastodon:abc", key, *GROUND).code == 0
    shown = people(config, "show", key[:15], "--json").json
    assert (shown["display_name"], shown["emails"]) == ("Ada", ["ada@example.com"])
    assert [(link["author_key"], link["basis"]) for link in shown["links"]] == [("mastodon:abc", "order_reference")]
    assert "order 4711" in people(config, "show", key).out


def test_a_link_without_a_basis_is_refused(config: Path) -> None:
    key = people(config, "add", "Ada").out.strip()
    assert people(config, "link", "mastodon:abc", key, "--evidence", "x").code == 2
    said = people(config, "link", "mastodon:abc", key, "--basis", "hunch", "--evidence", "x")
    assert (said.code, "needs a basis" in said.err) == (1, True)


def test_what_was_done_can_be_undone_and_is_in_the_audit_log(config: Path) -> None:
    ada, twin = (people(config, "add", name).out.strip() for name in ("Ada", "Twin"))
    people(config, "link", "mastodon:abc", twin, *GROUND)
    assert people(config, "merge", twin, ada).code == 0
    assert [row["key"] for row in people(config, "list", "--json").json] == [ada]
    assert people(config, "unmerge", twin).code == people(config, "unlink", "mastodon:abc").code == 0
    actions = [row["action"] for row in run("-c", config, "audit", "--json").json]
    assert actions == ["unlink", "unmerge", "merge", "link", "person", "person"]


@pytest.mark.parametrize("arguments", [("show", "nobody"), ("unlink", "rss:x"), ("unmerge", "nobody")], ids=str)
def test_what_is_not_there_is_told(config: Path, arguments: tuple[str, ...]) -> None:
    said = people(config, *arguments)
    assert (said.code, "error" in said.err) == (1, True)
