"""A question about the past, run under a book: what a view looks at, and what an action sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from hub.core.errors import HubError
from hub.core.pipeline import Rulebook
from hub.flow.history.gather import RecordFilter, closure
from hub.flow.history.replay import Progress, run
from hub.flow.history.report import Report, report
from hub.runtime import Hub
from hub.store.database import Also
from hub.store.history import History


class NoSuchName(HubError):
    """No rule, source or mapping has this name."""


class Question(NamedTuple):
    """Which records of the past are asked about, None for any; `show` is how many examples of each kind, None for all."""

    since: datetime | None = None
    source: str | None = None
    rule: str | None = None
    mapping: str | None = None
    show: int | None = 20


class Past(NamedTuple):
    """What a run came to; `differences` reads the records that differ, one by one, as long as the run is open."""

    report: Report
    differences: Callable[[], Iterator[dict[str, Any]]]


@contextmanager
def look(
    hub: Hub,
    book: Rulebook,
    question: Question,
    *,
    send: bool = False,
    also: Also | None = None,
    progress: Progress | None = None,
) -> Iterator[Past]:
    """Run the past under a book, for a view or an action that has asked if it may; see `replay.run`. Raises NoSuchName."""
    begin, of = question.since, _wanted(hub, book, question)
    with run(hub, book, since=begin, wanted=of, show=question.show, send=send, also=also, progress=progress) as done:
        yield Past(report(hub, done, sent=send), done.wishes.spooled)


def _wanted(hub: Hub, book: Rulebook, question: Question) -> RecordFilter:
    """Return which records a question is about. Raises NoSuchName if a rule, source or mapping is not there."""
    rules = dict.fromkeys((*book.rules.by_name, *hub.book.rules.by_name))
    _known("rule", question.rule, rules)
    if question.source is not None:
        stored = History(hub.store.database).source_names()
        _known("source", question.source, dict.fromkeys((*hub.settings.sources, *stored)))
    mappings = closure(book, question.mapping) if question.mapping is not None else None
    if mappings is not None and not mappings:
        _known("mapping", question.mapping, ("/".join(place) for place in book.mappings))
    return RecordFilter(question.source, question.rule, mappings)


def _known(kind: str, name: str | None, names: Any) -> None:
    known = list(names)
    if name is not None and name not in known:
        raise NoSuchName(f"there is no {kind} '{name}'; there are: {', '.join(known) or 'none'}")
