"""Parts that are started in a folder of traps: files and folders by the names of modules, none of which may be imported."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.cli.running.up import GUARD
from hub.config.interpreter import isolated_command, module_command
from hub.queue.embedded import socket_path
from hub.store import open_store
from tests.servers import clean_environment, descendants_of, free_port, is_alive, running_redis, wait_for

PACKAGES = ("hub", "workers", "plugins", "mappings", "redis", "sqlalchemy", "apprise", "flair")
MODULES = ("rq", "json", "os", "signal", "subprocess", "threading", "structlog", "uvicorn", "typer", "encodings")
CUSTOMS = ("sitecustomize", "usercustomize")
TRAP = "import pathlib\npathlib.Path(__file__).resolve().with_suffix('.sprung').touch()\nraise SystemExit(99)\n"
PARTS = [
    ("web",),
    ("worker", "process"),
    ("worker", "deliver"),
    ("worker", "all"),
    ("scheduler",),
    ("listen",),
    ("sandbox", "zendesk"),
    ("up",),
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a configuration, its database, and a trap by each name that a part imports."""
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(TRAP)
    for name in (*MODULES, *CUSTOMS):
        (tmp_path / f"{name}.py").write_text(TRAP)
    (tmp_path / "rules.toml").write_text("rule = []\n")
    (tmp_path / "topics.toml").write_text("topic = []\n")
    (tmp_path / "config.toml").write_text(f"[web]\nport = {free_port()}\n[sandbox]\nport = 0\n")
    (tmp_path / "data").mkdir()
    store = open_store(f"sqlite:///{tmp_path / 'data' / 'hubbub.db'}")
    store.database.migrate()
    store.close()
    yield tmp_path
    shutil.rmtree(socket_path(tmp_path / "data").parent, ignore_errors=True)


def sprung(folder: Path) -> list[str]:
    return [str(one.relative_to(folder)) for one in folder.rglob("*.sprung")]


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Path]:
    """`hub WORDS` as a person runs it in the folder; yields the file of what it says."""
    log = folder / "log"
    command = [str(Path(sys.executable).parent / "hub"), *words]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=clean_environment()
        )
    try:
        wait_for(lambda: process.poll() is not None or is_at_work(folder, words), seconds=90)
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        left = descendants_of(process.pid)
        process.kill()
        process.wait(10)
        for pid in filter(is_alive, left):
            os.kill(pid, signal.SIGKILL)


def is_at_work(folder: Path, words: tuple[str, ...]) -> bool:
    """Tell if a part has come through its start: it says where it listens, or has given a sign of life."""
    said = (folder / "log").read_text("utf-8", "replace")
    if words[0] == "sandbox":
        return "sandbox at" in said
    if words[0] == "web":
        return "Uvicorn running" in said or "startup complete" in said
    store = open_store(f"sqlite:///{folder / 'data' / 'hubbub.db'}")
    try:
        return bool(store.figures.last_beats())
    finally:
        store.close()


@pytest.mark.servers
@pytest.mark.parametrize("words", PARTS, ids="-".join)
def test_a_part_imports_nothing_of_the_folder_that_it_is_started_in(folder: Path, words: tuple[str, ...]) -> None:
    with running_redis(folder / "data") if words[0] != "up" else running(folder, *words):
        if words[0] != "up":
            with running(folder, *words):
                pass
    assert sprung(folder) == []


@pytest.mark.parametrize("name", ["hub.flow.monitor.post", "workers", "hub.web", "hub.cli", "hub.testkit.sandbox"])
def test_a_module_of_ours_is_run_and_not_one_of_the_folder(folder: Path, name: str) -> None:
    done = subprocess.run(module_command(name, "--help"), cwd=folder, capture_output=True, input=b"{}", check=False)
    assert (sprung(folder), done.returncode == 99) == ([], False)


def test_the_guard_of_redis_is_run_with_the_standard_library_alone(folder: Path) -> None:
    # Its standard input stays open: at its end the guard would end what it guards.
    with subprocess.Popen(isolated_command(GUARD, "true"), cwd=folder, stdin=subprocess.PIPE) as guard:
        assert guard.wait(30) == 0
    assert sprung(folder) == []
