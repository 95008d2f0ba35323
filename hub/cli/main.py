"""`hub`: the commands and how they end.

Exit codes: 0 done; 1 something that was asked about is wrong (a failed check, an item that cannot be read, nothing found);
2 the configuration or the command line is wrong; 3 another hub runs on the data folder; 4 the database cannot be used now.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hub.core.errors import HubError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Hubbub: turn the hubbub into action.",
)
Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", envvar="HUBBUB_CONFIG", help="the configuration file (default ./config.toml)"),
]


@app.callback()
def options(context: typer.Context, config: Config = None) -> None:
    """Hubbub: turn the hubbub into action."""
    context.obj = config or Path("config.toml")


def main() -> None:
    """The program: runs a command and turns the hub's errors into a message and an exit code."""
    register()
    try:
        app()
    except BrokenPipeError:
        sys.exit(0)
    except HubError as error:
        from hub.cli.show import fail
        from hub.core.errors import ConfigError

        fail(str(error))
        sys.exit(2 if isinstance(error, ConfigError) else 4)


def register() -> None:
    """Add the command groups; what a command needs it imports itself, so that `hub --help` is quick."""
    from hub.cli import deliveries, parts, plugins, read, run, setup, signals

    for name, command in {**setup.COMMANDS, **run.COMMANDS, **read.COMMANDS, **parts.COMMANDS}.items():
        app.command(name)(command)
    app.add_typer(setup.config, name="config")
    app.add_typer(setup.db, name="db")
    app.add_typer(signals.app, name="signals")
    app.command()(signals.explain)
    app.add_typer(deliveries.app, name="deliveries")
    app.add_typer(plugins.plugins, name="plugins")
    app.add_typer(plugins.mappings, name="mappings")
    app.add_typer(plugins.rules, name="rules")
