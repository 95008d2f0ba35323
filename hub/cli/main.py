"""`hub`: the commands and how they end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer.main

from hub.cli import (
    backups,
    check,
    deliveries,
    erase,
    history,
    manual,
    people,
    read,
    replies,
    rulebook,
    setup,
    signals,
    status,
)
from hub.cli.plugins import commands as plugins
from hub.cli.running import run
from hub.cli.watch import alerts
from hub.core.errors import HubError

ABOUT = """Hubbub: turn the hubbub into action.

A first look: `hub init --demo`, then `hub up`. For real use: `hub init`, edit config.toml, `hub check`, `hub up`."""
EXITS = """Exit codes:

0 done;

1 something that was asked about is wrong (a failed check, an item that cannot be read, nothing found);

2 the configuration or the command line is wrong;

3 another hub runs on the data folder;

4 the database is not there, cannot be used now, needs `hub db upgrade`, or is of a newer version."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, epilog=EXITS)
Config = Annotated[
    Path,
    typer.Option("-c", "--config", envvar="HUBBUB_CONFIG", help="the configuration file"),
]


def _tell_version(asked: bool) -> None:
    if asked:
        from hub.cli.show import say

        say(f"hubbub {version('hubbub')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="say which version this is")
]


@app.callback(help=ABOUT)
def options(context: typer.Context, config: Config = Path("config.toml"), *, _version: Version = False) -> None:
    """Keep what all commands share."""
    context.obj = config


for _name, _command in {
    **setup.COMMANDS,
    **check.COMMANDS,
    **backups.COMMANDS,
    **status.COMMANDS,
    **run.COMMANDS,
    **read.COMMANDS,
    **history.COMMANDS,
}.items():
    app.command(_name)(_command)
app.command()(signals.explain)
app.command()(erase.erase)
app.command()(erase.recheck)
app.add_typer(signals.app, name="signals")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(replies.app, name="replies")
app.add_typer(alerts.app, name="alerts")
app.command()(people.audit)
app.add_typer(people.app, name="people")
app.add_typer(plugins.app, name="plugins")
app.add_typer(rulebook.mappings, name="mappings")
app.add_typer(rulebook.rules, name="rules")
app.add_typer(setup.config, name="config")
app.add_typer(setup.db, name="db")
app.command()(manual.docs)


@cache
def command() -> Any:
    """Return the whole command line; typer would build it again for each call."""
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and turn the hub's errors into a message and an exit code."""
    given = config_first(sys.argv[1:] if arguments is None else arguments)
    try:
        command()(args=given, prog_name="hub")
    except HubError as error:
        from hub.cli.show import fail

        fail(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # a file that may not be read, a port that is taken: no bug of ours
        from hub.cli.show import fail

        fail(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        sys.exit(1)


def config_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `-c FILE` before the command, wherever it was written."""
    moved: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting and waiting[0] != "--":
        word = waiting.pop(0)
        if word in ("-c", "--config") and waiting:
            moved += [word, waiting.pop(0)]
        elif word.startswith("--config="):
            moved.append(word)
        else:
            rest.append(word)
    return [*moved, *rest, *waiting]
