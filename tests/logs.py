"""What a module logs while a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import structlog
from structlog.typing import EventDict


@contextmanager
def logged_by(module: ModuleType) -> Iterator[list[EventDict]]:
    """The entries of a module's `log`, whatever an earlier test set logging up to be (a logger keeps what it met first)."""
    vars(module.log).pop("bind", None)
    with structlog.testing.capture_logs() as found:
        yield found
    vars(module.log).pop("bind", None)
