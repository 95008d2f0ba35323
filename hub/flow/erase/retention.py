"""What destinations told and the hub could not read is kept for a repair, but not for ever."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from hub.config.logs import LateLogger
from hub.core.erasure import is_quoting
from hub.core.model import Signal
from hub.runtime import Hub
from hub.store import Connection

log = LateLogger(__name__)
PAGE = 500


def forget_quotes(
    hub: Hub,
    conn: Connection,
    *,
    said: Mapping[str, Signal],
    people: Collection[str],
    words: Callable[[], Sequence[str]],
) -> None:
    """Empty unread calls that quote posts which are gone, and such grounds of links, as a whole.

    `words` tells what they ever said; it is asked only if something may quote them.
    """
    marks = {*said, *people, *(one.url for one in said.values() if one.url)}
    bodies = hub.store.unread.bodies(conn)
    quoting_it = [id_ for id_, body in bodies if is_quoting(body, words(), marks)]
    hub.store.unread.blank(conn, quoting_it, note="it quoted a post that is gone")
    writers = sorted({one.author_key for one in said.values() if one.author_key})
    hub.store.people.forget_ground(conn, writers, is_theirs=lambda ground: is_quoting(ground.encode(), words(), marks))


def forget_unread(hub: Hub) -> int:
    """Empty what was kept for as long as `hub.keep_unread` says; return how many calls."""
    before, done = hub.now() - hub.settings.hub.keep_unread, 0
    while ids := hub.store.unread.older(before, limit=PAGE):
        with hub.store.database.write() as conn:
            done += hub.store.unread.blank(conn, ids, note="it could not be read in time: see hub.keep_unread")
    if done:
        log.warning("calls that could not be read were forgotten", rows=done)
    return done
