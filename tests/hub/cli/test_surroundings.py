"""A running hub says what has changed around it: its configuration, and the plugins that are installed."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from hub.cli.running.supervisor import Supervisor, Ties
from hub.cli.running.surroundings import WHAT_TO_DO, Surroundings
from hub.cli.running.voice import TextVoice

STAMPS = count(1_000_000_000)


def install(folder: Path, version: str) -> None:
    """As pip does it: a folder of metadata, which changes the one that it lies in."""
    remove(folder)
    info = folder / f"hubbub_nowhere-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hubbub-nowhere\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[hub.plugins]\nnowhere = hubbub_nowhere.plugin\n")
    stamp(folder)


def remove(folder: Path) -> None:
    for info in folder.glob("hubbub_nowhere-*"):
        shutil.rmtree(info)
    stamp(folder)


def stamp(folder: Path) -> None:
    """Two changes within one tick of the file system's clock would look like one."""
    os.utime(folder, (at := next(STAMPS), at))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("[web]\n")
    return path


def test_nothing_new_says_nothing(file: Path, site: Path) -> None:
    surroundings = Surroundings(file)
    stamp(site)
    assert surroundings.news() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda site: install(site, "0.2.0"),
            "the plugin 'nowhere' is hubbub-nowhere 0.2.0 now, it was hubbub-nowhere 0.1.0",
        ),
        (remove, "the plugin 'nowhere' was removed (hubbub-nowhere 0.1.0)"),
    ],
)
def test_a_plugin_that_was_changed_is_told_once(
    file: Path, site: Path, change: Callable[[Path], None], said: str
) -> None:
    install(site, "0.1.0")
    surroundings = Surroundings(file)
    change(site)
    assert [surroundings.news(), surroundings.news()] == [[f"{said}: {WHAT_TO_DO}"], []]


def test_a_plugin_that_was_installed_is_told(file: Path, site: Path) -> None:
    surroundings = Surroundings(file)
    install(site, "0.1.0")
    assert surroundings.news() == [f"the plugin 'nowhere' was installed (hubbub-nowhere 0.1.0): {WHAT_TO_DO}"]


def test_another_configuration_is_told_once(file: Path) -> None:
    surroundings = Surroundings(file, [])
    file.write_text("[web]\nport = 1\n")
    assert [surroundings.news(), surroundings.news()] == [[f"{file} has changed: {WHAT_TO_DO}"], []]


def test_a_configuration_that_is_gone_is_told(file: Path) -> None:
    surroundings = Surroundings(file, [])
    file.unlink()
    assert surroundings.news() == [f"{file} cannot be read any more: {WHAT_TO_DO}"]


def test_the_supervisor_says_the_news_now_and_then() -> None:
    said = io.StringIO()
    supervisor = Supervisor([], {}, Ties(0), TextVoice(said), lambda: ["news"], asked_at=100.0)
    for now in (100.0, 104.9, 105.0, 109.0, 110.0):
        supervisor._tell_news(now)
    assert said.getvalue() == "hub: news\n" * 2
