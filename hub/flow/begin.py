"""A process's beginning: what is active is in force, and files that say something else are told of."""

from __future__ import annotations

from datetime import datetime

import structlog

from hub.core.access import HUB, Actor
from hub.core.errors import ConfigError
from hub.flow.actions.rules import activate
from hub.runtime import Hub

log = structlog.get_logger(__name__)


def begin(hub: Hub) -> None:
    """Take what is active at a process's start, and tell if the files differ from it; the first start activates them.

    Raises ConfigError if nothing is active and the files cannot be used, or what is active cannot be used here.
    """
    current = hub.store.activations.current()
    if current is None:
        activate(hub, HUB)
        return
    _ = hub.book
    try:
        _book, written = hub.read_files()
    except ConfigError as error:
        log.warning("the files of rules, topics and mappings have errors: what is active runs", error=str(error))
        return
    if changed := written.changes_of(current.book):
        log.warning("files differ from what is active: `hub reload` activates them", changed=list(changed))


def activate_or_keep(hub: Hub, actor: Actor) -> str:
    """Activate the files at the start of `hub up`; returns why what is active was kept instead, "" if it was not.

    Raises ConfigError if they have errors and nothing is active.
    """
    try:
        activate(hub, actor)
    except ConfigError as error:
        current = hub.store.activations.current()
        if current is None:
            raise
        return f"NOT ACTIVATED, since the files have errors:\n{error}\nWhat was activated {_minute(current.at)} goes on"
    return ""


def _minute(time: datetime) -> str:
    return f"at {time:%Y-%m-%d %H:%M} UTC"
