"""Rules, topics and mappings: read, checked and stored as a whole, then in force in all processes at once."""

from __future__ import annotations

from typing import NamedTuple

from hub.books import book_versions, versions_of
from hub.config.logs import LateLogger
from hub.config.rulebook import files_digest
from hub.core.access import Actor, demand
from hub.core.errors import Conflict
from hub.flow.actions.doing import Doing, doing
from hub.flow.conflicts import begin_again
from hub.runtime import Hub
from hub.store.activations import BookVersions

log = LateLogger(__name__)


class Activated(NamedTuple):
    """The activation that is in force, and what it changed (rules, topics, mappings by name); nothing: it was in force before."""

    id: int
    changed: tuple[str, ...]


def activate(hub: Hub, actor: Actor) -> Activated:
    """Read and check the files; if they differ from what is active, all processes take them up within seconds.

    Raises ConfigError with all that is wrong in them: what is active stays.
    """
    demand(actor, "rules.activate")
    return begin_again(lambda _: _activate(hub, actor), tired="the files change all the time: try again in a moment")


def _activate(hub: Hub, actor: Actor) -> Activated:
    """Do it once. Raises Conflict if the files have changed since they were read: another may have activated newer ones."""
    digest = files_digest(hub.settings)
    book, absent = hub.read_files()
    for plugin, why in absent.plugins.items():
        log.warning("activated without a plugin: what it brings follows once it can be had", plugin=plugin, error=why)
    wanted = versions_of(hub.settings, book, absent)
    with doing(hub, actor, "rules.activate") as act:
        hub.store.activations.take_turns(act.conn)
        if files_digest(hub.settings) != digest:
            raise Conflict("the files have changed while they were read")
        hub.store.connections.remember_versions(book_versions(book), now=hub.now(), conn=act.conn)
        current = hub.store.activations.current()
        if current is not None and current.book.says_the_same(wanted):
            hub.store.activations.renew(act.conn, current.id, wanted)
            return Activated(current.id, ())
        changed = tuple(wanted.changes(current.book if current else None))
        number = hub.store.activations.add(act.conn, wanted, actor=actor.name, now=hub.now())
        _note(act, number, wanted, changed)
    hub.book, hub.activation, hub.absent = book, number, frozenset(absent.plugins)
    return Activated(number, changed)


def _note(act: Doing, number: int, versions: BookVersions, changed: tuple[str, ...]) -> None:
    said = {"rules": versions.rules, "topics": versions.topics, "changed": list(changed)}
    act.note("activate", f"activation {number}", **said)
