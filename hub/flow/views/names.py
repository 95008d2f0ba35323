"""Names that must not be read by those who may not know who said something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hub.core.access import Actor
from hub.core.reading.mask import names_of
from hub.runtime import Hub


def names_near(hub: Hub, actor: Actor, keys: Sequence[str | None]) -> Mapping[str, tuple[str, ...]]:
    """Return the names that stand near each signal: of its author and the person behind, and of those it answers or repeats.

    It returns none for an actor who may read them.
    """
    known = [key for key in dict.fromkeys(keys) if key]
    if actor.sight.names or not known:
        return {}
    with hub.store.database.read() as conn:
        near = hub.store.signals.authors_near(conn, known)
        every = list({author for authors in near.values() for author in authors})
        authors = hub.store.signals.authors(conn, every)
        people = hub.store.people.behind(conn, every)
    called = {
        key: names_of(*(msgspec.to_builtins(one) for one in (authors.get(key), people.get(key)) if one is not None))
        for key in every
    }
    return {key: tuple(dict.fromkeys(name for one in found for name in called[one])) for key, found in near.items()}
