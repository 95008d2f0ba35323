"""Rules, topics and mappings: read, checked and stored as a whole, then in force in all processes at once."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import structlog

from hub.core.access import HUB, Actor, demand
from hub.core.errors import ConfigError
from hub.flow.actions.doing import Doing, doing
from hub.runtime import Hub, book_versions, read_book, versions_of
from hub.store.activations import BookVersions

log = structlog.get_logger(__name__)


class Activated(NamedTuple):
    """The activation that is in force, and what it changed (rules, topics, mappings by name); nothing: it was in force before."""

    id: int
    changed: tuple[str, ...]


def activate(hub: Hub, actor: Actor) -> Activated:
    """Read and check the files; if they differ from what is active, all processes take them up within seconds.

    Raises ConfigError with all that is wrong in them: what is active stays.
    """
    demand(actor, "rules.activate")
    book = read_book(hub.settings, hub.registry)
    wanted = versions_of(hub.settings, hub.registry, book)
    with doing(hub, actor, "rules.activate") as act:
        hub.store.connections.remember_versions(book_versions(book), now=hub.now(), conn=act.conn)
        current = hub.store.activations.current()
        if current is not None and current.book.says_the_same(wanted):
            hub.store.activations.renew(act.conn, current.id, wanted)
            return Activated(current.id, ())
        changed = tuple(_changed(current.book if current else None, wanted))
        number = hub.store.activations.add(act.conn, wanted, actor=actor.name, now=hub.now())
        _note(act, number, wanted, changed)
    hub.book, hub.activation = book, number
    return Activated(number, changed)


def _changed(old: BookVersions | None, new: BookVersions) -> list[str]:
    if old is None:
        return ["rules", "topics", *sorted(f"mapping {name}" for name in new.mappings)]
    found = [name for name in ("rules", "topics", "labels") if getattr(old, name) != getattr(new, name)]
    names = sorted({*old.mappings, *new.mappings})
    return found + [f"mapping {name}" for name in names if old.mappings.get(name) != new.mappings.get(name)]


def _note(act: Doing, number: int, versions: BookVersions, changed: tuple[str, ...]) -> None:
    said = {"rules": versions.rules, "topics": versions.topics, "changed": list(changed)}
    act.note("activate", f"activation {number}", **said)


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
        written = versions_of(hub.settings, hub.registry, read_book(hub.settings, hub.registry))
    except ConfigError as error:
        log.warning("the files of rules, topics and mappings have errors: what is active runs", error=str(error))
        return
    if changed := _changed(current.book, written):
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
