"""The provers: a plugin that keeps its promises is not refuted; each promise that is broken is, with the way out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hub.cli.plugins.quality.claims import Claims
from hub.cli.plugins.quality.evidence import Evidence
from hub.cli.plugins.quality.provers import PROVERS, refuted
from hub.cli.plugins.subject import importable, load, subject_at
from hub.core.errors import Problem
from tests.hub.cli.plugins.harbour import build_pier, edit

SOURCE, README, TESTS = "{package}/source.py", "README.md", "tests/test_contract.py"
HELD = frozenset(PROVERS) - {"push"}
BROKEN = {
    "options_documented": [(SOURCE, ', description="How far back"', "")],
    "check": [(SOURCE, "def check", "def other")],
    "contract_suites": [(TESTS, "(SourceContract)", "(StreamsContract)")],
    "look_alike": [(SOURCE, "sandbox = ", "other = ")],
    "readme": [(README, "## Price", "## Money")],
    "edits": [(SOURCE, "revision is its updated_at", "number")],
    "deletions": [(SOURCE, "recheck_size = 10", "recheck_size = 0")],
    "errors_mapped": [(SOURCE, "error_for(response, ctx.now())", "None")],
    "backfill_bounded": [(SOURCE, "backfill_days", "days")],
    "secrets_hidden": [(SOURCE, "token: SecretStr", "token: str")],
    "hostile_bodies": [(TESTS, "(SourceContract)", "(StreamsContract)")],
    "replies": [(SOURCE, 'can_reply="no"', "no answer")],
    "reauthorised": [(SOURCE, "error_for(response, ctx.now())", "None")],
    "paced": [(SOURCE, "limits = (Limit(100, 60),)", "limits = ()")],
    "cost": [(README, "One call a poll.", "Free.")],
    "measured_rate": [(README, "## Measured", "## Rate")],
    "picture_guide": [(README, "![ships](ships.png)", "")],
}
"""For each rule a change that breaks it: file, what is there, what is put in its place."""


@pytest.fixture
def pier(tmp_path: Path) -> Path:
    return build_pier(tmp_path / "pier")


def proven(folder: Path, *rules: str) -> list[Problem]:
    """What refutes the claim that these rules are done."""
    subject = subject_at(folder)
    with importable(subject):
        evidence = Evidence(subject, load(subject))
        assert evidence.plugin.reason == ""
        return refuted(evidence, Claims(frozenset(evidence.kinds), done=frozenset(rules)))


def test_a_plugin_that_keeps_its_promises_is_not_refuted(pier: Path) -> None:
    assert proven(pier, *HELD) == []


def test_a_bare_key_counts_as_a_credential(pier: Path) -> None:
    edit(pier, SOURCE, ("token: SecretStr", "key: str"))
    assert "`key` is no secret" in str(proven(pier, "secrets_hidden")[0])


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_promise_is_refuted_with_its_place_and_the_way_out(pier: Path, rule: str) -> None:
    for name, old, new in BROKEN[rule]:
        edit(pier, name, (old, new))
    found = proven(pier, rule, "recorded_items")
    assert {problem.path for problem in found} == {rule}
    assert all(problem.file and problem.message and problem.hint for problem in found)


def test_a_source_that_is_asked_is_held_to_the_contract_of_streams(pier: Path) -> None:
    edit(pier, TESTS, ("(StreamsContract)", "(SourceContract)"))
    (found,) = proven(pier, "contract_suites", "recorded_items")
    assert found.message == "no StreamsContract tests Pier"


def test_an_option_in_no_table_is_refuted(pier: Path) -> None:
    edit(pier, README, ("| `url`, `token` |", "| the rest |"))
    (found,) = proven(pier, "options_documented", "recorded_items")
    assert (Path(found.file).name, found.message) == ("README.md", "options in no table: url, token")


def test_a_look_alike_that_does_not_start_is_refuted_with_the_reason(pier: Path) -> None:
    edit(pier, "{package}/sandbox.py", ("return Sandbox(options)", "raise RuntimeError('no water')"))
    (found,) = proven(pier, "look_alike", "recorded_items")
    assert "RuntimeError: no water" in found.message


def test_tests_that_cannot_be_imported_are_told_with_the_reason(pier: Path) -> None:
    edit(pier, TESTS, ("from hub.testkit", "import no_such_library\nfrom hub.testkit"))
    (found,) = proven(pier, "contract_suites", "recorded_items")
    assert "No module named 'no_such_library'" in found.message


def test_a_source_that_is_only_asked_takes_no_push(pier: Path) -> None:
    assert [problem.path for problem in proven(pier, "push", "recorded_items")] == ["push"]


def test_without_recordings_and_a_real_server_items_are_not_recorded(pier: Path) -> None:
    (pier / "tests/test_recordings.py").unlink()
    assert proven(pier, "recorded_items") == []
    shutil.rmtree(pier / "tests/acceptance")
    assert [problem.path for problem in proven(pier, "recorded_items", "real_server")] == [
        "recorded_items",
        "real_server",
    ]


def test_items_from_documentation_must_be_told_in_the_readme(pier: Path) -> None:
    assert proven(pier, "check") == []
    edit(pier, README, ("Items are from documentation.", ""))
    (found,) = proven(pier, "check")
    assert (found.path, Path(found.file).name) == ("recorded_items", "README.md")


def test_every_prover_is_seen_to_refute() -> None:
    assert set(BROKEN) | {"push", "recorded_items", "real_server"} == set(PROVERS)
