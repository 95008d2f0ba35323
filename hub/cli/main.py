"""`hub`: the commands and how they end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer.main

from hub.cli.opened import Form, Level, log_as
from hub.core.errors import HubError

ABOUT = """Hubbub: turn the hubbub into action.

A first look: `hub init --demo`, then `hub up`. For real use: `hub init`, edit config.toml, `hub check`, `hub up`."""
EXITS = """Exit codes:

0 done;

1 something that was asked about is wrong (a failed check, an item that cannot be read, nothing found);

2 the configuration or the command line is wrong;

3 another hub runs on the data folder;

4 the database is not there, cannot be used now, needs `hub db upgrade`, or is of a newer version."""

Config = Annotated[
    Path,
    typer.Option("-c", "--config", envvar="HUBBUB_CONFIG", help="the configuration file"),
]
Log = Annotated[
    Form | None, typer.Option("--log", help="how `up` and the parts log: text, json (one object a line), auto")
]
LogLevel = Annotated[Level | None, typer.Option("--log-level", help="from which on: debug, info, warning, error")]
VALUED = ("-c", "--config", "--log", "--log-level")
"""Options before the command that take a value, a word of its own."""


def _tell_version(asked: bool) -> None:
    if asked:
        from hub.cli.show import say

        say(f"hubbub {version('hubbub')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="say which version this is")
]


def options(
    context: typer.Context,
    config: Config = Path("config.toml"),
    log: Log = None,
    log_level: LogLevel = None,
    *,
    _version: Version = False,
) -> None:
    """Keep what all commands share; how to log is handed on by the environment, so that parts hear it too."""
    context.obj = config
    log_as(log, log_level)


COMMANDS = {
    "init": "setup:init",
    "check": "check:check",
    "backup": "backups:backup",
    "restore": "backups:restore",
    "resume": "backups:resume",
    "status": "status:status",
    "reload": "status:reload",
    "up": "running.run:up",
    "web": "running.run:web",
    "worker": "running.run:worker",
    "scheduler": "running.run:scheduler",
    "listen": "running.run:listen",
    "sandbox": "running.run:sandbox",
    "poll": "read:poll",
    "import": "read:import_",
    "translate": "read:translate",
    "label": "read:label",
    "dry-run": "history.commands:dry_run",
    "replay": "history.commands:replay",
    "cost": "history.commands:cost",
    "explain": "signals:explain",
    "erase": "erase:erase",
    "recheck": "erase:recheck",
    "audit": "people:audit",
    "signals": "signals:app",
    "deliveries": "deliveries:app",
    "replies": "replies:app",
    "alerts": "watch.alerts:app",
    "people": "people:app",
    "users": "users:app",
    "plugins": "plugins.commands:app",
    "mappings": "rulebook:mappings",
    "rules": "rulebook:rules",
    "config": "setup:config",
    "db": "setup:db",
    "docs": "manual:docs",
}
"""Each command or group by its name, in the order of the help, as `module:name` below `hub.cli`."""


@cache
def command(only: str = "") -> Any:
    """Return the whole command line, or, with the name of a command, what that one needs: all of them take longer to make."""
    # Without markup: a help text says `[[test]]` and means it.
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, epilog=EXITS
    )
    app.callback(help=ABOUT)(options)
    for name, place in COMMANDS.items():
        if only not in COMMANDS or name == only:
            module, _, attribute = place.partition(":")
            found = getattr(import_module(f"hub.cli.{module}"), attribute)
            if isinstance(found, typer.Typer):
                found.rich_markup_mode = None
                for one in found.registered_commands:
                    one.short_help = in_short(one.callback)
                app.add_typer(found, name=name, short_help=str(found.info.help))
            else:
                app.command(name, short_help=in_short(found))(found)
    return typer.main.get_command(app)


def in_short(found: Any) -> str:
    """Return a command's first sentence for a list of commands: whole, where the library would cut it."""
    return " ".join((found.__doc__ or "").partition("\n\n")[0].split())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and turn the hub's errors into a message and an exit code."""
    given = shared_first(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter shows its number
    try:
        command(asked_for(given))(args=given, prog_name="hub")
    except HubError as error:
        from hub.cli.show import fail

        fail(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # a file that may not be read, a port that is taken: no bug of ours
        from hub.cli.show import fail

        fail(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        sys.exit(1)


def shared_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with what all commands share (`-c FILE`, `--log json`) before the command, wherever it was written."""
    moved: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting and waiting[0] != "--":
        word = waiting.pop(0)
        if word in VALUED and waiting:
            moved += [word, waiting.pop(0)]
        elif word.startswith(tuple(f"{one}=" for one in VALUED)):
            moved.append(word)
        else:
            rest.append(word)
    return [*moved, *rest, *waiting]


def asked_for(arguments: Sequence[str]) -> str:
    """Return the command's name; "" if what stands there is none, or help is asked for about all."""
    waiting = list(arguments)
    while waiting and waiting[0].partition("=")[0] in VALUED:
        del waiting[: 1 if "=" in waiting[0] else 2]
    return waiting[0] if waiting and waiting[0] in COMMANDS else ""
