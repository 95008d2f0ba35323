"""`hub plugins check`: what is wrong with a plugin is told with its place and what to do next."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.cli.plugins.subject import Subject, subject_at
from hub.cli.plugins.trials import FAILED, OK, SKIPPED, Trial, check_types, prove_claims, run_tests
from tests.hub.cli.conftest import Cli
from tests.hub.cli.plugins.harbour import build_pier, edit

pytestmark = pytest.mark.servers

SAILS = "def test_a_ship_sails():\n    assert {right}\n"


@pytest.fixture
def pier(tmp_path: Path) -> Path:
    """A plugin with one test, which passes, and a claim, which is true."""
    root = build_pier(tmp_path / "pier")
    (root / "tests/test_contract.py").write_text(SAILS.format(right="True"))
    next(root.glob("pier_*")).joinpath("quality.toml").write_text('check = "done"\n')
    return root


def claim(root: Path, text: str) -> Trial:
    """The trial of a plugin with this `quality.toml`."""
    next(root.glob("pier_*")).joinpath("quality.toml").write_text(text)
    return prove_claims(subject_at(root))


def test_tests_that_pass_are_counted(pier: Path) -> None:
    trial = run_tests(subject_at(pier))
    assert (trial.state, trial.said.partition(" in ")[0], trial.problems) == (OK, "1 passed", ())


def test_a_test_that_fails_is_named_with_the_command_that_shows_it(pier: Path) -> None:
    (pier / "tests/test_contract.py").write_text(SAILS.format(right="False"))
    trial = run_tests(subject_at(pier))
    assert trial.state == FAILED
    assert [line for line in trial.problems if "test_a_ship_sails" in line]
    assert trial.way_out == f"cd {pier} && python -m pytest tests -x"


def test_a_plugin_without_tests_fails(pier: Path) -> None:
    for file in pier.rglob("test_*.py"):
        file.unlink()
    trial = run_tests(subject_at(pier))
    assert (trial.state, "there is no test" in trial.said) == (FAILED, True)


@pytest.mark.usefixtures("tools")
def test_what_mypy_finds_is_shown(pier: Path) -> None:
    trial = check_types(subject_at(pier))  # the pier has no types at all
    assert (trial.state, "errors" in trial.said) == (FAILED, True)
    assert any("Function is missing a type annotation" in line for line in trial.problems)


@pytest.mark.parametrize(("trial", "state"), [(run_tests, FAILED), (check_types, SKIPPED)])
def test_a_tool_that_is_not_there_is_named(
    pier: Path, monkeypatch: pytest.MonkeyPatch, trial: Callable[[Subject], Trial], state: str
) -> None:
    for tool in ("pytest", "mypy"):
        monkeypatch.setitem(sys.modules, tool, None)
    ended = trial(subject_at(pier))
    assert (ended.state, ended.way_out) == (state, f"pip install {'pytest' if trial is run_tests else 'mypy'}")


def test_true_claims_are_followed_by_what_the_next_tier_wants(pier: Path) -> None:
    trial = claim(pier, 'check = "done"\n')
    assert (trial.state, trial.said) == (OK, "no tier is reached yet")
    assert trial.way_out == "bronze wants: options_documented, contract_suites, look_alike, readme"


def test_a_claim_that_is_refuted_fails_with_rule_file_and_way_out(pier: Path) -> None:
    trial = claim(pier, 'push = "done"\n')
    assert trial.state == FAILED
    assert "quality.toml" in trial.way_out
    (problem,) = trial.problems
    assert ".source: push: Pier: it is only asked (stand on StreamingSource" in problem


def test_a_line_that_is_no_claim_fails(pier: Path) -> None:
    trial = claim(pier, 'chek = "done"\n')
    assert (trial.state, "did you mean check?" in trial.problems[0]) == (FAILED, True)


def test_a_plugin_that_does_not_load_fails_with_the_reason(pier: Path) -> None:
    edit(pier, "{package}/plugin.py", ("from hub import hookimpl", "import no_such_library"))
    trial = prove_claims(subject_at(pier))
    assert (trial.state, "no_such_library" in trial.said) == (FAILED, True)


@pytest.mark.usefixtures("tools")
def test_a_failed_part_ends_with_exit_code_1_and_the_others_are_told_too(cli: Cli, pier: Path) -> None:
    said = cli("plugins", "check", pier)
    assert said.code == 1
    assert [line.split()[:2] for line in said.out.splitlines() if not line.startswith(" ")][1:] == [
        ["ok", "tests"],
        ["failed", "types"],
        ["ok", "quality"],
    ]
