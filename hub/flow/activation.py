"""What is active, at a process's start and while it runs: the files are activated once, what a plugin brings follows."""

from __future__ import annotations

from datetime import datetime

from hub.books import versions_of
from hub.config.logs import LateLogger
from hub.config.rulebook import files_digest
from hub.core.access import HUB, Actor
from hub.core.errors import ConfigError
from hub.flow.actions.rules import activate
from hub.runtime import Hub
from hub.wiring import why_absent

log = LateLogger(__name__)


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
        written = versions_of(hub.settings, *hub.read_files())
    except ConfigError as error:
        log.warning("the files of rules, topics and mappings have errors: what is active runs", error=str(error))
        return
    if changed := written.changes(current.book):
        log.warning("files differ from what is active: `hub reload` activates them", changed=list(changed))


def complete(hub: Hub) -> bool:
    """Activate what a plugin brings that could not be had, once it can; True if that was done.

    Only if the files are those that are active: what a person changed since waits for that person's word. A try that activates
    nothing is told, and made again only when more plugins can be had or the files change.
    """
    again = frozenset(name for name in hub.absent if not why_absent(hub.registry, name))
    if not again or hub.tried_completing == (state := (hub.activation, again, files_digest(hub.settings))):
        return False
    done = _complete(hub)
    hub.tried_completing = state
    return done


def _complete(hub: Hub) -> bool:
    current = hub.store.activations.current()
    if current is None:
        return False
    if files_digest(hub.settings) != current.book.files:
        log.warning("a plugin can be had again, and files differ from what is active: `hub reload` activates both")
        return False
    try:
        return activate(hub, HUB).id != current.id
    except ConfigError as error:
        log.warning("a plugin can be had again, and the files have errors: what is active stays", error=str(error))
        return False


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
