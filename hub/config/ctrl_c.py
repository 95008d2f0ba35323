"""Ctrl-C, told apart from a plugin that raises the same."""

from __future__ import annotations

import signal


def is_persons(error: BaseException) -> bool:
    """Return True if an exception is Ctrl-C at a terminal: workers handle that signal, so there it is a plugin's bug."""
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler
