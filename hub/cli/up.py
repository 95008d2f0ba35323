"""`hub up`: one supervisor starts everything on this machine, starts again what ends, and takes all of it along when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.config.settings import Settings, load_settings
from hub.core.errors import HubError
from hub.queue import embedded

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
STEADY_S = 10.0
GRACE_S = 15.0
TICK_S = 0.05

# Redis knows no supervisor: this guard starts it and ends it when standard input ends.
GUARD = """
import subprocess, sys, threading, signal
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
def watch():
    sys.stdin.buffer.read()
    child.terminate()
threading.Thread(target=watch, daemon=True).start()
sys.exit(child.wait())
"""


@dataclass
class Child:
    """A process that the supervisor keeps alive; `rank` orders the stop: low ranks end first."""

    name: str
    command: Sequence[str]
    rank: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE_S
    again_at: float = 0.0

    def start(self, env: dict[str, str]) -> None:
        """Start in a process group of its own (Ctrl-C reaches the supervisor only), tied to us by a pipe."""
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, env=env, process_group=0)  # noqa: S603 - our own commands
        self.started = time.monotonic()

    def look(self, now: float) -> int | None:
        """The exit code of a child that has ended since the last look; its next start is set by then."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self.pause = FIRST_PAUSE_S if now - self.started > STEADY_S else min(self.pause * 2, LONGEST_PAUSE_S)
        self.again_at = now + self.pause
        self.process = None
        return code

    def signal(self, number: int) -> None:
        """Send a signal if it lives."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


@dataclass
class Supervisor:
    """Keeps children alive until told to stop; a second signal kills."""

    children: list[Child]
    env: dict[str, str]
    stopping: threading.Event = field(default_factory=threading.Event)
    signals: int = 0

    def run(self) -> int:
        """Until SIGTERM or SIGINT; 0 is a clean end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)
        for child in self.children:
            child.start(self.env)
        while not self.stopping.wait(TICK_S):
            self._look()
        return self._stop()

    def _asked(self, *_: object) -> None:
        self.signals += 1
        self.stopping.set()

    def _look(self) -> None:
        now = time.monotonic()
        for child in self.children:
            code = child.look(now)
            if code is not None:
                say(f"{child.name} ended ({code}); it starts again")
            if child.process is None and now >= child.again_at and not self.stopping.is_set():
                child.start(self.env)

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
                    child.signal(signal.SIGKILL)
                return 1
            time.sleep(TICK_S)
        return 0


def supervise(file: Path) -> int:
    """Run everything that a configuration asks for; 2 where it cannot be read, 3 where another hub has the folder."""
    try:
        settings = load_settings(file)
        held = embedded.lock(settings.data)
        children = plan(settings)
    except embedded.AlreadyRunning as error:
        say(str(error))
        return 3
    except HubError as error:
        say(str(error))
        return 2
    env = {**os.environ, "HUBBUB_CONFIG": str(settings.file.resolve()), "PYTHONUNBUFFERED": "1"}
    with held:
        greet(settings)
        return Supervisor(children, env).run()


def plan(settings: Settings) -> list[Child]:
    """The processes of one machine."""
    python, config = sys.executable, ["-c", str(settings.file.resolve())]
    children: list[Child] = []
    if not settings.redis.url:
        guarded = [python, "-S", "-E", "-c", GUARD, *embedded.server_command(settings.data)]
        children.append(Child("redis", guarded, rank=3))
    if settings.sandbox.plugins:
        children.append(Child("sandbox", [python, "-m", "hub.cli", *config, "sandbox", "--tied"], rank=4))
    children.append(Child("web", [python, "-m", "hub.web", *config, "--tied", "--migrate"], rank=0))
    counts = {"process": settings.workers.process, "deliver": settings.workers.deliver}
    for role, count in counts.items():
        for number in range(count):
            name = role if count == 1 else f"{role}-{number + 1}"
            children.append(Child(name, _worker(python, role, config), rank=1))
    children.append(Child("scheduler", _worker(python, "schedule", config), rank=1))
    return children


def _worker(python: str, role: str, config: list[str]) -> list[str]:
    return [python, "-m", "workers", role, *config, "--tied"]


def greet(settings: Settings) -> None:
    """Five lines: what runs, where, and how to go on."""
    sandboxes = [
        f"{name} http://127.0.0.1:{settings.sandbox.port + index}"
        for index, name in enumerate(settings.sandbox.plugins)
    ]
    say(f"the page      {settings.public_url}")
    say(f"webhooks      {settings.public_url}/in/NAME    health {settings.public_url}/readyz")
    say(f"sandboxes     {', '.join(sandboxes) or 'none'}")
    say(f"kept in       {settings.data}    configuration {settings.file}")
    say(
        "real services: edit [destinations.*] in the configuration (docs/connect.md), `hub check`, start again. Ctrl-C stops."
    )


def say(line: str) -> None:
    """A line for the person who started it."""
    print(f"hub: {line}", file=sys.stderr, flush=True)
