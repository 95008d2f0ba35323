"""The test session itself: it fails on what it should, and reaches no network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

from tests.house.measures import ROOT

pytestmark = pytest.mark.long

SKIPPED = 'import pytest\ndef test_nothing(): pytest.skip("no material")\n'
WARNED = 'import warnings\ndef test_nothing(): warnings.warn("old")\n'


def run(folder: Path, text: str, *, no_skips: str = "") -> int:
    """How a session of one test ends that goes by this project's settings."""
    (folder / "test_one.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", ROOT / "pyproject.toml", folder]
    given = {**os.environ, "HUBBUB_NO_SKIPS": no_skips}
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, check=False, timeout=60).returncode


@pytest.mark.parametrize(("no_skips", "code"), [("", 0), ("1", 1)])
def test_a_skip_fails_the_session_where_all_material_is_there(tmp_path: Path, no_skips: str, code: int) -> None:
    assert run(tmp_path, SKIPPED, no_skips=no_skips) == code


def test_a_warning_fails_its_test(tmp_path: Path) -> None:
    assert run(tmp_path, WARNED) == 1


def test_tests_reach_nothing_beyond_this_machine() -> None:
    blocked = (SocketConnectBlockedError, UserWarning)  # it warns, and warnings are errors
    with pytest.raises(blocked, match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
