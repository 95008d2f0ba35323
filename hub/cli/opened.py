"""A hub for one command, and who is at the terminal. What is heavy is imported when it is needed: `hub --help` is quick."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub.config.logs import FORM, LEVEL, Form, Level, Wanted, asked, set_up_logging
from hub.core.access import Actor, at_terminal
from hub.core.errors import HubError

if TYPE_CHECKING:
    from hub.runtime import Hub


__all__ = ["Form", "Level", "NoDatabase", "log_as", "me", "opened", "quieten", "upgrade"]


class NoDatabase(HubError):
    """There is no database yet: `hub up` makes it, and so does `hub db upgrade`."""

    exit_code = 4


def me() -> Actor:
    """Return the person at the terminal, by the name of their account on this machine."""
    try:
        return at_terminal(getpass.getuser())
    except (KeyError, OSError):  # a container may run under a number that has no name
        return at_terminal("terminal")


@contextmanager
def opened(file: Path, *, level: str = "warning", makes: bool = False) -> Iterator[Hub]:
    """Open the hub of a configuration and close it at the end; `makes` makes a SQLite database that is not there.

    Raises ConfigError, NoDatabase, and WrongRevision or StoreUnavailable if the database cannot be used.
    """
    from hub.config.settings import load_settings
    from hub.runtime import is_absent, open_hub

    quieten(level)
    is_new = is_absent(load_settings(file))
    if is_new and not makes:
        raise NoDatabase
    hub = open_hub(file, migrate=is_new)
    try:
        yield hub
    finally:
        hub.close()


def upgrade(file: Path) -> None:
    """Bring the database to this program's revision; makes it if there is none. Raises as `opened`."""
    from hub.runtime import open_hub

    quieten()
    open_hub(file, migrate=True).close()


def log_as(form: Form | None, level: Level | None) -> None:
    """Keep how to log in the environment: the parts that a command starts, or becomes, hear it there."""
    os.environ.update({name: word for name, word in ((FORM, form), (LEVEL, level)) if word})


def quieten(level: str = "warning") -> None:
    """Log to standard error, from a level on: standard output belongs to what the command says."""
    wanted = asked(Wanted(level, "auto"))
    set_up_logging(level=wanted.level, form=wanted.form)
