"""`hub dry-run`, `hub replay` and `hub cost`, over a demo that has run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.cli.conftest import Cli
from tests.hub.cli.terminal import World, make_world

ELSE = """[[rule]]
name = "everything"
when = ['signal.key != ""']
deliver = [{ destination = "zendesk", mapping = "signal" }]
"""


def differing(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for line in report["records"] if line.get("new") or line.get("changed") or line.get("gone")]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Rules that deliver everything to Zendesk."""
    file = tmp_path / "other.toml"
    file.write_text(ELSE)
    return file


def test_the_same_book_differs_from_the_demo_in_nothing(cli: Cli, in_world: World) -> None:
    said = cli("dry-run", "--json")
    assert (said.code, said.err) == (0, "")
    assert differing(said.json) == []
    assert said.json["signals"] == len(in_world.signals)
    assert sum(line["same"] for line in said.json["records"]) > 50
    assert (said.json["unreadable"], said.json["otherwise"], said.json["failed"]) == (0, 0, 0)


def test_other_rules_differ_by_record(cli: Cli, in_world: World, other: Path) -> None:
    found = cli("dry-run", "--rules", other, "--json", "--show", 3).json
    lines = {(line["destination"], line["object"]): line for line in found["records"]}
    have = sum(one["object"] == "social_signal" and one["destination"] == "zendesk" for one in in_world.deliveries)
    boosts = sum(one["kind"] == "repost" for one in in_world.signals)  # they are counted at what they boost
    assert lines["zendesk", "social_signal"]["new"] == len(in_world.signals) - boosts - have
    assert boosts > 0
    assert lines["salesforce", "Social_Signal__c"]["gone"] > 10
    kinds = [one["kind"] for one in found["examples"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {"new": 3, "gone": 3} | (
        {"changed": kinds.count("changed")} if "changed" in kinds else {}
    )


def test_a_person_reads_examples_a_table_and_what_it_costs(cli: Cli, in_world: World, other: Path) -> None:
    said = cli("dry-run", "--rules", other, "--show", 1)
    assert said.code == 0
    for words in ("new     zendesk/social_", "no longer made", "decided otherwise", "destination  zendesk", "a month"):
        assert words in said.out


def test_every_difference_comes_as_a_line_where_all_are_asked_for(cli: Cli, in_world: World, other: Path) -> None:
    report, *differences = cli("dry-run", "--rules", other, "--full", "--json").jsonl
    wanted = sum(line.get(kind, 0) for line in report["records"] for kind in ("new", "changed", "gone"))
    assert len(differences) == wanted > 100


def test_a_look_at_the_past_sends_nothing(cli: Cli, in_world: World, other: Path) -> None:
    before = in_world.deliveries
    cli("dry-run", "--rules", other)
    cli("replay")
    assert in_world.deliveries == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dry-run", "--rules", "nowhere.toml"], "nowhere.toml: there is no such file"),
        (["dry-run", "--topics", "nowhere.toml"], "nowhere.toml: there is no such file"),
        (["dry-run", "--mappings", "nowhere"], "nowhere: there is no such folder"),
        (["dry-run", "--mappings", "demo"], "holds no mapping"),
        (["replay", "--since", "a while"], "--since wants a span"),
        (["replay", "--rule", "nothing"], "there is no rule 'nothing'"),
        (["replay", "--source", "nothing"], "there is no source 'nothing'"),
        (["replay", "--mapping", "nothing"], "there is no mapping 'nothing'"),
        (["cost", "--since", "7x"], "--since wants a span"),
    ],
)
def test_what_cannot_be_is_said_with_code_2(cli: Cli, in_world: World, arguments: list[str], says: str) -> None:
    said = cli(*arguments)
    assert said.code == 2
    assert says in " ".join(said.err.replace("│", " ").split())


def test_without_a_database_there_is_no_history(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    assert [cli(command).code for command in ("dry-run", "replay", "cost")] == [4, 4, 4]


@pytest.mark.parametrize("since", ["20000d", "2020-01-01", "2020-01-01T00:00:00+01:00"])
def test_a_span_and_a_moment_name_the_same(cli: Cli, in_world: World, since: str) -> None:
    assert cli("replay", "--since", since, "--json").json["signals"] == len(in_world.signals)


def test_the_costs_of_the_demo_are_counted_by_destination_source_and_rule(cli: Cli, in_world: World) -> None:
    found = cli("cost", "--json").json
    records = {share["name"]: share["now"]["records"] for share in found["destinations"]}
    assert sum(records.values()) == len(in_world.deliveries)
    assert {share["name"] for share in found["sources"]} == {"mastodon", "bluesky", "news"}
    assert found["total"]["now"]["items"] > 100
    assert "all" in cli("cost").out


def test_on_the_first_day_a_month_is_judged_by_when_the_posts_were_said(cli: Cli, in_world: World) -> None:
    found = cli("cost", "--json").json
    assert found["basis"] == "posts"
    assert found["total"]["month"]["calls"] > found["total"]["now"]["calls"]
    assert "a month as the posts of" in cli("cost").out


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A small demo that may be changed."""
    with make_world(tmp_path_factory.mktemp("replayed"), lines=8) as made:
        yield made


def test_a_replay_sends_what_differs_once(cli: Cli, own_world: World) -> None:
    config = own_world.folder / "config.toml"
    rules = own_world.folder / "demo" / "rules.toml"
    rules.write_text(rules.read_text("utf-8") + ELSE, "utf-8")
    wanted = cli("-c", config, "replay", "--rule", "everything", "--json").json
    first, second = (cli("-c", config, "replay", "--rule", "everything", "--send", "--json").json for _ in range(2))
    new = sum(line["new"] for line in wanted["records"])
    assert (first["planned"], second["planned"]) == (new, 0)
    waiting = [one for one in own_world.deliveries if one["state"] == "pending"]
    assert len(waiting) == new > 5
    assert json.dumps([one["rule"] for one in waiting]).count("everything") == new
