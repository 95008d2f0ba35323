"""A stranger's plugin: a small distribution of its own, installed by pip, found, checked and run without a line changed here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.cli.plugins.scaffold import plan, write
from hub.cli.plugins.subject import subject_at
from hub.cli.plugins.trials import all_trials
from tests.material import ROOT
from tests.third_party.drive import write_config

pytestmark = pytest.mark.servers

HERE = ROOT / "tests/third_party"
FAULTS = {
    "absent": "its entry point names the module 'hubbub_broken.no_such_module', which",
    "needy": "needs 'a_library_that_nobody_has': pip install 'hubbub-broken[needy]'",
    "raising": "RuntimeError: the licence server did not answer",
    "waiting": "the hook register_sources is async",
    "misspelt": "unknown hook 'register_sauces'",
    "misnamed": "settings",
    "abstract": "Half lacks pull, translate",
    "hookless": "is @hookimpl missing?",
    "stranger": "which is no Destination class",
}
"""What is said of each broken plugin; a bar parts what may be said."""


@dataclass(frozen=True)
class Elsewhere:
    """A Python that has the distributions of this folder installed, beside the hub."""

    packages: Path

    def run(self, *command: str, cwd: Path, code: int = 0) -> str:
        env = {**os.environ, "PYTHONPATH": f"{self.packages}{os.pathsep}{ROOT}", "ECHO_TOKEN": "sandbox-token"}
        words = [sys.executable, *command]
        done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def hub(self, *command: str, cwd: Path, code: int = 0) -> Any:
        return json.loads(self.run("-m", "hub.cli", *command, "--json", cwd=cwd, code=code))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """Both distributions, and a new one, built and installed by pip without a network."""
    sources, packages = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("packages")
    begun = plan("pier", "destination", sources)
    write(begun)
    for name in ("hubbub-echo", "hubbub-broken"):
        shutil.copytree(HERE / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    flags = [
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    command = [sys.executable, "-m", "pip", "install", *flags, "--target", str(packages)]
    command += [str(sources / "hubbub-echo"), str(sources / "hubbub-broken"), str(begun.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Elsewhere(packages)


@pytest.fixture(scope="module")
def plugins(elsewhere: Elsewhere) -> dict[str, dict[str, Any]]:
    """What `hub plugins list` says there, by name."""
    return {row["name"]: row for row in elsewhere.hub("plugins", "list", cwd=elsewhere.packages)}


@pytest.fixture(scope="module")
def told(elsewhere: Elsewhere, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `drive.py` says of a run from the guest book into itself."""
    folder = tmp_path_factory.mktemp("run")
    said: dict[str, Any] = json.loads(elsewhere.run(str(HERE / "drive.py"), str(folder), cwd=folder).splitlines()[-1])
    return said


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A folder with a configuration that uses the plugin."""
    return write_config(tmp_path, "http://127.0.0.1:9").parent


def test_it_is_listed_like_our_own(plugins: dict[str, dict[str, Any]]) -> None:
    assert plugins["echo"] == {
        "name": "echo",
        "offers": ["source", "destination"],
        "tier": "gold",
        "items": "from documentation",
        "distribution": "hubbub-echo",
        "version": "1.0.0",
        "state": "ready",
        "reason": None,
    }


def test_a_new_plugin_is_installed_with_all_that_belongs_to_it(
    elsewhere: Elsewhere, plugins: dict[str, dict[str, Any]]
) -> None:
    assert (plugins["pier"]["state"], plugins["pier"]["items"]) == ("ready", "from documentation")
    (shown,) = elsewhere.hub("plugins", "show", "pier", cwd=elsewhere.packages)
    assert [rule["claim"] for rule in shown["quality"]["rules"] if rule["rule"] == "deletions"] == ["done"]
    assert "mapping tests passed" in elsewhere.run("-m", "hub.cli", "mappings", "test", cwd=elsewhere.packages)
    inside = {path.name for path in (elsewhere.packages / "hubbub_pier").iterdir()}
    assert {"README.md", "quality.toml", "py.typed", "mappings"} <= inside


def test_its_options_are_shown(elsewhere: Elsewhere) -> None:
    shown = elsewhere.hub("plugins", "show", "echo", cwd=elsewhere.packages)
    assert [(one["kind"], sorted(one["options"]["properties"])) for one in shown] == [
        ("source", ["backfill_days", "token", "url", "webhook_secret"]),
        ("destination", ["backfill_days", "token", "url", "webhook_secret"]),
    ]


def test_a_configuration_with_it_is_right(elsewhere: Elsewhere, configured: Path) -> None:
    assert elsewhere.hub("check", "--offline", cwd=configured) == []


def test_its_check_reaches_the_tier_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "MYPYPATH"):
        monkeypatch.setenv(name, str(ROOT))
    monkeypatch.setenv("MYPY_CACHE_DIR", str(tmp_path))
    trials = {trial.part: trial for trial in all_trials(subject_at(HERE / "hubbub-echo"))}
    assert {part: (trial.state, trial.problems) for part, trial in trials.items()} == dict.fromkeys(
        ("tests", "types", "quality"), ("ok", ())
    )
    assert trials["quality"].said == "gold"


def test_a_wrong_option_of_it_is_told(elsewhere: Elsewhere, configured: Path) -> None:
    config = configured / "config.toml"
    config.write_text(config.read_text("utf-8").replace("127.0.0.1:9", "127.0.0.1:9/path", 1), "utf-8")
    assert [row["where"].partition(": ")[2] for row in elsewhere.hub("check", "--offline", cwd=configured, code=2)] == [
        "sources.book.options.url"
    ]


def test_its_mapping_is_tested_like_ours(elsewhere: Elsewhere, configured: Path) -> None:
    assert "1 of 1 mapping tests passed" in elsewhere.run("-m", "hub.cli", "mappings", "test", cwd=configured)


def test_what_it_reads_lands_once_where_it_writes(told: dict[str, Any]) -> None:
    assert [(note["by"], note["text"]) for note in told["notes"]] == [
        ("Ana on echo", "The echo in the hall is lovely"),
        ("Ana on echo", "No echo today, what happened?"),
    ]
    assert told["rounds"] == [[3, 3, 2], [0, 0, 0]]
    assert told["states"] == {"delivered": 2}


def test_its_connections_are_tried_like_ours(told: dict[str, Any]) -> None:
    tried = {name: (fine, message) for name, fine, message in told["tried"]}
    assert tried["book"] == tried["notes"] == (True, "us in the guest book")


def test_a_broken_source_beside_it_is_told_of_and_stops_nothing(told: dict[str, Any]) -> None:
    other = next(message for name, fine, message in told["tried"] if name == "other" and not fine)
    assert "the licence server did not answer" in other
    assert told["states"] == {"delivered": 2}


def test_the_web_process_starts_beside_a_broken_source(told: dict[str, Any]) -> None:
    assert told["web"] == "ready"


def test_it_keeps_the_contract_of_connectors(elsewhere: Elsewhere) -> None:
    flags = ["-q", "-p", "no:cacheprovider", "-p", "no:valkey", "--rootdir", str(elsewhere.packages), "-c", os.devnull]
    said = elsewhere.run("-m", "pytest", *flags, str(HERE / "hubbub-echo/tests"), cwd=elsewhere.packages)
    assert " passed" in said
    assert "failed" not in said


@pytest.mark.parametrize(("name", "reason"), FAULTS.items())
def test_a_broken_plugin_is_quarantined_with_its_reason(
    plugins: dict[str, dict[str, Any]], name: str, reason: str
) -> None:
    assert plugins[name]["state"] == "quarantined"
    assert any(part in plugins[name]["reason"] for part in reason.split("|"))


def test_broken_plugins_harm_no_other(plugins: dict[str, dict[str, Any]]) -> None:
    assert {name for name, row in plugins.items() if row["state"] == "quarantined"} == set(FAULTS)


def test_a_configuration_that_names_a_broken_plugin_is_told_why(elsewhere: Elsewhere, configured: Path) -> None:
    with (configured / "config.toml").open("a") as file:
        file.write('\n[sources.other]\nplugin = "raising"\n')
    rows = elsewhere.hub("check", "--offline", cwd=configured, code=2)
    assert [row["message"] for row in rows] == [
        "raising: the plugin is quarantined: RuntimeError: the licence server did not answer"
    ]
