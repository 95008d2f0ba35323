"""`hub up`: one supervisor starts everything on this machine, starts again what ends, and takes all of it along when it ends."""

from __future__ import annotations

import os
import socket
import sys
import time
from functools import partial
from pathlib import Path

from hub.cli.running.sandboxes import builder
from hub.cli.running.supervisor import Child, Forked, Running, Spawned, Supervisor, Ties
from hub.cli.running.surroundings import Surroundings
from hub.config.interpreter import isolated_command, module_command, safe_environment
from hub.config.settings import Settings, load_settings
from hub.core.errors import ConfigError, HubError, Problem
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


def supervise(file: Path) -> int:
    """Run everything that a configuration asks for; 2 if it cannot be run so, 3 if another hub has the folder."""
    try:
        settings = load_settings(file)
        refuse_newer_database(settings)
        held = embedded.lock(settings.data)
        check_ports(settings)
        children = plan(settings)
    except HubError as error:
        say(str(error))
        return error.exit_code
    os.umask(0o077)  # what the parts and Redis make is this user's only
    env = safe_environment(HUBBUB_CONFIG=str(settings.file.resolve()), PYTHONUNBUFFERED="1")
    with held:
        ties = Ties(held.fileno())
        if code := finished(Forked(FIRST, [str(settings.file.resolve())], "hub up: preparing").start(env, ties)):
            return code
        greet(settings)
        supervisor = Supervisor(children, env, ties, say, Surroundings(settings.file).news)
        supervisor.hopeless = partial(why_hopeless, settings)
        return supervisor.run()


def finished(process: Running) -> int:
    """Wait for a process and return its exit code."""
    while (code := process.poll()) is None:
        time.sleep(0.01)
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
    return Forked(target, arguments, " ".join(module_command(module, *arguments)), nice)


def greet(settings: Settings) -> None:
    """Say in five lines what runs, where, and how to go on."""
    say(f"the page      {settings.public_url}")
    say(f"webhooks      {settings.public_url}/in/NAME    health {settings.public_url}/readyz")
    say(f"sandboxes     {', '.join(look_alikes(settings)) or 'none'}")
    say(f"kept in       {settings.data}    configuration {settings.file}")
    say(
        "real services: edit [destinations.*] in the configuration (docs/connect.md), `hub check`, start again. Ctrl-C stops."
    )


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
