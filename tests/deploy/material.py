"""What docs/deploy holds, read and fitted to this machine: the files as written, with paths, ports and names put in place."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.house.measures import ROOT

DEPLOY = ROOT / "docs/deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def program(name: str) -> str:
    """The path of a program of the system; the test is skipped without it."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin:/sbin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, output kept."""
    env = {"PATH": "/usr/sbin:/usr/bin:/usr/local/bin:/sbin:/bin", **environment}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=env, timeout=60)


def fitted(path: Path, places: Mapping[str, str]) -> str:
    """The text of a file with words put in the place of others; each must be there."""
    text = path.read_text("utf-8")
    for old, new in places.items():
        assert old in text, f"{path.name} does not hold {old!r}"
        text = text.replace(old, new)
    return text


def unit(path: Path) -> ConfigParser:
    """A unit's sections; of a key that is given twice the last one stands."""
    read = ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    read.optionxform = str  # type: ignore[assignment, method-assign]  # configparser's own way to keep capitals
    read.read_string(path.read_text("utf-8"))
    return read
