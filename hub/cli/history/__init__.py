"""`hub dry-run`, `hub replay`, `hub cost`."""

from hub.cli.history.commands import COMMANDS

__all__ = ["COMMANDS"]
