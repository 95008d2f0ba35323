"""Processes that are kept alive, and that end when their supervisor does.

Python parts are forked from the supervisor after their modules were imported there: they share that memory, and start in
milliseconds. The supervisor itself opens nothing and starts no thread, so a fork is safe at any time.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Protocol

from setproctitle import setproctitle

from hub.cli.running.voice import Voice
from hub.core.errors import HubError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
STEADY_S = 10.0
GRACE_S = 15.0
TICK_S = 0.05
NEWS_EVERY_S = 5.0
PATIENCE = 5  # ends just after a start, in a row, before a person is told that it will not do
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SILENT_S = 1.0  # an end that is quicker needs no words
LONGEST_LINE = 1_000_000


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
        self._held = set(held)

    def hold(self, descriptor: int) -> None:
        """Note what only the supervisor may hold."""
        self._held.add(descriptor)

    def let_go(self, descriptor: int) -> None:
        """Close it."""
        self._held.discard(descriptor)
        os.close(descriptor)

    def adopt(self, mouth: int) -> None:
        """Make the pipe a forked child's standard input and `mouth` its output; let go what only the supervisor may hold."""
        for ours, theirs in ((self.end, 0), (mouth, 1), (mouth, 2)):
            os.dup2(ours, theirs)
        for descriptor in (self.end, self._own, mouth, *self._held):
            os.close(descriptor)


class PartOutput:
    """The pipe by which a child's lines come; one that writes more than is read waits."""

    def __init__(self, ties: Ties) -> None:
        self.end, self.mouth = os.pipe()
        os.set_blocking(self.end, False)
        self._ties, self._rest, self.is_over = ties, b"", False
        ties.hold(self.end)

    def lines(self) -> Iterator[str]:
        """Yield the lines that are there."""
        while True:
            try:
                read = os.read(self.end, 65_536)
            except BlockingIOError:
                return
            if not read:
                self.is_over = True
                read, self._rest = self._rest and b"\n", self._rest
                if not read:
                    return
            *whole, self._rest = (self._rest + read).split(b"\n")
            if len(self._rest) > LONGEST_LINE:
                whole, self._rest = [*whole, self._rest], b""
            yield from (line.decode("utf-8", "replace") for line in whole if line.strip())

    def close(self) -> None:
        """Close our end; what is still there is lost."""
        self._ties.let_go(self.end)


@dataclass
class Forked:
    """A function of a module, run in a fork. `target` is `module:function`, called with `arguments`, returns its exit code.

    `shared` are modules that its work needs sooner or later. `nice` is added to the process's niceness: a part that may wait
    gives way to one that a person waits for.
    """

    target: str
    arguments: Sequence[str]
    title: str
    nice: int = 0
    shared: Sequence[str] = ()

    def preload(self) -> Callable[[list[str]], int]:
        """Import the module, and what else its work needs, in the supervisor: forks share it."""
        for one in self.shared:
            import_module(one)
        module, _, name = self.target.partition(":")
        found: Callable[[list[str]], int] = getattr(import_module(module), name)
        return found

    def start(self, env: dict[str, str], ties: Ties, mouth: int) -> Running:
        """Fork; the child never comes back."""
        run = self.preload()
        sys.stdout.flush()
        sys.stderr.flush()
        # Held back until the child has forgotten our handlers: it would else swallow a signal that is meant for it.
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        try:
            pid = os.fork()
            if pid == 0:
                os._exit(self._run(run, env, partial(ties.adopt, mouth), masked=masked))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        return ForkedProcess(pid)

    def _run(
        self,
        run: Callable[[list[str]], int],
        env: dict[str, str],
        adopt: Callable[[], None],
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
            adopt()
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

    def start(self, env: dict[str, str], ties: Ties, mouth: int) -> Running:
        """Start in a process group of its own, so that Ctrl-C reaches the supervisor only."""
        return subprocess.Popen(  # noqa: S603 - our own commands
            self.command, stdin=ties.end, stdout=mouth, stderr=mouth, env=env, process_group=0
        )


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
    ear: PartOutput | None = None

    def start(self, env: dict[str, str], ties: Ties) -> None:
        """Start, or start again."""
        self.close()
        self.ear = PartOutput(ties)
        self.process = self.program.start(env, ties, self.ear.mouth)
        os.close(self.ear.mouth)
        self.started = time.monotonic()

    def close(self) -> None:
        """Hear no more of what it wrote."""
        if self.ear is not None:
            self.ear.close()

    def lines(self) -> Iterator[str]:
        """Yield the lines that it has written since the last look."""
        return self.ear.lines() if self.ear is not None else iter(())

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

    `in_hand` says what the children hold, for a person who waits for their end. `hopeless` is asked when a child has ended too
    often: if no start will ever help, all ends, with that error's exit code.
    """

    children: list[Child]
    env: dict[str, str]
    ties: Ties
    voice: Voice
    news: Callable[[], Sequence[str]] = tuple
    in_hand: Callable[[], str] = str
    hopeless: Callable[[], HubError | None] = lambda: None
    given_up: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    signals: int = 0
    asked_at: float = field(default_factory=time.monotonic)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; 0 is a clean end."""
        for number in ENDS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks for
                signal.signal(number, self._asked)
        self._start_all()
        while not self.stopping.is_set():
            self._hear()
            self._look()
            self._tell_news(time.monotonic())
        return self._stop() or self.given_up

    def _hear(self) -> None:
        """Wait a moment for what children write, and pass it on."""
        ears = {child.ear.end: child for child in self.children if child.ear is not None and not child.ear.is_over}
        ready, _, _ = select.select(list(ears), [], [], TICK_S)
        for child in map(ears.__getitem__, ready):
            self._pass_on(child)
        self.voice.look(time.monotonic())

    def _pass_on(self, child: Child) -> None:
        for line in child.lines():
            self.voice.hear(child.name, line)

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
                self._tell_end(child, code)
                if child.failures == PATIENCE:
                    self._consider()
            if child.process is None and now >= child.again_at and not self.stopping.is_set():
                child.start(self.env, self.ties)

    def _tell_end(self, child: Child, code: int) -> None:
        self._pass_on(child)
        for line in self.voice.last_words(child.name):
            self.voice.say(f"{child.name}: {line.removeprefix('hub: ')}", level="warning")
        self.voice.say(told(child, code), level="warning")

    def _consider(self) -> None:
        if reason := self.hopeless():
            self.voice.say(f"giving up: {reason}", level="error")
            self.given_up = reason.exit_code
            self.stopping.set()

    def _tell_news(self, now: float) -> None:
        if now - self.asked_at >= NEWS_EVERY_S:
            self.asked_at = now
            for line in self.news():
                self.voice.say(line)

    def _stop(self) -> int:
        clean = 0
        for rank in sorted({child.rank for child in self.children}):
            group = [child for child in self.children if child.rank == rank and child.process]
            for child in group:
                child.signal(signal.SIGTERM)
            clean |= self._wait(group)
        self.voice.wait_for("", time.monotonic())
        return clean

    def _wait(self, group: Sequence[Child]) -> int:
        begun = time.monotonic()
        while living := [child for child in group if child.process and child.process.poll() is None]:
            now = time.monotonic()
            if now > begun + GRACE_S or self.signals > 1:
                for child in group:
                    child.kill()
                return 1
            if now > begun + SILENT_S:
                self.voice.wait_for(waited_for(living, self.in_hand(), begun + GRACE_S - now), now)
            self._hear()
        return 0


def waited_for(children: Sequence[Child], in_hand: str, left: float) -> str:
    """Say what an end waits for, and what a second Ctrl-C would do."""
    names = ", ".join(child.name for child in children)
    what = f" to finish {in_hand}" if in_hand else ""
    return (
        f"stopping: waiting for {names}{what}, {max(left, 0):.0f} s at most. "
        "Ctrl-C again ends at once; nothing is lost or sent twice by that."
    )


def how(code: int) -> str:
    """Say how a process ended: by which signal, or with which exit code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def told(child: Child, code: int) -> str:
    """Say what became of a child that ended; once it has ended too often just after its start, what to do about it."""
    if child.failures < PATIENCE:
        return f"{child.name} ended ({how(code)}) and is started again: what it held is taken up, nothing is lost."
    return (
        f"{child.name} cannot run: it ended {PATIENCE} times just after its start, {how(code)}. "
        f"Its own words above say why; it is tried every {LONGEST_PAUSE_S:g} s until it runs. Ctrl-C stops everything."
    )
