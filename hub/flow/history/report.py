"""What a run over history says, in values that a table and a program can read."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import msgspec

from hub.flow.history.cost import Cost, cost_of_run
from hub.flow.history.desired import Failed
from hub.flow.history.replay import Run
from hub.runtime import Hub

REASONS = 20


class ReportLine(msgspec.Struct, frozen=True):
    """The records of one kind at a destination, beside the ledger (`kept`, `deleted`, `newer`: see `compare.DifferenceKind`)."""

    destination: str
    object: str
    operation: str
    new: int = 0
    changed: int = 0
    same: int = 0
    kept: int = 0
    deleted: int = 0
    newer: int = 0
    gone: int = 0


class Report(msgspec.Struct, frozen=True):
    """A run: signals decided again, `otherwise` than on their day, `left_out` (gone), `unreadable` (taken as stored).

    `planned` counts the deliveries of a replay that was sent, None if nothing is to be sent.
    """

    since: datetime | None
    signals: int
    otherwise: int
    left_out: int
    unreadable: int
    unread: dict[str, int]
    rules: str
    topics: str
    records: tuple[ReportLine, ...]
    failed: int
    failures: tuple[Failed, ...]
    cost: Cost
    planned: int | None = None

    @property
    def differs(self) -> bool:
        """True if any record is not as the ledger has it."""
        return any(line.new or line.changed or line.gone for line in self.records)


def report(hub: Hub, run: Run, *, sent: bool = False) -> Report:
    """Report what a run came to."""
    return Report(
        since=run.scope.since,
        signals=run.gathered.signals,
        otherwise=run.gathered.otherwise,
        left_out=run.span.gone,
        unreadable=run.gathered.unreadable,
        unread=dict(sorted(run.gathered.reasons.items())),
        rules=run.book.rules.version,
        topics=run.book.topics.version,
        records=_lines(run),
        failed=run.wishes.failed(),
        failures=tuple(run.wishes.failures(REASONS)),
        cost=cost_of_run(hub, run),
        planned=run.planned if sent else None,
    )


def _lines(run: Run) -> tuple[ReportLine, ...]:
    counts: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    for (group, kind), count in run.comparison.counts.items():
        found = counts[group.destination, group.object, group.operation]
        found[kind] = found.get(kind, 0) + count
    return tuple(
        msgspec.convert({"destination": place[0], "object": place[1], "operation": place[2], **found}, ReportLine)
        for place, found in sorted(counts.items())
    )
