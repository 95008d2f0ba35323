"""A plugin's bug, told without secrets and without a person's words: an exception's message may quote both."""

from __future__ import annotations

from typing import Any

from hub.config.logs import LateLogger
from hub.config.traces import where
from hub.core.errors import ConnectorError
from hub.runtime import Hub

log = LateLogger(__name__)


class Bug(ConnectorError):
    """Something escaped a plugin that is no connector error."""


def tell(hub: Hub, name: str, error: Exception, *, event: str, **facts: Any) -> Bug:
    """Log what a connection's plugin raised, and where; return it with its message as an error that may be stored."""
    bug = Bug(f"{type(error).__name__}: {error}")
    hub.redact(name, bug)
    log.error(event, connection=name, **facts, exception=where(error))
    return bug
