"""`hub plugins new`: what it writes passes its tests, types and style as it is; a name or place that will not do is refused."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.cli.plugins.scaffold import KINDS, plan, rendered, write
from hub.core.errors import ConfigError
from hub.sdk.version import API_VERSION
from tests.hub.cli.conftest import Cli

NAMES = {"source": "town_square", "destination": "ledger", "enricher": "alarm"}
LONGEST = "a_place_with_a_long_name"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A new plugin of each kind, by kind."""
    folder = tmp_path_factory.mktemp("made")
    plans = [plan(name, kind, folder) for kind, name in NAMES.items()]
    for one in plans:
        write(one)
    return {one.kind: one.root for one in plans}


@pytest.mark.servers
@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_its_check_as_it_is(cli: Cli, made: Mapping[str, Path], kind: str) -> None:
    said = cli("plugins", "check", made[kind], "--json")
    assert (said.code, [(row["part"], row["state"]) for row in said.json]) == (
        0,
        [("tests", "ok"), ("types", "ok"), ("quality", "ok")],
    )
    assert said.json[2]["way_out"] == "bronze wants: readme"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_to_its_author_is_the_readme_only(made: Mapping[str, Path], kind: str) -> None:
    (readme,) = made[kind].rglob("README.md")
    assert "To be written" in readme.read_text("utf-8")


def ruff(folder: Path, *words: str) -> str:
    """What ruff has to say of a folder, by the folder's own rules."""
    command = [sys.executable, "-m", "ruff", *words, "--quiet", "--no-cache", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a", LONGEST])
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_has_no_fault_of_style_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    made = plan(name, kind, tmp_path)
    write(made)
    assert ruff(made.root, "check") == ""
    assert ruff(made.root, "format", "--check") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_is_a_distribution_with_an_entry_point_and_extras(tmp_path: Path, kind: str) -> None:
    files = dict(rendered(plan("pier", kind, tmp_path)))
    project: dict[str, Any] = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["entry-points"]["hub.plugins"] == {"pier": "hubbub_pier.plugin"}
    assert set(project["optional-dependencies"]) == {"pier", "dev"}
    assert "hubbub_pier/py.typed" in files
    assert f'api = "{API_VERSION.partition(".")[0]}"' in files["hubbub_pier/plugin.py"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_unfilled(tmp_path: Path, kind: str) -> None:
    assert [
        name for name, text in rendered(plan("pier", kind, tmp_path)) if "@{" in text + name or "package/" in name
    ] == []


def refused(name: str, place: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        plan(name, "source", place)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "Town", "1st", "town-square", "town__square", "_town", "town_", "class", "ort" * 9, "ä"]
)
def test_a_bad_name_is_refused_with_what_a_name_is(tmp_path: Path, name: str) -> None:
    assert "small letters, digits and single _" in refused(name, tmp_path)


def test_the_name_of_an_installed_plugin_is_refused(tmp_path: Path) -> None:
    assert "hubbub already has a plugin 'rss'" in refused("rss", tmp_path)


def test_a_folder_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "hubbub-pier").mkdir()
    assert "it is there already" in refused("pier", tmp_path)


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "there is no such folder" in refused("pier", tmp_path / "nowhere")


def test_the_command_says_what_it_wrote_and_what_comes_next(cli: Cli, tmp_path: Path) -> None:
    said = cli("plugins", "new", "pier", "--source")
    assert said.code == 0
    assert (tmp_path / "hubbub-pier/hubbub_pier/source.py").is_file()
    assert said.out.splitlines()[-1] == "next: cd hubbub-pier, pip install -e '.[dev]', hub plugins check"


@pytest.mark.parametrize("kinds", [(), ("--source", "--enricher")])
def test_exactly_one_kind_is_begun(cli: Cli, tmp_path: Path, kinds: tuple[str, ...]) -> None:
    said = cli("plugins", "new", "pier", *kinds)
    assert (said.code, "--source, --destination, --enricher" in said.err) == (2, True)
    assert list(tmp_path.iterdir()) == []
