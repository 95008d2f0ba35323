"""One stream read once: on from its mark, without holes, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from hub.sdk.streams.orders import MOST_PAGES, ByNumber, ByPosition, Stream, StreamItem, StreamPage

GIVEN_AT_ONCE = 100
MOST_ITEMS = 10_000

Batch = tuple[Sequence[StreamItem], Any]
"""Items, oldest first, and the JSON mark that stands behind them (None: it stays as it was)."""


class Reading:
    """One stream read once: batches oldest first; `hole` says after it that something had to be left out."""

    def __init__(self, stream: Stream, mark: Any, now: datetime, *, sweeps: bool = False) -> None:
        self.hole = False
        self._sweeps = sweeps
        self._stream = stream
        self._now = now
        self._order: Any = stream.order
        self._seen: set[tuple[str, str]] = set()
        # A read of shifting pages that broke off owes a second look: from `since` on, though the cursor stands further.
        self._owes = isinstance(mark, dict)
        self._mark, self._owed = (mark.get("at"), mark.get("since")) if isinstance(mark, dict) else (mark, None)

    def batches(self) -> Iterator[Batch]:
        """Read on from the mark; each batch may be committed before the next is asked for."""
        if isinstance(self._order, ByPosition):
            # A stream that was empty at the last look holds only what is new: all of it is wanted.
            wanted = self._order.backfill if self._mark is None else None
            return self._following(str(self._mark)) if self._mark else self._newest(wanted)
        self._at = self._order.load(self._mark, self._now)
        self._since = self._order.since(self._at, self._now, sweeps=self._sweeps)
        return self._backward() if self._stream.newest_first else self._forward()

    def _pages(self, since: Any, most: int) -> Iterator[tuple[StreamPage, list[StreamItem]]]:
        """Ask for page after page, with what of each this poll has not given; `hole` if `most` did not reach the end.

        Ends with a page that repeats what came before it: some servers ignore the position that they are given.
        """
        more: Any = None
        before: set[tuple[str, str]] = set()
        for _ in range(most):
            page = self._stream.fetch(since, more)
            keys = [_key(item) for item in page.items]
            repeats = bool(keys) and before.issuperset(keys)
            yield page, [item for key, item in zip(keys, page.items, strict=True) if self._is_new(key)]
            before.update(keys)
            more = page.more
            if more is None or repeats:
                return
        self.hole = True

    def _is_new(self, key: tuple[str, str]) -> bool:
        new = key not in self._seen
        self._seen.add(key)
        return new

    # ------------------------------------------------------------------------------------------- opaque positions

    def _following(self, since: str) -> Iterator[Batch]:
        for page, fresh in self._pages(since, self._stream.most_pages):
            if fresh:
                since = page.mark or _last_place(fresh) or since
                yield fresh, since
        self.hole = False  # the next poll goes on from here

    def _newest(self, wanted: int | None) -> Iterator[Batch]:
        """Collect backwards, give oldest first; nothing is given before all is here."""
        found: list[StreamItem] = []
        newest = ""
        for page, fresh in self._pages(None, self._stream.most_pages if wanted is None else MOST_PAGES):
            newest = newest or page.mark
            found += fresh
            if wanted is not None and len(found) >= wanted:
                break
        kept = found[:wanted][::-1]
        newest = newest or _last_place(kept) or ""
        for part, is_last in _parts(kept):
            yield part, newest if is_last else _last_place(part)
        if not kept:
            yield [], newest

    # ----------------------------------------------------------------------------------------- places that compare

    def _forward(self) -> Iterator[Batch]:
        """Give page after page; if pages shift and there were several, look once more from where reading began."""
        begun, again, count = self._at, self._again(), int(self._owes)
        for _, fresh in self._pages(self._since, self._stream.most_pages):
            count += 1
            if fresh:
                yield self._moved(fresh, self._stream.shifts and count > 1, again)
        # What is left comes with the next poll; but where all of this one lay within the overlap, no poll gets further.
        self.hole = self.hole and self._at == begun
        if self._stream.shifts and count > 1:
            hole = self.hole
            for _, fresh in self._pages(again, self._stream.most_pages):
                if fresh:
                    yield self._moved(fresh, True, again)
            self.hole = hole
            yield self._moved([])

    def _again(self) -> Any:
        """Return from where a second look goes: where the first began, or where a poll that broke off had begun."""
        return self._order.load(self._owed, self._now) if self._owes else self._since

    def _backward(self) -> Iterator[Batch]:
        """Collect until an item stands before `since`, then give the lot oldest first."""
        found, count = self._collect()
        if self._stream.shifts and count > 1:
            hole = self.hole
            found += self._collect()[0]
            self.hole = hole
        kept = [one for one in found[::-1] if not self._is_old(one.place)]
        kept.sort(key=lambda one: (one.place is not None, 0 if one.place is None else one.place))
        for part, _ in _parts(kept):
            yield self._moved(part)

    def _collect(self) -> tuple[list[StreamItem], int]:
        """Return what a look back finds, newest first, and how many pages it took."""
        found: list[StreamItem] = []
        count = 0
        for page, fresh in self._pages(self._since, self._stream.most_pages):
            count += 1
            found += fresh
            if self._since is None and isinstance(self._order, ByNumber):
                self._since = self._order.first_since(page.items)
            # The last one counts: what a list pins to its top is older than what follows.
            if self._is_old(page.last if page.last is not None else _last_place(page.items)):
                break
            if len(found) >= MOST_ITEMS:
                self.hole = page.more is not None
                break
        return found, count

    def _is_old(self, place: Any) -> bool:
        return place is not None and self._since is not None and bool(place < self._since)

    def _moved(self, items: Sequence[StreamItem], owes: bool = False, again: Any = None) -> Batch:
        """Move the cursor to the newest of these; if a second look is owed it also holds from where on."""
        places = [one.place for one in items if one.place is not None]
        self._at = self._order.save(places, self._at, self._now)
        if self._at is None:
            return items, None
        at = self._order.dump(self._at)
        return items, {"at": at, "since": None if again is None else self._order.dump(again)} if owes else at


def _key(item: StreamItem) -> tuple[str, str]:
    return item.external_id or sha256(item.payload).hexdigest(), item.revision


def _parts(items: Sequence[StreamItem]) -> Iterator[tuple[Sequence[StreamItem], bool]]:
    for start in range(0, len(items), GIVEN_AT_ONCE):
        yield items[start : start + GIVEN_AT_ONCE], start + GIVEN_AT_ONCE >= len(items)


def _last_place(items: Sequence[StreamItem]) -> Any:
    return next((one.place for one in reversed(items) if one.place is not None), None)
