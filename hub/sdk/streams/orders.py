"""What a stream is: how its pages are asked for, and by what its items are ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.core.errors import TranslationError
from hub.sdk.doc import Doc
from hub.sdk.text import parse_time

MOST_PAGES = 100


@dataclass(frozen=True, slots=True)
class StreamItem:
    """An item as the network gave it, and its place in the stream (a time, number or position; None: it has none).

    What has no place is given all the same and does not move the cursor. Without `external_id` the source's `identify` says it.
    """

    payload: bytes
    place: Any = None
    external_id: str = ""
    revision: str = ""

    @classmethod
    def by_time(cls, payload: bytes, at: str, *, id: str = "id", revision: str = "") -> StreamItem:  # noqa: A002 - as in JSON
        """Return a JSON item with what stands at these dotted paths: the time that is its place, its id, its revision.

        A broken item has none of them: it is kept, and `translate` says what is wrong with it.
        """
        try:
            doc = Doc.read(payload)
        except TranslationError:
            return cls(payload)
        return cls(payload, doc.time(at), doc.id(id), doc.id(revision) if revision else "")


@dataclass(frozen=True, slots=True)
class StreamPage:
    """An answer of a list. `more` is what the next page is asked by, None if there is none.

    `mark` is the position behind the page's newest item if the network names one (a Link header), `last` the place of its
    last item if the page leaves it out.
    """

    items: Sequence[StreamItem] = ()
    more: Any = None
    mark: str = ""
    last: Any = None


Fetch = Callable[[Any, Any], StreamPage]
"""Asks for one page: `fetch(since, more)`."""


# ------------------------------------------------------------------------------------------------------------- orders


class ByTime:
    """Items stand by a time. `overlap` is how late one may turn up; `backfill` how far the first poll looks back, None: all.

    `sweep` is how far back the list is read again once a day, where an edit or a late answer brings nothing to its top.
    """

    def __init__(
        self, overlap: timedelta = timedelta(0), backfill: timedelta | None = None, sweep: timedelta | None = None
    ) -> None:
        self.overlap = overlap
        self.backfill = backfill
        self.sweep = sweep

    def load(self, mark: Any, now: datetime) -> datetime | None:
        """Return a cursor's time, never beyond now; None if it holds none."""
        found = parse_time(mark) if isinstance(mark, str) else None
        return min(found, now) if found else None

    def save(self, places: Iterable[datetime], before: datetime | None, now: datetime) -> datetime | None:
        """Return the newest of the times, never beyond now and never back."""
        return max((*(min(place, now) for place in places), *([before] if before else [])), default=None)

    def dump(self, place: datetime) -> str:
        """Return the time as a cursor holds it."""
        return place.astimezone(UTC).isoformat()

    def since(self, place: datetime | None, now: datetime, *, sweeps: bool = False) -> datetime | None:
        """Return from when on is read, by a poll that sweeps or by another one."""
        if place is not None:
            return place - (max(self.overlap, self.sweep) if sweeps and self.sweep else self.overlap)
        return None if self.backfill is None else now - self.backfill


class ByNumber:
    """Items stand by a number that grows. `overlap` and `backfill` count in it; None: the first poll takes all."""

    def __init__(self, overlap: int = 0, backfill: int | None = None) -> None:
        self.overlap = overlap
        self.backfill = backfill

    def load(self, mark: Any, now: datetime) -> int | None:
        """Return a cursor's number, None if it holds none."""
        return mark if isinstance(mark, int) and not isinstance(mark, bool) else None

    def save(self, places: Iterable[int], before: int | None, now: datetime) -> int | None:
        """Return the largest number, never back."""
        return max((*places, *([] if before is None else [before])), default=None)

    def dump(self, place: int) -> int:
        """Return the number as a cursor holds it."""
        return place

    def since(self, place: int | None, now: datetime, *, sweeps: bool = False) -> int | None:
        """Return from which number on is read; of the first poll only the list itself can tell."""
        return None if place is None else place - self.overlap

    def first_since(self, items: Iterable[StreamItem]) -> int | None:
        """Return where the first poll of a newest-first list ends, by its first page."""
        newest = max((one.place for one in items if one.place is not None), default=None)
        return None if newest is None or self.backfill is None else newest - self.backfill


class ByPosition:
    """Items stand by opaque ids that only the network can order: it is asked for what follows one.

    Without a cursor the newest `backfill` items are read backwards; with one the network gives oldest pages first. `fetch`
    gives items newest first if `since` is None, oldest first otherwise. A stream that was empty has the cursor "".
    """

    def __init__(self, backfill: int) -> None:
        self.backfill = backfill


Order = ByTime | ByNumber | ByPosition


@dataclass(frozen=True, slots=True)
class Stream:
    """A list that grows.

    `name` is its key in the cursor. `shifts` is True if pages are asked by number or offset, so that they move when
    something is deleted in between: several pages are then read twice. `most_pages` bounds one poll: if a newest-first list
    has more, what is left out is a hole, which is told and counted; if it comes oldest first, the next poll goes on.
    """

    name: str
    fetch: Fetch
    order: Order
    newest_first: bool = False
    shifts: bool = False
    most_pages: int = MOST_PAGES
    realm: str = ""
