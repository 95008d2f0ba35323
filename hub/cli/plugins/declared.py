"""A source that is a file: `hub plugins check FILE.toml` asks the plugin that reads such files."""

from __future__ import annotations

from pathlib import Path

from hub.cli.plugins.trials import FAILED, OK, Trial
from hub.core.errors import ConfigError, Problem, UnknownPlugin
from hub.registry import Registry

READER = "http"
"""The plugin whose source class may have `check_file(path)`: a class method that gives lines to print.

It raises ConfigError with all that is wrong in the file.
"""


def check_file(path: Path, registry: Registry) -> list[Trial]:
    """Return how a declarative file does. Raises ConfigError if it is not there, or if nothing installed reads such files."""
    if not path.is_file():
        raise ConfigError([Problem(str(path), "", "there is no such file", "name a file, or the folder of a plugin")])
    try:
        check = getattr(registry.source(READER), "check_file", None)
    except UnknownPlugin:
        check = None
    if check is None:
        hint = f"install the plugin '{READER}', or name the folder of a plugin"
        raise ConfigError([Problem(str(path), "", "no installed plugin reads declarative files", hint)])
    try:
        lines = [str(line) for line in check(path)]
    except ConfigError as error:
        return [Trial("file", FAILED, "it is not right", tuple(map(str, error.problems)), "mend these places")]
    return [Trial("file", OK, lines[0] if lines else "it is right", tuple(lines[1:]))]
