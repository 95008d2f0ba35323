"""`hub init`, `hub config show`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.hub.cli.conftest import Cli

STARTERS = Path(__file__).resolve().parents[3] / "hub" / "cli" / "starters"


def variables(folder: Path) -> set[str]:
    """The environment variables that a configuration names."""
    lines = (line for line in (folder / "config.toml").read_text("utf-8").splitlines() if not line.startswith("#"))
    return {name for line in lines for name in re.findall(r'env = "(\w+)"', line.split("  #")[0])} - {"NAME"}


def test_the_first_configuration_is_right_once_its_variables_exist(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("init").code == 0
    assert cli("check", "--offline").code == 2
    for name in variables(tmp_path):
        monkeypatch.setenv(name, "something")
    said = cli("check", "--offline")
    assert (said.code, said.out.strip()) == (0, "the configuration is right")


def test_each_missing_variable_is_one_problem(cli: Cli, tmp_path: Path) -> None:
    cli("init")
    problems = cli("check", "--offline", "--json").json
    assert {one["message"].split()[-1] for one in problems} == variables(tmp_path)
    assert len(problems) == len(variables(tmp_path))


def test_the_demo_is_right_without_any_variable(cli: Cli) -> None:
    assert cli("init", "--demo").code == 0
    assert cli("check", "--offline").code == 0


def test_a_first_feed_is_right_at_once_and_holds_the_addresses_as_they_were_given(cli: Cli) -> None:
    feeds = ["https://one.example/feed?a=1&b=2", "https://two.example/\u00e9.xml"]
    said = cli("init", "--feed", feeds[0], "--feed", feeds[1])
    assert (said.code, said.out.splitlines()[-1]) == (0, "next: hub check, then hub up")
    assert cli("check", "--offline").code == 0
    assert cli("config", "show").json["sources"]["news"]["options"]["feeds"] == feeds


@pytest.mark.parametrize("address", ["", "ftp://one.example", "one.example/feed", "https://", "https://one. example/"])
def test_what_is_no_address_of_a_feed_is_refused_before_anything_is_written(
    cli: Cli, tmp_path: Path, address: str
) -> None:
    said = cli("init", "--feed", address)
    assert (said.code, list(tmp_path.glob("*.toml"))) == (2, [])
    assert "begins with https:// or http://" in said.err


def test_a_feed_that_a_kept_configuration_does_not_take_is_told(cli: Cli) -> None:
    cli("init", "--feed", "https://one.example/feed")
    said = cli("init", "--feed", "https://two.example/feed")
    assert (said.code, "--force" in said.err) == (1, True)
    assert cli("init", "--feed", "https://two.example/feed", "--force").code == 0


def test_a_first_feed_has_no_notes_about_topics_without_rules(cli: Cli) -> None:
    cli("init", "--feed", "https://one.example/feed")
    assert "note" not in cli("check", "--offline").out


def test_init_keeps_what_is_there_unless_told_otherwise(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("# mine")
    said = cli("init")
    assert "kept" in said.out
    assert (tmp_path / "rules.toml").read_text() == "# mine"
    assert cli("init", "--force").code == 0
    assert (tmp_path / "rules.toml").read_text() != "# mine"


def test_init_writes_the_configuration_under_the_name_that_was_asked_for(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", "-c", tmp_path / "etc" / "hub.toml").code == 0
    assert sorted(file.name for file in (tmp_path / "etc").iterdir()) == [
        "facts.jsonl",
        "hub.toml",
        "rules.toml",
        "topics.toml",
    ]


def test_config_show_fills_in_defaults_and_hides_secrets(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[database]\nurl = "postgresql://hub:hunter2@db.example/hub"\n'
        '[sandbox]\ntoken = "hunter2"\n'
        '[destinations.desk]\nplugin = "zendesk"\n'
        'options = { subdomain = "x", token = "hunter2", client_secret = { env = "DESK" } }\n'
        '[sources.news]\nplugin = "rss"\noptions = { feeds = ["https://x.example/f?a=1&token=hunter2",'
        ' "https://x.example?key=hunter2", "https://x.example/f?feed_key=hunter2#top"] }\n'
    )
    said = cli("config", "show")
    assert "hunter2" not in said.out
    shown = said.json
    assert shown["database"]["url"] == "postgresql://hub:***@db.example/hub"
    assert shown["destinations"]["desk"]["options"]["client_secret"] == {"env": "DESK"}
    assert shown["web"]["port"] == 8600
    assert shown["sources"]["news"]["options"]["feeds"][0] == "https://x.example/f?a=1&token=***"


def test_config_show_as_json_is_one_array(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    assert [next(iter(one)) for one in cli("config", "show", "--json").json] == ["hub"]


@pytest.mark.parametrize("starter", ["demo", "feed", "first"])
def test_starters_name_no_real_company_but_the_networks(starter: str) -> None:
    for file in (STARTERS / starter).rglob("*.json*"):
        hosts = set(re.findall(r"https?://([\w.-]+)", file.read_text("utf-8")))
        assert all(host.endswith((".example", ".invalid")) for host in hosts), file


def test_the_sample_holds_three_hundred_posts_in_nine_languages() -> None:
    items = [
        json.loads(line)
        for file in (STARTERS / "demo" / "demo" / "posts").glob("*.jsonl")
        for line in file.read_text("utf-8").splitlines()
    ]
    languages = {one.get("language") or (one.get("record", {}).get("langs") or [None])[0] for one in items}
    assert len(items) >= 300
    assert languages >= {"en", "de", "fr", "es", "it", "pt", "nl", "ja", "ar"}
