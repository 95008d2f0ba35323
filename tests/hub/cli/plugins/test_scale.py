"""The tiers: what is reached, and what the next one wants."""

from __future__ import annotations

import pytest

from hub.cli.plugins.quality.scale import RULES, TIERS, missing_for_next, rules_for, tier_of

SOURCE = rules_for(["source"])


def up_to(tier: str) -> set[str]:
    """The ids of a source's rules of a tier and those below."""
    reached = TIERS[: TIERS.index(tier) + 1]
    return {rule.id for rule in SOURCE if rule.tier in reached}


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_is_reached_when_all_its_rules_are_settled(tier: str) -> None:
    assert tier_of(up_to(tier), ["source"]) == tier


def test_a_hole_in_a_lower_tier_holds_all_higher_ones_back() -> None:
    assert tier_of(up_to("platinum") - {"readme"}, ["source"]) == ""
    assert tier_of(up_to("platinum") - {"edits"}, ["source"]) == "bronze"


def test_the_next_tier_and_its_open_rules_are_told() -> None:
    tier, open_rules = missing_for_next(up_to("silver") - {"edits"}, ["source"])
    assert (tier, [rule.id for rule in open_rules]) == ("silver", ["edits"])


def test_above_platinum_there_is_nothing() -> None:
    assert missing_for_next(up_to("platinum"), ["source"]) == ("", [])


def test_a_plugin_that_offers_nothing_reaches_nothing() -> None:
    assert tier_of([], []) == ""


def test_rules_are_for_what_is_offered() -> None:
    assert {rule.id for rule in rules_for(["enricher"])} & {"replies", "push", "edits"} == set()
    assert rules_for(["source", "destination"]) == rules_for(["source"])


def test_rules_are_sentences_with_their_own_ids() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert [
        rule.id for rule in RULES if not (rule.text[0].isupper() or rule.text[0] in "`4") or rule.text[-1] != "."
    ] == []
