"""Processes that are kept alive, and that end when their supervisor does.

Python parts are forked from the supervisor after their modules were imported there: they share that memory, and start in
milliseconds. The supervisor itself opens nothing and starts no thread, so a fork is safe at any time.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

from setproctitle import setproctitle

from hub.core.errors import HubError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
STEADY_S = 10.0
GRACE_S = 15.0
TICK_S = 0.05
NEWS_EVERY_S = 5.0
PATIENCE = 5  # ends just after a start, in a row, before a person is told that it will not do
ENDS = (signal.SIGTERM, signal.SIGINT)


class Running(Protocol):
    """A started process."""

    pid: int

    def poll(self) -> int | None:
        """Return its exit code, None while it lives."""

    def send_signal(self, number: int) -> None:
        """Send a signal if it still lives."""


class Ties:
    """A pipe without a writer: a process that holds its reading end learns that the supervisor is gone."""

    def __init__(self, *held: int) -> None:
        self.end, self._own = os.pipe()
        self._held = held

    def adopt(self) -> None:
        """Make the pipe a forked child's standard input; let go what only the supervisor may hold."""
        os.dup2(self.end, 0)
        for descriptor in (self.end, self._own, *self._held):
            os.close(descriptor)


@dataclass
class Forked:
    """A function of a module, run in a fork. `target` is `module:function`, called with `arguments`, returns its exit code.

    `nice` is added to the process's niceness: a part that may wait gives way to one that a person waits for.
    """

    target: str
    arguments: Sequence[str]
    title: str
    nice: int = 0

    def preload(self) -> Callable[[list[str]], int]:
        """Import the module, in the supervisor: forks share it."""
        module, _, name = self.target.partition(":")
        found: Callable[[list[str]], int] = getattr(import_module(module), name)
        return found

    def start(self, env: dict[str, str], ties: Ties) -> Running:
        """Fork; the child never comes back."""
        run = self.preload()
        sys.stdout.flush()
        sys.stderr.flush()
        # Held back until the child has forgotten our handlers: it would else swallow a signal that is meant for it.
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        try:
            pid = os.fork()
            if pid == 0:
                os._exit(self._run(run, env, ties, masked=masked))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        return ForkedProcess(pid)

    def _run(
        self,
        run: Callable[[list[str]], int],
        env: dict[str, str],
        ties: Ties,
        *,
        masked: Iterable[signal.Signals | int],
    ) -> int:
        code = 1
        try:
            os.setpgid(0, 0)
            os.nice(self.nice)
            for number in ENDS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
            ties.adopt()
            setproctitle(self.title)
            os.environ.update(env)
            code = run(list(self.arguments))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 - a fork must never return into its parent's code
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
        return code


class ForkedProcess:
    """A forked child as its supervisor sees it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code (minus the signal that ended it), None while it lives."""
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, 1 << 8
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def send_signal(self, number: int) -> None:
        """Send a signal if it still lives."""
        if self.poll() is None:
            os.kill(self.pid, number)


@dataclass
class Spawned:
    """A program of its own."""

    command: Sequence[str]

    def preload(self) -> None:
        """Do nothing: there is nothing to import."""

    def start(self, env: dict[str, str], ties: Ties) -> Running:
        """Start in a process group of its own, so that Ctrl-C reaches the supervisor only."""
        return subprocess.Popen(self.command, stdin=ties.end, env=env, process_group=0)  # noqa: S603 - our own commands


@dataclass
class Child:
    """A process that the supervisor keeps alive; `rank` orders the stop: low ranks end first."""

    name: str
    program: Forked | Spawned
    rank: int
    process: Running | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE_S
    again_at: float = 0.0
    failures: int = 0

    def start(self, env: dict[str, str], ties: Ties) -> None:
        """Start, or start again."""
        self.process = self.program.start(env, ties)
        self.started = time.monotonic()

    def look(self, now: float) -> int | None:
        """Return the exit code of a child that has ended since the last look; its next start is set by then."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        steady = now - self.started > STEADY_S
        self.failures = 0 if steady else self.failures + 1
        self.pause = FIRST_PAUSE_S if steady else min(self.pause * 2, LONGEST_PAUSE_S)
        self.again_at = now + self.pause
        self._end_group()
        self.process = None
        return code

    def kill(self) -> None:
        """End it and all that it started."""
        self.signal(signal.SIGKILL)
        self._end_group()

    def _end_group(self) -> None:
        """End what it leaves behind: a guard that was killed cannot end its Redis."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal if it lives."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


@dataclass
class Supervisor:
    """Keeps children alive until told to stop; a second signal kills. `news` is asked now and then for lines to say.

    `hopeless` is asked when a child has ended too often: if no start will ever help, all ends, with that error's exit code.
    """

    children: list[Child]
    env: dict[str, str]
    ties: Ties
    say: Callable[[str], None]
    news: Callable[[], Sequence[str]] = tuple
    hopeless: Callable[[], HubError | None] = lambda: None
    given_up: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    signals: int = 0
    asked_at: float = field(default_factory=time.monotonic)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; 0 is a clean end."""
        for number in ENDS:
            signal.signal(number, self._asked)
        self._start_all()
        while not self.stopping.wait(TICK_S):
            self._look()
            self._tell_news(time.monotonic())
        return self._stop() or self.given_up

    def _start_all(self) -> None:
        """Start programs first, so that they start while our own modules are imported."""
        for child in self.children:
            if isinstance(child.program, Spawned):
                child.start(self.env, self.ties)
        for child in self.children:
            if isinstance(child.program, Forked):
                child.program.preload()
                # What is there now stays for ever: the collector must not touch it, or forks would copy its pages.
                gc.collect()
                gc.freeze()
                child.start(self.env, self.ties)

    def _asked(self, *_: object) -> None:
        self.signals += 1
        self.stopping.set()

    def _look(self) -> None:
        now = time.monotonic()
        for child in self.children:
            code = child.look(now)
            if code is not None and child.failures <= PATIENCE:
                self.say(told(child, code))
                if child.failures == PATIENCE:
                    self._consider()
            if child.process is None and now >= child.again_at and not self.stopping.is_set():
                child.start(self.env, self.ties)

    def _consider(self) -> None:
        if reason := self.hopeless():
            self.say(f"giving up: {reason}")
            self.given_up = reason.exit_code
            self.stopping.set()

    def _tell_news(self, now: float) -> None:
        if now - self.asked_at >= NEWS_EVERY_S:
            self.asked_at = now
            for line in self.news():
                self.say(line)

    def _stop(self) -> int:
        clean = 0
        for rank in sorted({child.rank for child in self.children}):
            group = [child for child in self.children if child.rank == rank and child.process]
            for child in group:
                child.signal(signal.SIGTERM)
            clean |= self._wait(group)
        return clean

    def _wait(self, group: Sequence[Child]) -> int:
        end = time.monotonic() + GRACE_S
        while any(child.process and child.process.poll() is None for child in group):
            if time.monotonic() > end or self.signals > 1:
                for child in group:
                    child.kill()
                return 1
            time.sleep(TICK_S)
        return 0


def told(child: Child, code: int) -> str:
    """Say what became of a child that ended; once it has ended too often just after its start, what to do about it."""
    if child.failures < PATIENCE:
        return f"{child.name} ended ({code}); it starts again"
    return (
        f"{child.name} cannot run: it ended {PATIENCE} times just after its start, with exit code {code}. "
        f"Its own words above say why; it is tried every {LONGEST_PAUSE_S:g} s until it runs. Ctrl-C stops everything."
    )
