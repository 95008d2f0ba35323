"""`hub up`, and the same parts one by one for many machines: web, worker, scheduler, listen; and the look-alikes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Role(StrEnum):
    """What a worker works on."""

    PROCESS = "process"
    DELIVER = "deliver"
    ALL = "all"


def up(context: typer.Context) -> None:
    """Run everything on this machine until Ctrl-C."""
    from hub.cli import live_long
    from hub.cli.running.up import supervise

    live_long()
    sys.exit(supervise(context.obj))


def web(
    context: typer.Context,
    *,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="bring the database to this program's revision first")
    ] = False,
) -> None:
    """Serve the inbound door, the API and the page."""
    _become("hub.web", "-c", str(context.obj), *(["--migrate"] if migrate else []))


def worker(
    context: typer.Context,
    role: Annotated[Role, typer.Argument(help="process (also polls), deliver, or all")] = Role.ALL,
) -> None:
    """Work on what is due until stopped."""
    _become("workers", role.value, "-c", str(context.obj))


def scheduler(context: typer.Context) -> None:
    """Ring for what is due and take back what lost workers held; one is enough, two do no harm."""
    _become("workers", "schedule", "-c", str(context.obj))


def listen(context: typer.Context) -> None:
    """Follow the streaming sources."""
    _become("workers", "listen", "-c", str(context.obj))


def _become(module: str, *arguments: str) -> None:
    """Replace this process: the part runs under the same pid, so that signals reach it."""
    from hub.config.interpreter import module_command, safe_environment

    command = module_command(module, *arguments)
    os.execve(command[0], command, safe_environment())  # noqa: S606 - our own modules


def sandbox(
    context: typer.Context,
    plugins: Annotated[list[str] | None, typer.Argument(help="plugins; none: those of [sandbox]")] = None,
    *,
    port: Annotated[int | None, typer.Option(help="the first one's port; the next ones follow")] = None,
    contracts: Annotated[
        Path | None, typer.Option(help="a folder of vendors' contracts to check each request by")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="where records are kept; none: the data folder, if there is one")
    ] = None,
    tied: Annotated[bool, typer.Option(help="end when standard input ends", hidden=True)] = False,
) -> None:
    """Serve stateful look-alikes of Salesforce, HubSpot, Zendesk, Mastodon and any connector that ships one."""
    from hub.cli import live_long
    from hub.cli.running.sandboxes import builder, with_sandbox
    from hub.config.settings import Settings, load_settings
    from hub.testkit.sandbox import SandboxOptions, serve

    live_long()
    settings = load_settings(context.obj) if context.obj.exists() else Settings()
    names = plugins or list(settings.sandbox.plugins) or with_sandbox()
    keep = folder or (settings.data / "sandbox" if context.obj.exists() else None)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if tied:
        threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()
    with contextlib.ExitStack() as stack:
        first = settings.sandbox.port if port is None else port
        for index, name in enumerate(names):
            kept = keep / name if keep else None
            extra, token = settings.sandbox.options.get(name, {}), settings.sandbox.token
            made = builder(name)(SandboxOptions(folder=kept, contracts=contracts, token=token, extra=extra))
            running = stack.enter_context(serve(made, port=first + index if first else 0))
            print(f"hub: {name} sandbox at {running.url}", file=sys.stderr, flush=True)
        stop.wait()


def _end_with_parent(stop: threading.Event) -> None:
    # Not by way of sys.stdin: a thread that waits in a buffered read makes the interpreter abort at its end.
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    stop.set()
