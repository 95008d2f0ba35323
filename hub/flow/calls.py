"""Calls of plugins that are under way in this process: one that does not come back is told, since what is behind it waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from hub.runtime import Hub

LONGEST_CALL = timedelta(minutes=15)
"""A batch that is paced, or a page, takes less."""


@contextmanager
def calling(hub: Hub, place: str) -> Iterator[Callable[[], None]]:
    """Note that the plugin of a connection (`sources.NAME`) is called; what is given says that it came back with a part."""

    def came_back() -> None:
        hub.calls[place] = hub.now()

    came_back()
    try:
        yield came_back
    finally:
        hub.calls.pop(place, None)


def hanging(hub: Hub) -> dict[str, str]:
    """Return what is to be said of the calls that do not come back, by place."""
    begun = hub.now() - LONGEST_CALL
    return {place: _told(f"{since:%H:%M}") for place, since in dict(hub.calls).items() if since < begun}


def _told(since: str) -> str:
    return f"its plugin has not come back from a call since {since} UTC: if it hangs, end that worker, and it is called again"
