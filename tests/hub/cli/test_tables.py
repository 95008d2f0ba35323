"""What `signals`, `deliveries`, `explain`, `plugins`, `mappings` and `rules` show, over a demo that has run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from hub.cli import show
from tests.hub.cli.conftest import Cli
from tests.hub.cli.terminal import World

DELIVERY = {"id", "destination", "object", "signal", "state", "attempts", "remote", "error"}


def test_all_that_was_said_and_sent_is_listed(in_world: World) -> None:
    assert {one["network"] for one in in_world.signals} == {"mastodon", "bluesky", "rss"}
    assert {one["state"] for one in in_world.deliveries} == {"delivered"}
    assert {one["destination"] for one in in_world.deliveries} == {"salesforce", "hubspot", "zendesk"}
    assert all(one.keys() >= DELIVERY for one in in_world.deliveries)


def test_a_conversation_is_one_ticket(in_world: World) -> None:
    homes = {one["key"]: one.get("conversation_key") or one["key"] for one in in_world.signals}
    tickets = [one for one in in_world.deliveries if one["operation"] == "create"]
    assert tickets
    assert max(Counter(homes[one["signal"]] for one in tickets).values()) == 1


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (["--network", "rss"], lambda one: one["network"] == "rss"),
        (["--matched"], lambda one: one["matched"]),
        (["--unmatched"], lambda one: not one["matched"]),
        (["--source", "bluesky"], lambda one: one["provenance"]["source"] == "bluesky"),
    ],
)
def test_signals_can_be_chosen(cli: Cli, in_world: World, options: list[str], holds: Any) -> None:
    found = cli("signals", "list", "--json", "--limit", 0, *options).json
    assert found
    assert all(map(holds, found))
    assert 0 < len(found) < len(in_world.signals)


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [("--destination", "zendesk", "destination"), ("--state", "delivered", "state"), ("--object", "Lead", "object")],
)
def test_deliveries_can_be_chosen(cli: Cli, in_world: World, option: str, value: str, field: str) -> None:
    found = cli("deliveries", "list", "--json", option, value).json
    assert found
    assert {one[field] for one in found} == {value}


def test_the_deliveries_of_a_signal_are_found_by_the_beginning_of_its_key(cli: Cli, in_world: World) -> None:
    key = in_world.deliveries[0]["signal"]
    found = cli("deliveries", "list", "--json", "--signal", show.short(key)).json
    assert found
    assert {one["signal"] for one in found} == {key}


def test_what_failed_is_listed_retried_and_fails_again(cli: Cli, in_world: World) -> None:
    (failed,) = cli("signals", "list", "--failed", "--json").json
    assert (failed["plugin"], failed["connection"]) == ("mastodon", "mastodon")
    assert str(failed["id"]) in cli("signals", "list", "--failed").out
    assert cli("signals", "retry", 999999).code == 1


def test_a_signal_is_shown_whole_by_the_beginning_of_its_key(cli: Cli, in_world: World) -> None:
    one = next(one for one in in_world.signals if one["network"] == "bluesky" and one["kind"] != "repost")
    said = cli("signals", "show", show.short(one["key"])).json
    assert said["key"] == one["key"]
    assert json.loads(said["raw"])["cid"] == said["revision"]
    assert cli("signals", "show", one["key"], "--json").json == [said]


@pytest.mark.parametrize("words", ["signals show nothing", "explain nothing", "deliveries show 0", "explain bluesky:"])
def test_what_is_not_there_is_exit_code_one(cli: Cli, in_world: World, words: str) -> None:
    said = cli(*words.split())
    assert (said.code, said.out) == (1, "")


def test_explain_tells_each_rule_with_its_conditions_and_where_it_landed(cli: Cli, in_world: World) -> None:
    ticket = next(one for one in in_world.deliveries if one["rule"] == "complaint")
    said = cli("explain", ticket["signal"])
    assert "matched complaint" in said.out
    assert 'labels.sentiment.value = "negative"' in said.out
    assert ticket["remote"]["url"] in said.out
    (told,) = cli("explain", ticket["signal"], "--json").json
    assert {rule["rule"] for rule in told["rules"]} >= {"complaint", "brand mention", "press"}


def test_a_delivery_is_shown_whole(cli: Cli, in_world: World) -> None:
    one = in_world.deliveries[0]
    said = cli("deliveries", "show", one["id"]).json
    assert said.keys() >= DELIVERY | {"fields", "tries"}
    assert {name: said[name] for name in DELIVERY} == {name: one[name] for name in DELIVERY}
    assert cli("deliveries", "show", one["id"], "--json").json == [said]


def test_what_is_done_is_neither_retried_nor_discarded(cli: Cli, in_world: World) -> None:
    number = in_world.deliveries[0]["id"]
    assert [cli("deliveries", "retry", number).code, cli("deliveries", "discard", number, "--note", "x").code] == [1, 1]
    assert cli("deliveries", "retry", "--state", "dead").out.strip() == "0 due again"
    assert cli("deliveries", "retry", "--destination", "nobody").code == 2


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("listing", ["signals list", "deliveries list", "plugins list"])
def test_no_line_of_a_table_is_wider_than_the_window(
    cli: Cli, in_world: World, monkeypatch: pytest.MonkeyPatch, listing: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = cli(*listing.split(), *(["--limit", "300"] if "plugins" not in listing else [])).out.splitlines()
    assert len(lines) > 5
    assert max(map(cell_len, lines)) <= width


def test_a_key_in_a_narrow_table_still_opens_its_signal(
    cli: Cli, in_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    key = cli("signals", "list", "--limit", 1).out.splitlines()[1].split()[-1]
    assert cli("signals", "show", key).code == 0


def test_plugins_are_listed_and_shown(cli: Cli) -> None:
    names = {one["name"]: one for one in cli("plugins", "list", "--json").json}
    assert names["zendesk"]["offers"] == ["destination"]
    assert {one["state"] for one in names.values()} == {"ready"}
    (told,) = cli("plugins", "show", "mastodon", "--json").json
    assert told["options"]["properties"]["instance"]
    assert "required" in cli("plugins", "show", "mastodon").out


def test_the_shipped_mappings_pass_their_own_tests_without_a_configuration(cli: Cli) -> None:
    said = cli("mappings", "test")
    assert said.code == 0
    passed, _, total, *_ = said.out.split()
    assert int(passed) == int(total) > 20


def test_a_mapping_that_fails_its_test_says_what_it_got(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        'object = "x"\n[fields.a]\nvalue = 1\n[[test]]\nname = "two"\ngiven = {}\nexpect = { a = 2 }\n'
        '[[test]]\nname = "one"\nexpect = { a = 1 }\n'
    )
    said = cli("mappings", "test", "m.toml")
    assert (said.code, said.out.strip()) == (1, "1 of 2 mapping tests passed")
    assert "two" in said.err


def test_broken_mapping_files_are_told_together(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('object = "x"\n[fields.a]\nfrom = "signal.txt"\n')
    (tmp_path / "b.toml").write_text("fields = {}\n")
    said = cli("mappings", "test", "a.toml", "b.toml")
    assert said.code == 2
    assert "signal.txt" in said.err
    assert "object" in said.err


def test_a_mapping_is_shown_as_it_is_in_force(cli: Cli, in_world: World) -> None:
    told = cli("mappings", "show", "zendesk/ticket").json
    assert (told["object"], told["operation"], told["then"]) == ("ticket", "create", "comment")
    assert "zendesk/ticket" in cli("mappings", "show").out
    assert cli("mappings", "show", "zendesk/nothing").code == 1


def test_rules_are_tried_on_facts(cli: Cli, in_world: World, tmp_path: Path) -> None:
    facts = [
        {
            "signal": {"text": "Pennywren is awful", "kind": "post"},
            "labels": {"sentiment": {"value": "negative", "uncertain": False}},
        },
        {"signal": {"text": "Fog until noon", "kind": "post"}},
    ]
    file = tmp_path / "facts.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in facts))
    told = cli("rules", "test", file, "--json").json
    matched = [[rule["rule"] for rule in line["rules"] if rule["matched"]] for line in told]
    assert matched == [["brand mention", "complaint"], []]
    assert "brand mention" in cli("rules", "test", file).out


def test_facts_that_cannot_be_read_are_told_by_line(cli: Cli, in_world: World, tmp_path: Path) -> None:
    (tmp_path / "facts.jsonl").write_text('{"signal": {}}\nnonsense\n[]\n')
    said = cli("rules", "test", tmp_path / "facts.jsonl")
    assert said.code == 2
    assert "line 2" in said.err
    assert "line 3" in said.err


HOSTILE = "a\x1b[2Jb\x9b31mc\x07d\u202ee\u2066f\r\ng\x7fh\u200fi\u2028j"


def test_hostile_text_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show.rows([{"text": HOSTILE, "id": HOSTILE}], {"id": "id", "text": "text"}, as_json=False)
    show.fail(HOSTILE)
    show.say(show.safe(HOSTILE))
    told = capsys.readouterr()
    assert not set(told.out + told.err.replace("\n", "")) & set("\x1b\x9b\x07\u202e\u2066\r\x7f\u200f\u2028")


def test_json_says_hostile_text_with_escapes_only(capsys: pytest.CaptureFixture[str]) -> None:
    show.print_json([HOSTILE, "für 東京 🙂"])
    show.lines([HOSTILE])
    told = capsys.readouterr().out
    whole, line, _ = told.rpartition('"a')
    assert not set(told) & set("\x1b\x9b\x07\u202e\u2066\r\x7f\u200f\u2028")
    assert json.loads(whole) == [HOSTILE, "für 東京 🙂"]
    assert json.loads('"a' + _) == HOSTILE
    assert "東京" in told
    assert line


def test_a_long_text_is_cut_to_the_window_by_cells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    show.rows([{"id": 1, "text": "東京" * 40}], {"id": "id", "text": "text"}, as_json=False)
    line = capsys.readouterr().out.splitlines()[1]
    assert (line[:16], line[-1], cell_len(line)) == ("1   " + "東京" * 6, "…", 30)


def test_columns_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    show.rows([{"id": 1, "error": None}], {"id": "id", "error": "error"}, as_json=False)
    assert capsys.readouterr().out.splitlines() == ["id", "1"]
