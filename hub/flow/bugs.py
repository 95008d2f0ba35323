"""A plugin's bug, told without the secrets of its connection: a traceback may quote a header."""

from __future__ import annotations

import traceback
from typing import Any

from hub.config.logs import LateLogger
from hub.core.errors import ConnectorError
from hub.runtime import Hub

log = LateLogger(__name__)


class Bug(ConnectorError):
    """Something escaped a plugin that is no connector error."""


def tell(hub: Hub, name: str, error: Exception, *, event: str, **facts: Any) -> Bug:
    """Log what a connection's plugin raised, with its traceback; return it as an error that may be stored."""
    bug, trace = Bug(f"{type(error).__name__}: {error}"), Bug("".join(traceback.format_exception(error)))
    for one in (bug, trace):
        hub.redact(name, one)
    log.error(event, connection=name, **facts, exception=str(trace))
    return bug
