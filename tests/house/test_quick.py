"""`make quick` finds the tests of a change: those that changed, those that mirror a module, those that import it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.measures import ROOT, python_files
from tests.quick import touched


def names(*changed: str) -> list[str]:
    tests = [path for path in python_files("tests") if path.name.startswith("test_")]
    return [str(path.relative_to(ROOT)) for path in touched([ROOT / name for name in changed], tests)]


def test_a_changed_test_comes_first_then_the_mirror_of_a_module() -> None:
    assert names("hub/core/keys.py", "tests/house/test_rooms.py")[:2] == [
        "tests/house/test_rooms.py",
        "tests/hub/core/test_keys.py",
    ]


def test_whoever_imports_a_changed_module_is_touched() -> None:
    assert "tests/hub/flow/deliver/test_late.py" in names("hub/core/keys.py")


def test_a_mirror_of_another_room_is_none() -> None:
    assert "tests/plugins/rss/test_source.py" not in names("plugins/file/source.py")


def test_nothing_is_touched_by_nothing() -> None:
    assert names() == []


THREE = "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_a(n): pass\n"


@pytest.mark.long
@pytest.mark.parametrize(("seconds", "passed"), [("0.000001", "1 passed"), ("60", "3 passed")])
def test_no_further_test_runs_when_the_time_is_over(tmp_path: Path, seconds: str, passed: str) -> None:
    (tmp_path / "test_three.py").write_text(THREE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", ROOT / "pyproject.toml", tmp_path]
    ran = subprocess.run([*command, f"--max-seconds={seconds}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, passed in ran.stdout) == (0, True), ran.stdout
