"""A plugin's bug, told without secrets and without a person's words: an exception's message may quote both."""

from __future__ import annotations

from typing import Any

from hub.config.ctrl_c import is_persons
from hub.config.logs import LateLogger
from hub.config.traces import where
from hub.core.errors import ConnectorError
from hub.runtime import Hub

log = LateLogger(__name__)


class Bug(ConnectorError):
    """Something escaped a plugin that is no connector error."""


def tell(hub: Hub, name: str, error: BaseException, *, event: str, **facts: Any) -> Bug:
    """Log what a connection's plugin raised, and where; return it with its message as an error that may be stored.

    Whatever it is (sys.exit() too), everything else runs on; only a person's Ctrl-C is raised again.
    """
    if is_persons(error):
        raise error
    bug = Bug(f"{type(error).__name__}: {_said(error)}")
    hub.redact(name, bug)
    log.error(event, connection=name, **facts, exception=where(error))
    return bug


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception of a plugin's own, whose text is one more bug
        return "its message cannot be read"
