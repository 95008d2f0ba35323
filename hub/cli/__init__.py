"""The terminal: one file a command group, each command a few lines over a flow."""

import atexit
import gc

_USUAL = gc.get_threshold()

# A command ends before there is garbage worth a look: looks, one at the end too, take a fifth of the time that its imports take.
# One that keeps much still meets the collector: what counts is how many objects there are more than before.
gc.set_threshold(500_000, 50, 100)
atexit.register(gc.freeze)


def live_long() -> None:
    """Collect garbage as usual: for what runs until it is stopped, and for its forks."""
    gc.set_threshold(*_USUAL)
    atexit.unregister(gc.freeze)


from hub.cli.main import main  # noqa: E402 - its imports are what is spared

__all__ = ["live_long", "main"]
