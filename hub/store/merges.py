"""Records at destinations that were merged there: which one each is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from hub.store.database import among, chunks
from hub.store.schema import merged

MOST_MERGES = 20  # of a chain that is followed


def winners_of(conn: Connection, destination: str, object_: str, remote_ids: Iterable[str]) -> dict[str, str]:
    """Return the records that were merged, each with the record that it is now, by all merges that were told of.

    If merges run in a circle, what was told of the record itself holds.
    """
    told: dict[str, str] = {}
    waiting = set(remote_ids)
    here = merged.c.destination == destination, merged.c.object == object_
    for _ in range(MOST_MERGES):
        found: dict[str, str] = {}
        for part in chunks(sorted(waiting)):
            query = select(merged.c.remote_id, merged.c.winner).where(*here, among(merged.c.remote_id, part))
            found.update((row.remote_id, row.winner) for row in conn.execute(query))
        told |= found
        waiting = set(found.values()) - told.keys()
        if not waiting:
            break
    return {one: _end_of(told, one) for one in remote_ids if one in told}


def _end_of(told: Mapping[str, str], remote_id: str) -> str:
    seen, end = {remote_id}, told[remote_id]
    while end in told and end not in seen:
        seen.add(end)
        end = told[end]
    return told[remote_id] if end in seen else end
