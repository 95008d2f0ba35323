"""Faults that users of such programs reported, tried at the terminal as they were."""

from __future__ import annotations

from pathlib import Path

from tests.hub.cli.terminal import run
from tests.material import shared


def case(name: str) -> Path:
    return shared(f"cases/{name}/config.toml")


def test_each_way_of_writing_finds_its_topic() -> None:
    config = case("06-topics")
    said = run("-c", config, "rules", "test", config.parent / "06-apostrophe.jsonl", "--json")
    assert said.code == 0
    assert [rule["matched"] for line in said.json for rule in line["rules"]] == [True] * 5


def test_office_hours_are_those_of_the_zone() -> None:
    config = case("13-local-time")
    said = run("-c", config, "rules", "test", config.parent / "13-facts.jsonl")
    assert (said.code, "office hours in Paris  yes" in said.out) == (0, True)
    assert run("-c", config, "check", "--offline").code == 0


def test_an_address_without_a_scheme_is_an_error_with_the_way_out() -> None:
    said = run("-c", case("14-public-url"), "check", "--offline")
    assert (said.code, "web.public_url: write a whole address" in said.out) == (2, True)


def test_a_byte_order_mark_is_skipped() -> None:
    assert run("-c", case("15-bom"), "check", "--offline").code == 0
