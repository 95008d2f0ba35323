"""`hub up`, and the same parts one by one for many machines: web, worker, scheduler, listen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer


def up(context: typer.Context) -> None:
    """Run everything on this machine until Ctrl-C."""
    from hub.cli.up import supervise

    sys.exit(supervise(context.obj))


def web(context: typer.Context, *, migrate: bool = False) -> None:
    """Serve the inbound door, the API and the page."""
    _become("hub.web", "-c", str(context.obj), *(["--migrate"] if migrate else []))


def worker(
    context: typer.Context, role: Annotated[str, typer.Argument(help="process (also polls), deliver, or all")] = "all"
) -> None:
    """Work on what is due until stopped."""
    _become("workers", role, "-c", str(context.obj))


def scheduler(context: typer.Context) -> None:
    """Ring for what is due and take back what lost workers held; one is enough, two do no harm."""
    _become("workers", "schedule", "-c", str(context.obj))


def listen(context: typer.Context) -> None:
    """Follow the streaming sources."""
    _become("workers", "listen", "-c", str(context.obj))


def _become(module: str, *arguments: str) -> None:
    """Replace this process: the part runs under the same pid, so that signals reach it."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - our own modules


COMMANDS: dict[str, Callable[..., None]] = {
    "up": up,
    "web": web,
    "worker": worker,
    "scheduler": scheduler,
    "listen": listen,
}
