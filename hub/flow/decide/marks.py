"""Marks of signals that were decided without an enricher that could not work: rows of the inbox that wait until it can."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from hub.core.decide.batch import raw_of
from hub.core.decide.judgement import Judged
from hub.core.model import RawItem
from hub.store.inbox import LABEL_PAUSES, InboxRow

KEPT = timedelta(days=30)
"""A signal that could not be labelled by then stays as it is."""


class Mark(msgspec.Struct, frozen=True):
    """A signal by its key and the raw row that it was decided from: one that was decided again since has another mark."""

    signal: str
    raw: int


_mark = msgspec.json.Decoder(Mark)


def marks_of(judged: Iterable[Judged], *, now: datetime) -> list[RawItem]:
    """Return the marks of those signals whose traces name enrichers that could not work."""
    return [
        RawItem(
            by.source, by.plugin, msgspec.json.encode(Mark(one.signal.key, raw_of(one.signal))), now, one.signal.key
        )
        for one in judged
        if one.trace.missing and (by := one.signal.provenance)
    ]


def read_mark(row: InboxRow) -> Mark:
    """Return the mark that a row holds."""
    return _mark.decode(row.item.payload)


def pause_of(row: InboxRow, now: datetime) -> timedelta:
    """Return how long a mark waits for its next try: as long again as it has waited, within bounds."""
    shortest, longest = LABEL_PAUSES
    return min(max(shortest, now - row.item.received_at), longest)
