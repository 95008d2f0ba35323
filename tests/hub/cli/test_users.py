"""`hub users` at the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.hub.cli.terminal import Said, run

LINK = re.compile(r"http://127\.0\.0\.1:8600/welcome/[\w-]{43}")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose database is not there yet."""
    file = tmp_path / "config.toml"
    file.write_text("")
    (tmp_path / "rules.toml").write_text("")
    (tmp_path / "topics.toml").write_text("")
    return file


def users(config: Path, *arguments: object) -> Said:
    return run("-c", config, "users", *arguments)


def test_the_first_admin_is_made_before_anything_runs_and_gets_a_link(config: Path) -> None:
    said = users(config, "add", "Ines", "--role", "admin", "--full-name", "Ines Ito")
    assert said.code == 0, said.err
    assert "Ines Ito (ines, admin)" in said.out
    assert LINK.search(said.out)


def test_the_list_says_who_there_is_and_without_users_what_to_do(config: Path) -> None:
    run("-c", config, "db", "upgrade")
    assert "hub users add NAME --role admin" in users(config, "list").out
    users(config, "add", "ines", "--role", "admin")
    (row,) = users(config, "list", "--json").json
    assert (row["name"], row["role"], row["sources"], row["state"]) == ("ines", "admin", "all", "open")


def test_rights_state_and_password_are_changed_by_name(config: Path) -> None:
    users(config, "add", "ines", "--role", "admin")
    users(config, "add", "bea", "--role", "agent")
    assert "bea is viewer and sees all sources" in users(config, "set", "bea", "--role", "viewer").out
    assert "bea is closed" in users(config, "disable", "BEA").out
    assert "bea is open again" in users(config, "enable", "bea").out
    assert LINK.search(users(config, "reset", "bea").out)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "b b"), "'b b' is no user name"),
        (("add", "bea", "--role", "king"), "write one of viewer, rep, analyst, agent, manager, admin"),
        (("add", "bea", "--source", "shop"), "there is no source 'shop'"),
        (("add", "ines"), "there is a user ines already"),
        (("reset", "bob"), "`hub users list` shows all"),
        (("disable", "ines"), "last admin"),
        (("set", "ines", "--role", "viewer"), "last admin"),
    ],
)
def test_what_cannot_be_is_told_with_the_way_out(config: Path, arguments: tuple[str, ...], says: str) -> None:
    users(config, "add", "ines", "--role", "admin")
    said = users(config, *arguments)
    assert (said.code, says in said.err) == (1, True), said.err
