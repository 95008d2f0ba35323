"""The past run again, to look at, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from hub.core.access import Actor, NotAllowed, demand
from hub.flow.history.book import candidate
from hub.flow.history.cost import Amount, Cost, Share, cost_of_past
from hub.flow.history.past import NoSuchName, Past, Question, look
from hub.flow.history.replay import Progress, Silent
from hub.flow.history.report import Report
from hub.runtime import Hub

__all__ = [
    "Amount",
    "Cost",
    "Files",
    "NoSuchName",
    "Past",
    "Progress",
    "Question",
    "Report",
    "Share",
    "Silent",
    "cost",
    "dry_run",
]


class Files(NamedTuple):
    """Files instead of the active ones: rules, topics, a folder with DESTINATION/NAME.toml; None leaves the active one."""

    rules: Path | None = None
    topics: Path | None = None
    mappings: Path | None = None


@contextmanager
def dry_run(
    hub: Hub, actor: Actor, question: Question, *, files: Files | None = None, progress: Progress | None = None
) -> Iterator[Past]:
    """Run the past under a book, and write nothing. Raises ConfigError with all problems of the files, NoSuchName."""
    _demand_whole(actor)
    with look(hub, candidate(hub, **(files or Files())._asdict()), question, progress=progress) as past:
        yield past


def cost(hub: Hub, actor: Actor, since: datetime | None) -> Cost:
    """Return what was called and taken in since then, what it cost, and what a month costs at this pace."""
    _demand_whole(actor)
    return cost_of_past(hub, since)


def _demand_whole(actor: Actor) -> None:
    """Raise NotAllowed unless the actor sees all sources: the past of the whole hub is run."""
    demand(actor, "history.see")
    if actor.sight.sources is not None or actor.sight.brands is not None:
        raise NotAllowed(f"history is of the whole hub, and {actor.name} sees a part of it")
