"""The scale of quality, held to our own connectors: nothing that they claim is refuted, and each says what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.cli.plugins.quality.claims import FILE, Claims, read_claims
from hub.cli.plugins.quality.evidence import Evidence
from hub.cli.plugins.quality.provers import PROVERS, refuted
from hub.cli.plugins.quality.scale import RULES
from hub.cli.plugins.subject import importable, load, subject_at
from tests.house.measures import ROOT

OWN = sorted(path.parent for path in ROOT.glob("plugins/*/plugin.py"))


@pytest.mark.parametrize("folder", OWN, ids=lambda folder: folder.name)
def test_nothing_that_a_connector_claims_is_refuted(folder: Path) -> None:
    subject = subject_at(folder)
    with importable(subject):
        evidence = Evidence(subject, load(subject))
        assert evidence.plugin.reason == ""
        claims = read_claims(folder / FILE, evidence.kinds)
        assert claims.settled
        assert [str(problem) for problem in refuted(evidence, claims)] == []


def test_a_claim_too_much_is_refuted() -> None:
    subject = subject_at(ROOT / "plugins/rss")
    evidence = Evidence(subject, load(subject))
    claims = Claims(frozenset(evidence.kinds), done=frozenset({"push", "picture_guide"}))
    assert [problem.path for problem in refuted(evidence, claims)] == ["push", "picture_guide"]


def test_every_rule_has_a_prover() -> None:
    assert {rule.id for rule in RULES} == set(PROVERS)
