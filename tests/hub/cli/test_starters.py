"""The starters' rules do what they say, on the facts that come with them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.core.grammar.facts import merge, skeleton
from hub.core.route import compile_rules
from hub.core.spec import Rule, Topic
from hub.core.topics import compile_topics
from tests.hub.cli.test_setup import STARTERS

FIRST = STARTERS / "first"
FACTS = [msgspec.json.decode(line) for line in (FIRST / "facts.jsonl").read_bytes().splitlines()]
LEADS = [True, True, True, False, False, False, False]
"""Which lines of the starter's facts are purchase intent by somebody unknown."""


def matched(facts: dict[str, Any], folder: Path = FIRST) -> list[str]:
    """The rules that hold for such facts; topics are found in the text."""
    topics = compile_topics(msgspec.convert(read(folder / "topics.toml")["topic"], list[Topic]))
    rules = compile_rules(msgspec.convert(read(folder / "rules.toml")["rule"], list[Rule]))
    given = {**facts, "topics": list(topics.match(facts["signal"]["text"], ()))}
    return [trace.rule for trace in rules.decide(merge(given, skeleton())) if trace.matched]


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def post(text: str, **more: Any) -> dict[str, Any]:
    return {"signal": {"text": text, "kind": "post"}, **more}


@pytest.mark.parametrize(("facts", "is_lead"), list(zip(FACTS, LEADS, strict=True)), ids=range(1, len(FACTS) + 1))
def test_purchase_intent_by_somebody_unknown_makes_a_lead(facts: dict[str, Any], is_lead: bool) -> None:
    assert ("purchase intent" in matched(facts)) == is_lead


@pytest.mark.parametrize(
    "text",
    [
        "where can I buy your brand",
        "Wo gibt es Your Brand in Köln?",
        "je voudrais acheter your brand",
        "¿Dónde puedo comprar Your Brand?",
        "Quanto costa Your Brand?",
        "onde comprar your brand",
        "Waar kan ik kopen, your brand graag",
    ],
)
def test_purchase_intent_is_heard_in_seven_languages(text: str) -> None:
    assert "purchase intent" in matched(post(text))


@pytest.mark.parametrize("person", [None, "person:1"])
def test_the_demo_makes_no_lead_of_somebody_known(person: str | None) -> None:
    facts = post("Where can I buy Fernhoof shoes?", person={"key": person})
    assert ("purchase intent" in matched(facts, STARTERS / "demo" / "demo")) == (person is None)


def test_a_bot_is_no_lead() -> None:
    assert "purchase intent" not in matched(post("where can I buy your brand", author={"is_bot": True}))
