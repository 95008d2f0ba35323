"""What the hub logs while a block runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.typing import EventDict

ROOMS = ("hub", "plugins", "workers")


@contextmanager
def captured() -> Iterator[list[EventDict]]:
    """Return the entries of every logger of the hub, in order.

    An earlier test may have set logging up: a logger then keeps for good what it met at its first line, so each has to forget it.
    """
    forget()
    with structlog.testing.capture_logs() as found:
        yield found
    forget()


def forget() -> None:
    """Have each module's `log` ask for its configuration again."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ROOMS and "log" in vars(module):
            vars(module.log).pop("bind", None)


__all__ = ["captured"]
