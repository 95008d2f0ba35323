"""The rules of the four tiers. A tier is reached when all rules up to it that apply are done, or exempt with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TIERS = ("bronze", "silver", "gold", "platinum")
ALL = frozenset({"source", "destination", "enricher"})
VENDORS = frozenset({"source", "destination"})
SOURCES = frozenset({"source"})


@dataclass(frozen=True, slots=True)
class QualityRule:
    """A rule: its id in `quality.toml`, its tier, a sentence, and the kinds of connectors that it applies to."""

    id: str
    tier: str
    text: str
    kinds: frozenset[str] = ALL


RULES = (
    QualityRule("options_documented", "bronze", "Every option has a description, and stands in a table of the README."),
    QualityRule("check", "bronze", "`check` tries the connection and says who we are there."),
    QualityRule("contract_suites", "bronze", "The tests subclass the contract suite of each class, and pass."),
    QualityRule("look_alike", "bronze", "A look-alike of the vendor (a sandbox) is shipped, and starts."),
    QualityRule(
        "readme", "bronze", "The README has sections for credentials with their scopes, limits, price, and terms."
    ),
    QualityRule(
        "edits", "silver", "An edit is taken as a new revision; a record that was sent before is changed.", VENDORS
    ),
    QualityRule(
        "deletions",
        "silver",
        "A deletion is followed within the declared duty, and asked for if none is told.",
        VENDORS,
    ),
    QualityRule(
        "errors_mapped", "silver", "401, 403, 429, 5xx and a used-up quota become errors that the engine acts on."
    ),
    QualityRule("backfill_bounded", "silver", "The first poll reads back to a bound that an option sets.", SOURCES),
    QualityRule("secrets_hidden", "silver", "Credentials are SecretStr, and stand in no log, error or page."),
    QualityRule("hostile_bodies", "silver", "Broken, huge and hostile bodies end in a value or in a TranslationError."),
    QualityRule(
        "replies",
        "gold",
        "Answers are posted once, also after a kill; or `can_reply` says why there are none.",
        SOURCES,
    ),
    QualityRule("push", "gold", "What the vendor pushes or streams is taken, and a gap is filled by asking.", VENDORS),
    QualityRule("reauthorised", "gold", "A refused connection goes on in place once it has new credentials.", VENDORS),
    QualityRule("recorded_items", "gold", "Tests read items that the real service sent.", VENDORS),
    QualityRule(
        "paced",
        "gold",
        "The vendor's limits are declared, so that the pace is kept before the vendor refuses.",
        VENDORS,
    ),
    QualityRule("cost", "gold", "The README says what work takes: calls and their price, or time on this machine."),
    QualityRule("real_server", "platinum", "The tests run against a real server."),
    QualityRule("measured_rate", "platinum", "The README has a measured rate."),
    QualityRule("picture_guide", "platinum", "A guide leads through the set-up with pictures."),
)
BY_ID = {rule.id: rule for rule in RULES}


def rules_for(kinds: Iterable[str]) -> list[QualityRule]:
    """Return the rules that apply to a plugin that offers these kinds, in the order of the tiers."""
    offered = frozenset(kinds)
    return [rule for rule in RULES if rule.kinds & offered]


def tier_of(settled: Iterable[str], kinds: Iterable[str]) -> str:
    """Return the highest tier whose rules, and all below them, are among the settled ids; "" if there is none."""
    ids, reached = set(settled), ""
    applying = rules_for(kinds)
    for tier in TIERS if applying else ():
        if any(rule.tier == tier and rule.id not in ids for rule in applying):
            break
        reached = tier
    return reached


def missing_for_next(settled: Iterable[str], kinds: Iterable[str]) -> tuple[str, list[QualityRule]]:
    """Return the next tier and the rules that it still wants; ("", []) if the highest is reached."""
    ids = set(settled)
    reached = tier_of(ids, kinds)
    tier = TIERS[TIERS.index(reached) + 1 if reached else 0] if reached != TIERS[-1] else ""
    return tier, [rule for rule in rules_for(kinds) if rule.tier == tier and rule.id not in ids]
