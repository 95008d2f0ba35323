"""The terminal: one file a command group, each command a few lines over a flow."""

from hub.cli.main import main

__all__ = ["main"]
