"""What a path of `hub plugins check` names."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.cli.plugins.subject import subject_at
from hub.core.errors import ConfigError
from tests.hub.cli.conftest import Cli
from tests.hub.cli.plugins.harbour import build_pier, package_of
from tests.material import ROOT

ECHO = ROOT / "tests/third_party/hubbub-echo"


@pytest.mark.parametrize("path", [ECHO, ECHO / "hubbub_echo"])
def test_a_distribution_is_named_by_its_folder_and_by_its_package(path: Path) -> None:
    subject = subject_at(path)
    assert (subject.name, subject.module, subject.root) == ("echo", "hubbub_echo.plugin", ECHO)
    assert (subject.package, subject.tests, subject.home) == (ECHO / "hubbub_echo", ECHO / "tests", ECHO)


def test_one_of_several_plugins_is_named_by_its_folder() -> None:
    subject = subject_at(ROOT / "plugins/mastodon")
    assert (subject.name, subject.root, subject.home) == ("mastodon", ROOT, ROOT)
    assert subject.tests == ROOT / "tests/plugins/mastodon"
    assert [path.name for path in subject.acceptance()] == ["test_mastodon.py"]


def test_a_package_under_src_is_found(tmp_path: Path) -> None:
    root = build_pier(tmp_path / "pier")
    package = package_of(root)
    (root / "src").mkdir()
    (root / package).rename(root / "src" / package)
    assert subject_at(root).home == root / "src"


def problem(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        subject_at(path)
    return str(caught.value)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "there is no such folder" in problem(tmp_path / "nowhere")


def test_a_folder_of_no_project_is_told_with_the_way_out(tmp_path: Path) -> None:
    assert "hub plugins new" in problem(tmp_path)


def test_a_folder_of_several_plugins_is_told_with_their_names() -> None:
    assert "name the folder of one: bluesky, file" in problem(ROOT)


def test_a_folder_that_is_no_plugin_is_told() -> None:
    assert "it is the folder of no plugin" in problem(ROOT / "docs")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[project]\nname = "x"\n', "it has no plugin"),
        ("[project\n", "it cannot be read"),
        ('[project.entry-points."hub.plugins"]\npier = "gone.plugin"\n', "there is no module gone.plugin"),
    ],
)
def test_a_project_without_a_usable_entry_point_is_told_with_file_and_field(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    said = problem(tmp_path)
    assert str(tmp_path / "pyproject.toml") in said
    assert words in said


def test_a_wrong_path_ends_with_exit_code_2(cli: Cli, tmp_path: Path) -> None:
    assert cli("plugins", "check", tmp_path / "nowhere").code == 2
