"""`hub docs`, and the wheel that it reads from."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from hub.cli.manual import manual, pages, title
from tests.hub.cli.conftest import Cli
from tests.material import ROOT
from tests.servers import clean_environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this tree."""
    (made,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    with zipfile.ZipFile(made) as opened:
        return opened


def test_all_pages_are_listed_with_their_titles(cli: Cli) -> None:
    said = cli("docs").out.splitlines()
    assert [line.split(maxsplit=1) for line in said] == [[name, title(path)] for name, path in pages(manual()).items()]
    assert any(line.split() == ["operate/install", "Install"] for line in said)


@pytest.mark.parametrize("name", ["operate/install", "docs/operate/install.md", "operate", "config.example.toml"])
def test_a_page_is_printed(cli: Cli, name: str) -> None:
    assert cli("docs", name).out.startswith("# ")


def test_a_terminal_that_lacks_a_letter_is_shown_its_number() -> None:
    env = clean_environment() | {"PYTHONIOENCODING": "latin-1"}
    told = subprocess.run(
        [sys.executable, "-m", "hub.cli", "docs", "CHANGELOG"], env=env, capture_output=True, check=True
    )
    assert b"`L\\u2019Or\xe9al`" in told.stdout


def test_a_page_that_is_not_there_is_told_with_the_nearest(cli: Cli) -> None:
    said = cli("docs", "operate/instal")
    assert (said.code, "did you mean 'operate/install'?" in said.err) == (1, True)


def test_pages_and_files_to_deploy_are_copied_once(cli: Cli, tmp_path: Path) -> None:
    assert cli("docs", "--copy", "manual").code == 0
    assert (tmp_path / "manual/docs/deploy/systemd/hubbub.service").is_file()
    assert set(pages(tmp_path / "manual")) == set(pages(manual()))
    assert cli("docs", "--copy", "manual").code == 1


def test_the_wheel_holds_every_page_where_the_command_looks(wheel: zipfile.ZipFile) -> None:
    held = {name.removeprefix("hub/manual/") for name in wheel.namelist() if name.startswith("hub/manual/")}
    wanted = {path.relative_to(ROOT).as_posix() for path in pages(ROOT).values()}
    assert wanted <= held
    assert "docs/deploy/nginx/hubbub.conf" in held


def test_the_wheel_holds_the_program_its_data_and_nothing_of_a_machine(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {"hub/cli/main.py", "workers/__main__.py", "mappings/hubspot/contact.toml", "hub/py.typed"} <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"hub", "plugins", "workers", "mappings"}
    assert [name for name in names if "/secrets/" in name or name.endswith((".pyc", "caddy.env"))] == []
