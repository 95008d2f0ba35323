"""`hub up`: one supervisor starts everything on this machine, starts again what ends, and takes all of it along when it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

from hub.cli.running.sandboxes import builder
from hub.cli.running.supervisor import Child, Forked, Spawned, Supervisor, Ties
from hub.cli.running.surroundings import Surroundings
from hub.cli.running.voice import CalmVoice, Voice, choose
from hub.config.interpreter import isolated_command, module_command, safe_environment
from hub.config.logs import FORM, LEVEL, Wanted, asked
from hub.config.settings import Settings, load_settings
from hub.core.errors import ConfigError, HubError, Problem, StoreUnavailable
from hub.core.grammar.words import counted
from hub.queue import embedded
from hub.registry import Registry
from hub.runtime import refuse_newer_database
from hub.sdk.connectors import StreamingSource
from hub.testkit.sandbox import SandboxOptions

# Redis knows no supervisor: this guard starts it and ends it when standard input ends.
GUARD = """
import os, subprocess, sys, threading, signal
asked, child = [], None
def end(*_):
    asked.append(1)
    if child: child.terminate()
signal.signal(signal.SIGTERM, end)
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def watch():
    while os.read(0, 64): pass  # not sys.stdin: Python aborts where a thread holds it at the end
    end()
threading.Thread(target=watch, daemon=True).start()
if asked: end()
sys.exit(child.wait())
"""
# By import string: the terminal stands on the hub, and the hub knows no worker.
WEB, WORKER = "hub.web.__main__:main", "workers.__main__:main"
FIRST = "hub.cli.running.first:main"
# In a burst the door comes first: what it has accepted is safe, and the workers catch up when it is quiet again.
WORK = 3
SHARED = ("hub.core.grammar.template", "hub.sdk.hookspecs", "hub.sdk.http.guard", "redis", "rq", "structlog")


ROOM = 1_000_000  # bytes that must fit on the disk at a start
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FAREWELL = {
    0: "stopped",
    1: "ended at once: what was under way is taken up at the next start, and nothing is lost or sent twice",
}


def supervise(file: Path) -> int:
    """Run everything that a configuration asks for; 2 if it cannot be run so, 3 if another hub has the folder."""
    try:
        settings = load_settings(file)
        wanted = asked(Wanted(settings.log.level, settings.log.format))
        refuse_newer_database(settings)
        held = embedded.lock(settings.data)
        check_room(settings)
        check_ports(settings)
        children = plan(settings)
    except HubError as error:
        say(str(error))
        return error.exit_code
    os.umask(0o077)  # what the parts and Redis make is this user's only
    voice = choose(wanted, settings.public_url)
    # The parts write JSON, which becomes what is wanted here; a calm picture is made of what they tell at `info`.
    level = "info" if isinstance(voice, CalmVoice) else wanted.level
    shared = {"HUBBUB_CONFIG": str(settings.file.resolve()), "PYTHONUNBUFFERED": "1", FORM: "json", LEVEL: level}
    env = safe_environment(**shared)
    with held:
        ties = Ties(held.fileno())
        if code := prepared(settings.file.resolve(), env, ties, voice):
            return code
        for line in greeting(settings):
            voice.say(line)
        supervisor = Supervisor(children, env, ties, voice, Surroundings(settings.file).news)
        supervisor.in_hand, supervisor.hopeless = InHand(settings.file).told, partial(why_hopeless, settings)
        code = supervisor.run()
        voice.say(FAREWELL.get(code, f"ended with exit code {code}"))
        return code


class InHand:
    """What the parts hold while they end, asked of the database once a second, beside the supervisor's own work."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._said = ""
        self._thread = threading.Thread(target=self._look, name="in-hand", daemon=True)

    def told(self) -> str:
        """Return what is held, as far as it is known; asks from the first call on: no fork comes after it."""
        if not self._thread.is_alive() and self._thread.ident is None:
            self._thread.start()
        return self._said

    def _look(self) -> None:
        from hub.runtime import open_hub

        with contextlib.suppress(HubError), contextlib.closing(open_hub(self._file)) as hub:
            while True:
                found = hub.store.figures.ahead(now=hub.now())
                held = {"item": found.rows_held, "delivery": found.held}
                self._said = " and ".join(counted(count, name) for name, count in held.items() if count)
                time.sleep(1.0)


def prepared(file: Path, env: dict[str, str], ties: Ties, voice: Voice) -> int:
    """Let a process of its own prepare the database and the rules, and pass on each line that it says; returns its exit code."""
    child = Child("preparing", Forked(FIRST, [str(file)], "hub up: preparing"), rank=0)
    child.start(env, ties)
    code = None
    while code is None:
        time.sleep(0.01)
        code = child.look(time.monotonic())
        for line in child.lines():
            voice.say(line, level="warning")
    child.close()
    return code


def why_hopeless(settings: Settings) -> HubError | None:
    """Return why no start of a part will ever help, None if it may: a newer program may have upgraded the database since."""
    try:
        refuse_newer_database(settings)
    except HubError as error:
        return error
    return None


def plan(settings: Settings) -> list[Child]:
    """Return the processes of one machine."""
    config = ["-c", str(settings.file.resolve())]
    children: list[Child] = []
    if not settings.redis.url:
        guarded = isolated_command(GUARD, *embedded.server_command(settings.data))
        children.append(Child("redis", Spawned(guarded), rank=3))
    if settings.sandbox.plugins:
        sandbox = module_command("hub.cli", *config, "sandbox", "--tied")
        children.append(Child("sandbox", Spawned(sandbox), rank=4))
    children.append(Child("web", _part("hub.web", WEB, [*config, "--tied", "--migrate"]), rank=0))
    counts = {"process": settings.workers.process, "deliver": settings.workers.deliver}
    for role, count in counts.items():
        for number in range(count):
            name = role if count == 1 else f"{role}-{number + 1}"
            children.append(Child(name, _part("workers", WORKER, [role, *config, "--tied"], nice=WORK), rank=1))
    if streams(settings):
        children.append(Child("listener", _part("workers", WORKER, ["listen", *config, "--tied"]), rank=1))
    children.append(Child("scheduler", _part("workers", WORKER, ["schedule", *config, "--tied"]), rank=1))
    return children


def check_ports(settings: Settings) -> None:
    """Raise ConfigError for each port that cannot be had: its part would end and start again for ever."""
    wanted = {"web.port": (settings.web.host, settings.web.port)}
    if settings.sandbox.port:
        for index, name in enumerate(settings.sandbox.plugins):
            wanted[f"sandbox.port ({name})"] = ("127.0.0.1", settings.sandbox.port + index)
    found = [
        Problem(
            str(settings.file), path, f"{host}:{port} cannot be had: {reason}", "end what listens there, or change it"
        )
        for path, (host, port) in wanted.items()
        if (reason := _refused(host, port))
    ]
    if found:
        raise ConfigError(found)


def _refused(host: str, port: int) -> str:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def streams(settings: Settings) -> bool:
    """Return True if a source is listened to, or may be: a plugin that cannot be had now may be had later."""
    registry = Registry(owners=settings.plugins)
    for section in settings.sources.values():
        try:
            if section.enabled and issubclass(registry.source(section.plugin), StreamingSource):
                return True
        except ConfigError:
            return True
    return False


def _part(module: str, target: str, arguments: list[str], *, nice: int = 0) -> Forked:
    return Forked(target, arguments, " ".join(module_command(module, *arguments)), nice, SHARED)


def check_room(settings: Settings) -> None:
    """Raise ConfigError if the data folder cannot be written, and StoreUnavailable if its disk is full."""
    try:
        with tempfile.TemporaryFile(dir=settings.data) as probe:
            probe.write(bytes(ROOM))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        if error.errno in FULL:
            raise StoreUnavailable(
                f"the disk of {settings.data} is full ({error.strerror}): make room there, or name another folder in hub.data"
            ) from None
        hint = "name a folder that this user may write"
        raise ConfigError([Problem(str(settings.file), "hub.data", str(error), hint)]) from None


def greeting(settings: Settings) -> list[str]:
    """Return what runs, where, and how to go on, in five lines."""
    url = settings.public_url
    return [
        f"the page      {url}",
        f"webhooks      {url}/in/NAME    health {url}/readyz",
        f"sandboxes     {', '.join(look_alikes(settings)) or 'none'}",
        f"kept in       {settings.data}    configuration {settings.file}",
        "real services: edit [destinations.*] in the configuration (docs/connect.md), `hub check`, start again. Ctrl-C stops.",
    ]


def look_alikes(settings: Settings) -> list[str]:
    """Return what people call each look-alike, and the address of its page."""
    found = []
    for index, name in enumerate(settings.sandbox.plugins):
        try:
            called, path = builder(name)(SandboxOptions()).home
        except ConfigError:  # the part that serves it says more
            called, path = "", "/"
        where = f" http://127.0.0.1:{settings.sandbox.port + index}{path.removesuffix('/')}"
        found.append(f"{called or name}{where if settings.sandbox.port else ''}")
    return found


def say(line: str) -> None:
    """Tell the person who started it one line."""
    print(f"hub: {line}", file=sys.stderr, flush=True)
