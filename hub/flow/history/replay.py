"""A run over history from end to end: under another book to look at, under the active one to send what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.books import book_versions
from hub.core.pipeline import Rulebook
from hub.flow.conflicts import begin_again
from hub.flow.history.compare import SENT, Comparison, parts, planned
from hub.flow.history.desired import RecordWish, Wishes
from hub.flow.history.gather import Gathered, Gathering, RecordFilter
from hub.runtime import Hub
from hub.store.database import Also
from hub.store.history import History, HistoryScope, Span


class Progress(Protocol):
    """Who is told how far a run is."""

    def begin(self, step: str, total: int) -> None:
        """Begin a step of so many parts."""

    def advance(self, done: int) -> None:
        """Count so many more of them as done."""

    def end(self) -> None:
        """End: all is done, and can be looked at."""


class Silent(Progress):
    """Tells of no progress."""

    def begin(self, step: str, total: int) -> None:
        """Do nothing."""

    def advance(self, done: int) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


@dataclass
class Run:
    """A finished run: what was read, how it differs, and, if it was sent, how many deliveries were planned."""

    book: Rulebook
    scope: HistoryScope
    span: Span
    gathered: Gathered
    wishes: Wishes
    comparison: Comparison
    planned: int = 0


@contextmanager
def run(
    hub: Hub,
    book: Rulebook,
    *,
    since: datetime | None = None,
    wanted: RecordFilter | None = None,
    show: int | None = 20,
    send: bool = False,
    also: Also | None = None,
    progress: Progress | None = None,
) -> Iterator[Run]:
    """Run history again under a book; the scratch file lives as long as the run is looked at.

    With `send` what differs is planned into the outbox, under the keys that the records have; a run that was interrupted is
    begun again and finds what it planned already in the ledger. `also` is called in the first transaction that plans.
    """
    wanted, progress = wanted or RecordFilter(), progress or Silent()
    history, began = History(hub.store.database), hub.now()
    scope = HistoryScope(since, history.last())
    span = history.span(scope)
    wishes = Wishes(hub.settings.data if hub.settings.data.is_dir() else None)
    try:
        gathering = Gathering(hub, book, wishes, scope, wanted, keep_traces=send)
        progress.begin("signals", span.signals - span.gone)
        gathered = gathering.run(progress.advance)
        comparison = Comparison(hub, wishes, began, wanted, show)
        progress.begin("records", wishes.count())
        done = Run(book, scope, span, gathered, wishes, comparison)
        if send:
            _send(hub, done, progress.advance, also)
        else:
            comparison.look(progress.advance)
        progress.end()
        yield done
    finally:
        wishes.close()


def _send(hub: Hub, run_: Run, progress: Callable[[int], None], also: Also | None) -> None:
    hub.store.connections.remember_versions(book_versions(run_.book), now=hub.now())
    for part in parts(run_.wishes):
        destinations = _plan(hub, run_, part, None if run_.planned else also)
        run_.planned += sum(destinations.values())
        for name in destinations:
            hub.bell.ring("deliver", name)
        progress(len(part))
    run_.comparison.note_gone()


def _plan(hub: Hub, run_: Run, part: Sequence[RecordWish], also: Also | None) -> dict[str, int]:
    """Plan what differs of a part in one transaction, with the traces that go with it; counts by destination."""
    tired = "others plan or send the same records just now: run the replay again, it goes on where it stopped"
    return begin_again(lambda _: _try_to_plan(hub, run_, part, also), tired=tired)


def _try_to_plan(hub: Hub, run_: Run, part: Sequence[RecordWish], also: Also | None) -> dict[str, int]:
    store, comparison = hub.store, run_.comparison
    counts: dict[str, int] = {}
    with store.database.write() as conn:
        # A post may have been deleted since this run read it.
        alive = comparison.history.alive(conn, [wish.signal for wish in part])
        judged = comparison.judge(conn, [wish for wish in part if wish.signal in alive])
        sent = [wish for wish, kind, _ in judged if kind in SENT]
        store.outbox.plan(conn, [planned(wish) for wish in sent], now=hub.now())
        comparison.history.retell(conn, run_.wishes.told(wish.signal for wish in sent))
        if sent and also is not None:
            also(conn)
    comparison.note(judged)
    for wish in sent:
        counts[wish.record.destination] = counts.get(wish.record.destination, 0) + 1
    return counts
