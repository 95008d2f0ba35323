"""Mistakes that people make in a configuration: each is told with its place and the way out, none in silence."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.hub.cli.conftest import Cli
from tests.hub.cli.mistakes import TOLD
from tests.material import shared


@pytest.fixture(scope="module")
def cases() -> dict[str, dict[str, Any]]:
    """The configurations of the shared material by their names."""
    lines = shared("cases/mistakes.jsonl").read_text("utf-8").splitlines()
    return {case["name"]: case for case in map(json.loads, lines)}


def test_the_table_holds_all_of_them(cases: dict[str, dict[str, Any]]) -> None:
    assert list(TOLD) == list(cases)


def write(folder: Path, case: Mapping[str, Any]) -> None:
    """Write a configuration's files; null stands for a folder."""
    plain = {name: None if text is None else text.encode() for name, text in case["files"].items()}
    for name, content in {**plain, **{name: base64.b64decode(text) for name, text in case["base64"].items()}}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if content is None else path.write_bytes(content)


@pytest.mark.parametrize("name", TOLD)
def test_a_mistake_is_told_with_its_place_and_the_way_out(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: dict[str, dict[str, Any]], name: str
) -> None:
    case = cases[name]
    write(tmp_path, case)
    for variable, value in case["env"].items():
        monkeypatch.setenv(variable, value)
    said = cli("check", "--offline", "--json")
    wrong = [(one["where"], one["message"], one["hint"]) for one in said.json if not one["fine"]]
    told = [tuple(str(part or "").replace(f"{tmp_path}/", "") for part in one) for one in wrong]
    assert told == TOLD[name]
    assert said.code == (2 if told else 0)
    assert case["should"] == "either" or (case["should"] == "refuse") == bool(told)
