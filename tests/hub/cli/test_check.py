"""`hub check`: all errors at once, each with file, path and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.cli.conftest import Cli
from tests.hub.cli.terminal import World
from tests.hubs import no_rules

DESK = '[destinations.desk]\nplugin = "zendesk"\noptions = { subdomain = "x", token = { file = "token" } }\n'
RULE = '[[rule]]\nname = "r"\nwhen = [{when!r}]\ndeliver = [{{ destination = "{to}", mapping = "{mapping}" }}]\n'

CASES = {
    "an unknown table": ("[hubb]\nx = 1", "", "config.toml: hubb", "unknown", "did you mean 'hub'?"),
    "an unknown key": ("[web]\nprot = 1", "", "config.toml: web.prot", "unknown", "did you mean 'port'?"),
    "a wrong type": ('[web]\nport = "many"', "", "config.toml: web.port", "whole number", ""),
    "a duration": ('[sources.a]\nplugin = "rss"\nevery = "soon"', "", "config.toml: sources.a.every", "duration", ""),
    "no plugin": ("[sources.a]\n", "", "config.toml: sources.a.plugin", "missing", "write plugin"),
    "an unknown plugin": (
        '[sources.a]\nplugin = "nobody"',
        "",
        "config.toml: sources.a.plugin",
        "nobody: no installed package",
        "pip install the package that does",
    ),
    "a wrong kind": ('[sources.a]\nplugin = "zendesk"', "", "sources.a.plugin", "no source", "it offers: destination"),
    "an option": (
        '[sources.a]\nplugin = "rss"\noptions = { feedz = [] }',
        "",
        "sources.a.options.feedz",
        "unknown",
        "'feeds'",
    ),
    "a secret in the file": (
        '[destinations.d]\nplugin = "hubspot"\noptions = { token = "abc" }',
        "",
        "destinations.d.options.token",
        "must not stand in this file",
        'token = { env = "NAME" }',
    ),
    "a missing variable": (
        '[destinations.d]\nplugin = "hubspot"\noptions = { token = { env = "ABSENT_HERE" } }',
        "",
        "destinations.d.options.token",
        "no variable ABSENT_HERE",
        "export ABSENT_HERE",
    ),
    "a missing secret file": (
        '[destinations.d]\nplugin = "hubspot"\noptions = { token = { file = "nowhere" } }',
        "",
        "destinations.d.options.token",
        "cannot be read",
        "nowhere",
    ),
    "bad CEL": (
        DESK,
        RULE.format(when='"a" in topics &&', to="desk", mapping="ticket"),
        'rule "r" when[1]',
        "column 17",
        "",
    ),
    "an unknown fact": (
        DESK,
        RULE.format(when='signal.txt == "a"', to="desk", mapping="ticket"),
        'rule "r" when[1]',
        "signal.txt",
        "did you mean signal.text?",
    ),
    "an unknown destination": (DESK, RULE.format(when="true", to="dsk", mapping="ticket"), "rules.toml", "dsk", ""),
    "an unknown mapping": (DESK, RULE.format(when="true", to="desk", mapping="tickt"), "rules.toml", "tickt", ""),
    "an unknown key of a rule": (DESK, '[[rule]]\nname = "r"\nwhenn = []', 'rule "r"', "whenn", ""),
    "TOML": ("[web", "", "config.toml", "table declaration", "toml.io"),
}


@pytest.mark.parametrize(("config", "rules", "where", "message", "hint"), CASES.values(), ids=CASES)
def test_what_is_wrong_is_told_with_its_place_and_a_way_out(
    cli: Cli, tmp_path: Path, config: str, rules: str, where: str, message: str, hint: str
) -> None:
    (tmp_path / "config.toml").write_text(config)
    (tmp_path / "rules.toml").write_text(rules)
    (tmp_path / "token").write_text("t")
    said = cli("check", "--offline", "--json")
    assert said.code == 2
    assert any(
        where in one["where"] and message in one["message"] and hint in f"{one['hint']} {one['message']}"
        for one in said.json
    ), said.out


def test_errors_of_all_files_are_told_at_once(cli: Cli, tmp_path: Path) -> None:
    wrong = "\n".join(
        config for name, (config, *_) in CASES.items() if name in {"an unknown key", "no plugin", "a missing variable"}
    )
    (tmp_path / "config.toml").write_text(f"{wrong}\n{DESK}")
    (tmp_path / "token").write_text("t")
    (tmp_path / "rules.toml").write_text(
        RULE.format(when="signal.txt == 1", to="dsk", mapping="ticket")
        + RULE.format(when="1 +", to="desk", mapping="tickt").replace('"r"', '"s"')
    )
    (tmp_path / "topics.toml").write_text('[[topic]]\nname = "a"\nkeyword = []\n')
    said = cli("check", "--offline")
    told = [
        "web.prot",
        "sources.a.plugin",
        "ABSENT_HERE",
        "signal.txt",
        "no destination dsk",
        'rule "s" when[1]',
        "no mapping tickt",
        "keyword",
    ]
    assert [word for word in told if word not in said.out] == []
    assert said.code == 2


def test_a_missing_secret_hides_what_follows_from_it(cli: Cli, tmp_path: Path) -> None:
    no_rules(tmp_path)
    (tmp_path / "config.toml").write_text(
        '[destinations.d]\nplugin = "zendesk"\n'
        'options = { subdomain = "x", client_id = "h", client_secret = { env = "ABSENT_HERE" } }\n'
    )
    assert len(cli("check", "--offline", "--json").json) == 1


def test_a_right_configuration_and_working_connections_end_with_zero(cli: Cli, in_world: World) -> None:
    said = cli("check", "--json")
    assert said.code == 0
    assert {one["where"] for one in said.json} >= {"mastodon", "bluesky", "salesforce", "hubspot", "zendesk"}
    assert cli("check").out.splitlines()[-1] == "the configuration is right"


def test_a_mapping_to_a_field_that_the_destination_lacks_is_found(cli: Cli, in_world: World, tmp_path: Path) -> None:
    shipped = cli("mappings", "show", "salesforce/lead").json
    own = tmp_path / "mappings" / "salesforce"
    own.mkdir(parents=True)
    (own / "lead.toml").write_text(
        f'object = "{shipped["object"]}"\nkeyed_by = "author"\nkey_field = "{shipped["key_field"]}"\n'
        '[fields.Shoe_Size__c]\nvalue = "43"\n'
    )
    config = tmp_path / "config.toml"
    text = (in_world.folder / "config.toml").read_text("utf-8").replace('"demo/', f'"{in_world.folder}/demo/')
    config.write_text(text, "utf-8")
    said = cli("check", "-c", config, "--json")
    assert said.code == 1
    assert any("Shoe_Size__c" in one["message"] for one in said.json if not one["fine"])


def test_check_needs_no_database_beforehand(cli: Cli, tmp_path: Path) -> None:
    no_rules(tmp_path)
    (tmp_path / "posts.jsonl").write_text("{}\n")
    (tmp_path / "config.toml").write_text(
        f'[sources.a]\nplugin = "file"\noptions = {{ path = "{tmp_path}/posts.jsonl", as_plugin = "mastodon" }}'
    )
    assert cli("check").code == 0


def test_a_connection_that_does_not_work_is_exit_code_one(cli: Cli, tmp_path: Path) -> None:
    no_rules(tmp_path)
    (tmp_path / "config.toml").write_text(
        '[sources.a]\nplugin = "file"\noptions = { path = "nothing-*", as_plugin = "mastodon" }'
    )
    said = cli("check")
    assert said.code == 1
    assert "wrong  a: Unavailable" in said.out
