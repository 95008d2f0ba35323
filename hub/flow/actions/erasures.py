"""Erasures: what was said is taken back everywhere, by request or since it is gone at its source."""

from __future__ import annotations

from datetime import datetime

from hub.core.access import Actor, NotAllowed, Scope, demand
from hub.core.model import Tombstone
from hub.flow.actions.doing import doing, note
from hub.flow.erase import recheck as again
from hub.flow.erase import register
from hub.flow.erase.erase import erase as take_back
from hub.flow.erase.erase import finish
from hub.flow.views.erasures import find
from hub.runtime import Hub
from hub.store import Connection


def erase(hub: Hub, actor: Actor, key: str) -> str:
    """Erase a signal, or an author with all signals, here and at every destination that has it; returns the whole key.

    It cannot be undone. The register has it first, so that a restore cannot undo it either. The audit entry is written with
    the first change: much is erased in several transactions. Raises NothingToErase, RegisterUnavailable, and Overtaken if
    what is to be erased is being sent each time, and NotAllowed for an author if not all sources are seen.
    """
    demand(actor, "erasures.erase")
    known, now = find(hub, actor, key), hub.now()
    if not actor.sight.is_whole and hub.store.signals.get(known, sight=actor.sight) is None:
        raise NotAllowed(
            f"{actor.name} sees a part of the hub, and an author is erased as a whole: ask one who sees all"
        )
    with hub.store.database.read() as conn:
        theirs = hub.store.erasures.of_authors(conn, [known])
    register.note(hub, known, now, *theirs)

    def told(conn: Connection) -> None:
        note(hub, actor, conn, ("erase", known))

    take_back(hub, [Tombstone(known, "erasure", now)], also=told)
    finish(hub)  # where no destination had it, nothing is awaited
    return known


def recheck(hub: Hub, actor: Actor, source: str, *, since: datetime | None = None) -> again.Checked:
    """Ask a source whether its posts are still there; what is gone is taken back everywhere. `since` leaves out earlier ones.

    The entry says that it was asked for; it is written before the source is called. Raises UnknownPlugin if the source is not
    configured, and its ConnectorError.
    """
    demand(actor, "erasures.recheck", Scope(source))
    hub.source(source)
    with doing(hub, actor, "erasures.recheck", Scope(source)) as act:
        act.note("recheck", source, since=since.isoformat() if since else None)
    return again.recheck(hub, source, before=hub.now(), since=since)
