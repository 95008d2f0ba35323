"""Tracebacks for logs: where an exception came from, without its message, which may quote a secret or a person's words."""

from __future__ import annotations

import traceback
from types import TracebackType


def where(error: BaseException) -> str:
    """Return the traceback of an exception and of its causes, without their messages."""
    lines = [*traceback.format_tb(error.__traceback__), f"{type(error).__name__}\n"]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(lines) if cause is None else f"{where(cause)}\nand then:\n{''.join(lines)}"


def where_of(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """Return the same for what `sys.exc_info` gives."""
    return where(exc_info[1])
