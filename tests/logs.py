"""What the hub logs while a block runs."""

from __future__ import annotations

import logging
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


@contextmanager
def root_kept() -> Iterator[None]:
    """Give the root logger back as it was: commands set logging up for their process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)  # not by the attribute: loggers remember what they met


def forget() -> None:
    """Have each module's `log` ask for its configuration again."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ROOMS and "log" in vars(module):
            vars(module.log).pop("bind", None)


__all__ = ["captured", "root_kept"]
