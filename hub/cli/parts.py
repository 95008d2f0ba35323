"""`hub sandbox`: vendors' look-alikes, to try things on."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.core.errors import ConfigError, Problem
from hub.registry import Registry


def sandbox(
    context: typer.Context,
    plugins: Annotated[list[str] | None, typer.Argument(help="destination plugins; none: those of [sandbox]")] = None,
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
    """Serve stateful look-alikes of Salesforce, HubSpot, Zendesk and any destination that ships one."""
    from hub.config.settings import Settings, load_settings

    settings = load_settings(context.obj) if context.obj.exists() else Settings()
    names = plugins or list(settings.sandbox.plugins) or _all_sandboxes()
    keep = folder or (settings.data / "sandbox" if context.obj.exists() else None)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if tied:
        threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()
    with contextlib.ExitStack() as stack:
        first = settings.sandbox.port if port is None else port
        for index, name in enumerate(names):
            running = stack.enter_context(
                _serve(name, first + index if first else 0, keep, contracts, settings.sandbox.token)
            )
            print(f"hub: {name} sandbox at {running.url}", file=sys.stderr, flush=True)
        stop.wait()


@contextlib.contextmanager
def _serve(name: str, port: int, folder: Path | None, contracts: Path | None, token: str) -> Iterator[Any]:
    from importlib import import_module

    from hub.sdk.sandbox import SandboxOptions, serve

    where = Registry().destination(name).sandbox
    if not where:
        raise ConfigError([Problem("sandbox", name, "this destination ships no sandbox")])
    module, _, function = where.partition(":")
    kept = folder / name if folder else None
    options = SandboxOptions(folder=kept, contracts=contracts, token=token)
    with serve(getattr(import_module(module), function)(options), port=port) as running:
        yield running


def _all_sandboxes() -> list[str]:
    registry = Registry()
    return [name for name in registry.names for cls in registry.load(name).destinations.values() if cls.sandbox]


def _end_with_parent(stop: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError), os.fdopen(0, "rb", closefd=False) as stream:
        while stream.read(1):
            pass
    stop.set()


COMMANDS: dict[str, Callable[..., None]] = {"sandbox": sandbox}
