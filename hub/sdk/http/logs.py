"""A connection's log: each line names the connection and holds none of its secrets, tokens that were got on the way included."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from hub.core.errors import ConnectorError
from hub.sdk.http.redaction import Redactor


class ConnectionLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose lines pass a redactor before any handler sees them."""

    def __init__(self, logger: logging.Logger, connection: str, redactor: Redactor) -> None:
        super().__init__(logger, {"connection": connection})
        self._redactor = redactor

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a line without secrets: in its text, in what stands in for `%s`, and in `extra`."""
        if not self.isEnabledFor(level):
            return
        extra = self._redactor.redact_value({**(kwargs.pop("extra", None) or {}), **(self.extra or {})})
        self.logger.log(level, "%s", self._redactor.redact(_line(msg, args)), extra=extra, **kwargs)


def _line(msg: object, args: tuple[object, ...]) -> str:
    """Return a line with its values in their places; behind it where they do not fit."""
    named = args[0] if len(args) == 1 and isinstance(args[0], Mapping) and args[0] else None
    values = {name: _told(one) for name, one in named.items()} if named else tuple(_told(one) for one in args)
    try:
        return str(msg) % values if args else str(msg)
    except (TypeError, ValueError, KeyError):
        return f"{msg} {values}"


def _told(value: object) -> object:
    return value.in_our_words() if isinstance(value, ConnectorError) else value
