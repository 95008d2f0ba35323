"""`hub status` and `hub reload`, as an admin types them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import pytest

from hub.flow.monitor.life import lived
from hub.queue.inprocess import InProcessBell
from hub.runtime import open_hub
from tests.hub.cli.conftest import Cli
from tests.hub.cli.terminal import World
from tests.hubs import no_rules

ROLES = ("process", "deliver", "scheduler", "web")


@pytest.fixture
def config(world: World, tmp_path: Path) -> Path:
    """A copy of the demo, in which nothing runs."""
    copytree(world.folder, tmp_path / "demo")
    return tmp_path / "demo" / "config.toml"


def beat(config: Path, **detail: object) -> None:
    """Each part gives a sign of life."""
    hub = open_hub(config, bell=InProcessBell())
    now = hub.now()
    for role in ROLES:
        said = {**lived(now - timedelta(minutes=5)), "version": "0.2.0", "activation": None, **detail}
        hub.store.connections.beat(f"{role}-here-1", role, now=now, detail=said)
    hub.close()


def test_one_screen_says_what_runs_what_waits_and_what_is_there(config: Path, cli: Cli) -> None:
    beat(config)
    said = cli("-c", config, "status")
    parts = ("processes", "process-here-1: since", "backlog", "connections", "(salesforce) ok", "rules", "versions")
    assert [
        part for part in (*parts, "SQLite revision", "salesforce (hubbub", "disk", "free") if part not in said.out
    ] == []
    assert len(said.out.splitlines()) < 50


def test_a_hub_that_does_not_run_needs_attention(config: Path, cli: Cli) -> None:
    said = cli("-c", config, "status")
    assert (said.code, "nothing runs" in said.out) == (1, True)


def test_a_hub_that_does_well_ends_with_0(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    no_rules(tmp_path)
    cli("db", "upgrade")
    beat(config)
    said = cli("status")
    assert (said.code, said.out.splitlines()[0]) == (0, "all is well"), said.out


@pytest.mark.parametrize(
    "key", ["attention", "processes", "active", "backlog", "connections", "alerts", "versions", "disk"]
)
def test_a_program_reads_the_same(config: Path, cli: Cli, key: str) -> None:
    beat(config)
    assert key in json.loads(cli("-c", config, "status", "--json").out)


@pytest.mark.parametrize(
    ("detail", "told"), [({"version": "0.1.0"}, "runs version 0.1.0"), ({"activation": 99}, "runs activation 99")]
)
def test_a_process_that_runs_something_else_is_named(
    config: Path, cli: Cli, detail: dict[str, object], told: str
) -> None:
    cli("-c", config, "reload")
    hub = open_hub(config, bell=InProcessBell())
    with hub.store.database.write() as conn:
        conn.exec_driver_sql("UPDATE activations SET at = at - 3600000000")
    hub.close()
    beat(config, **detail)
    said = cli("-c", config, "status")
    assert (said.code, told in said.out) == (1, True)


def test_a_connection_that_a_process_cannot_have_is_no_fine_one(config: Path, cli: Cli) -> None:
    beat(config, broken={"destinations.salesforce": "the environment has no variable TOKEN"})
    said = cli("-c", config, "status")
    told = "salesforce (salesforce) failing: the environment has no variable TOKEN"
    needed = "destination salesforce is failing: the environment has no variable TOKEN"
    assert [line for line in (told, needed) if line not in said.out] == []


def test_a_part_that_does_not_run_is_named(cli: Cli, config: Path) -> None:
    hub = open_hub(config, bell=InProcessBell())
    hub.store.connections.beat("web-here-1", "web", now=hub.now(), detail=None)
    hub.close()
    said = cli("-c", config, "status").out
    assert [role for role in ("process", "deliver", "scheduler") if f"no {role} runs" not in said] == []


def test_a_restored_hub_says_first_that_nothing_is_sent(config: Path, cli: Cli, tmp_path: Path) -> None:
    cli("-c", config, "backup", tmp_path / "kept.zip")
    (tmp_path / "new").mkdir()
    new = tmp_path / "new" / "config.toml"
    assert cli("-c", new, "restore", tmp_path / "kept.zip").code == 0
    assert "nothing is sent: restored from kept.zip" in cli("-c", new, "status").out.splitlines()[1]


def test_reload_says_what_it_changed_and_nothing_the_second_time(config: Path, cli: Cli) -> None:
    first, second = cli("-c", config, "reload"), cli("-c", config, "reload")
    assert (first.code, "activation 1: rules, topics" in first.out) == (0, True)
    assert "nothing has changed: activation 1 is in force" in second.out


def test_reload_refuses_files_with_errors_and_names_them(config: Path, cli: Cli) -> None:
    cli("-c", config, "reload")
    rules = config.parent / "demo" / "rules.toml"
    rules.write_text(rules.read_text() + '\n[[rule]]\nname = "half')
    said = cli("-c", config, "reload")
    assert (said.code, str(rules) in said.err) == (2, True)
    assert "the files differ" in cli("-c", config, "status").out
