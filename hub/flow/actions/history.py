"""The past run again under the active rules and mappings, and what differs is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hub.core.access import Actor, Scope, demand
from hub.flow.actions.doing import note
from hub.flow.history.past import Past, Question, look
from hub.flow.history.replay import Progress
from hub.runtime import Hub
from hub.store import Connection


@contextmanager
def replay(hub: Hub, actor: Actor, question: Question, *, progress: Progress | None = None) -> Iterator[Past]:
    """Send what differs, under the keys that the records have; a run that was interrupted goes on with the rest.

    The entry is written with the first deliveries that are planned; if nothing differs there is none. Raises NoSuchName.
    """
    demand(actor, "history.replay", Scope(question.source))
    asked = {name: str(value) for name, value in question._asdict().items() if value is not None and name != "show"}
    versions = {"rules": hub.book.rules.version, "topics": hub.book.topics.version}

    def told(conn: Connection) -> None:
        note(hub, actor, conn, ("replay", question.source or "history"), **asked, **versions)

    with look(hub, hub.book, question, send=True, also=told, progress=progress) as past:
        yield past
