"""A terminal in the process, and a folder in which the demo has run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub.cli.terminal import Said, World, make_world, run

Cli = Callable[..., Said]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unlogged: None) -> Cli:
    """Runs `hub` in an empty folder, with no configuration named by the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("HUBBUB_CONFIG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return run


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A demo that has run to its end, for commands that only look."""
    with make_world(tmp_path_factory.mktemp("demo")) as made:
        yield made


@pytest.fixture
def in_world(world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> World:
    """The demo's folder as the current one."""
    monkeypatch.chdir(world.folder)
    assert "HUBBUB_CONFIG" not in os.environ
    return world
