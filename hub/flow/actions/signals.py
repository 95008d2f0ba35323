"""Signals by hand: a source polled now, a file taken in, and raw items that failed taken up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hub.core.access import Actor, Scope, demand
from hub.flow.actions.doing import doing, note
from hub.flow.intake import poll as intake
from hub.runtime import Hub
from hub.store import Connection


class Polled(NamedTuple):
    """How many items were new, None if another polls the source now; `error` says why the poll failed."""

    taken: int | None
    error: str | None


def retry(hub: Hub, actor: Actor, ids: Sequence[int] | None = None) -> int:
    """Take up raw items again that could not be translated and are seen, all of them without `ids`; returns how many."""
    with doing(hub, actor, "signals.retry") as act:
        done = hub.store.inbox.retry(ids, now=hub.now(), conn=act.conn, sight=actor.sight)
        if done:
            act.note("retry signals", "signals", count=done, ids=list(ids) if ids else None)
    hub.bell.ring("process")
    return done


def poll(hub: Hub, actor: Actor, source: str) -> Polled:
    """Poll a source now, whether it is due or not.

    Raises UnknownPlugin if it is not configured, ConnectorError if it is not polled.
    """
    demand(actor, "signals.poll", Scope(source))
    intake.polled_source(hub, source)
    with doing(hub, actor, "signals.poll", Scope(source)) as act:
        hub.store.cursors.declare([source], now=hub.now(), conn=act.conn)
        act.note("poll", source)
    taken = intake.poll(hub, source, early=True)
    return Polled(taken, next((row["error"] for row in hub.store.cursors.list() if row["source"] == source), None))


def take_in(hub: Hub, actor: Actor, file: Path, source: str) -> Iterator[int]:
    """Take a file's items in as if the source had given them; yields how many were new, page by page.

    The entry is written with the first page. Raises UnknownPlugin if the source is not configured, TranslationError if the
    document cannot be read.
    """
    demand(actor, "signals.take_in", Scope(source))

    def told(conn: Connection) -> None:
        note(hub, actor, conn, ("import", source), file=file.name)

    return intake.import_document(hub, file, source, also=told)
