"""The terminal: one file a command group, each command a few lines over a flow."""

import gc

# A command ends before there is garbage worth a look, and looking for it takes a tenth of the time that its imports take.
gc.set_threshold(50_000, 50, 100)

from hub.cli.main import main  # noqa: E402 - its imports are what is spared

__all__ = ["main"]
