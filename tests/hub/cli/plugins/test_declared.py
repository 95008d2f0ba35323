"""`hub plugins check FILE.toml`: the plugin that reads such files says how a file does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.cli.plugins.declared import READER, check_file
from hub.cli.plugins.trials import FAILED, OK
from hub.core.errors import ConfigError, Problem
from hub.registry import Plugin
from tests.hub.cli.conftest import Cli
from tests.hub.cli.plugins.test_description import Pier
from tests.hubs import FakeRegistry
from tests.material import ROOT


class Reader(Pier):
    """Reads a file that begins well."""

    name = READER

    @classmethod
    def check_file(cls, path: Path) -> Iterator[str]:
        if path.read_text() != "well":
            raise ConfigError([Problem(str(path), "paging.by", "there is no such way", "page, offset, next")])
        yield "3 items on the first page"
        yield "title: 100 %"


REGISTRY = FakeRegistry([Plugin(READER, "tests", "1", sources={READER: Reader})])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "board.toml"
    path.write_text("well")
    return path


def test_what_the_reader_says_of_a_file_is_told(file: Path) -> None:
    (trial,) = check_file(file, REGISTRY)
    assert (trial.state, trial.said, trial.problems) == (OK, "3 items on the first page", ("title: 100 %",))


def test_what_is_wrong_in_a_file_is_told_with_its_field(file: Path) -> None:
    file.write_text("ill")
    (trial,) = check_file(file, REGISTRY)
    assert trial.state == FAILED
    assert trial.problems == (f"{file}: paging.by: there is no such way (page, offset, next)",)


@pytest.mark.parametrize("plugins", [[], [Plugin(READER, "tests", "1", sources={READER: Pier})]])
def test_without_a_reader_the_way_out_is_told(file: Path, plugins: list[Plugin]) -> None:
    with pytest.raises(ConfigError, match=f"install the plugin '{READER}'"):
        check_file(file, FakeRegistry(plugins))


def test_a_file_that_is_not_there_ends_with_exit_code_2(cli: Cli, tmp_path: Path) -> None:
    said = cli("plugins", "check", tmp_path / "absent.toml")
    assert (said.code, "there is no such file" in said.err) == (2, True)


@pytest.mark.parametrize("shipped", sorted(ROOT.glob("plugins/http/files/*.toml")), ids=lambda file: file.stem)
def test_a_shipped_file_is_right_and_says_what_it_asks_for(cli: Cli, shipped: Path) -> None:
    said = cli("plugins", "check", shipped)
    assert (said.code, "polls a day, the rate is" in said.out) == (0, True)


def test_a_broken_file_is_told_with_its_place_and_the_nearest_name(cli: Cli, tmp_path: Path) -> None:
    text = (ROOT / "plugins/http/files/hackernews.toml").read_text("utf-8")
    (tmp_path / "hn.toml").write_text(text.replace("every =", "evry ="), "utf-8")
    said = cli("plugins", "check", "hn.toml")
    assert (said.code, "hn.toml: " in said.out, "did you mean `every`?" in said.out) == (1, True, True)
