"""The systemd units: right in systemd's own eyes, and tight."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hub.cli.main import command
from tests.deploy.material import DEPLOY, UNITS, fitted, program, run, unit

HUB = "/opt/hubbub/bin/hub"
EXPOSURE = "14"
"""Tenths: what docs/operate/many-machines.md says; systemd calls 2.0 and less OK."""
NAMES = [path.name for path in UNITS]


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """The units as they would be installed, with a program that is there in the place of the hub's."""
    for path in (DEPLOY / "systemd").iterdir():
        text = fitted(path, {HUB: "/bin/true"} if path.suffix == ".service" else {})
        (tmp_path / path.name).write_text(text)
    return sorted(path for path in tmp_path.iterdir() if path.suffix in {".service", ".target"})


def test_systemd_finds_nothing_wrong_with_the_units(installed: list[Path]) -> None:
    told = run(program("systemd-analyze"), "verify", "--man=no", *installed)
    assert [line for line in told.stderr.splitlines() if "hubbub" in line] == []
    assert told.returncode == 0


def test_systemd_names_a_mistake_in_a_unit(installed: list[Path]) -> None:
    installed[0].write_text(installed[0].read_text() + "\n[Service]\nRestartSec=soon\n")
    told = run(program("systemd-analyze"), "verify", "--man=no", *installed)
    assert "soon" in told.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_is_as_closed_as_systemd_likes(installed: list[Path], name: str) -> None:
    (path,) = (one for one in installed if one.name == name)
    told = run(program("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", path)
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("path", UNITS, ids=NAMES)
def test_a_unit_starts_a_command_of_the_hub(path: Path) -> None:
    program_, first, *_ = unit(path)["Service"]["ExecStart"].split()
    assert program_ == HUB
    assert first in command().commands


def test_the_target_starts_every_part_that_each_hub_needs() -> None:
    wanted = unit(DEPLOY / "systemd/hubbub.target")["Unit"]["Wants"].split()
    there = {name.replace("@.", "@1.") for name in NAMES}
    assert there - set(wanted) == {"hubbub.service", "hubbub-listen.service"}
    assert set(wanted) <= there


@pytest.mark.parametrize("name", [name for name in NAMES if name != "hubbub-migrate.service"])
def test_what_ends_is_started_again_but_not_for_a_wrong_configuration(name: str) -> None:
    service = unit(DEPLOY / "systemd" / name)["Service"]
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", "2 3")


def test_the_hubs_user_can_be_made(tmp_path: Path) -> None:
    made = tmp_path / "hubbub.conf"
    shutil.copyfile(DEPLOY / "systemd/hubbub.sysusers", made)
    (tmp_path / "etc").mkdir()
    told = run(program("systemd-sysusers"), f"--root={tmp_path}", made)
    assert told.returncode == 0, told.stderr
    assert "hubbub:" in (tmp_path / "etc/passwd").read_text()


def test_a_command_at_the_terminal_has_the_services_user_configuration_and_redis(tmp_path: Path) -> None:
    places = {"runuser -u hubbub --": "", HUB: "/usr/bin/env", "$@": "-u", '"-u"': ""}
    (tmp_path / "hub").write_text(fitted(DEPLOY / "systemd/hub", places))
    told = run("/bin/sh", tmp_path / "hub").stdout.splitlines()
    wanted = [
        line.partition("=")[2]
        for line in (DEPLOY / "systemd/hubbub.service").read_text().splitlines()
        if line.startswith("Environment=")
    ]
    assert set(wanted) <= set(told)
