"""`hub dry-run`, `hub replay`, `hub cost`: history run again, to look at, to send what differs, and to count."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show
from hub.cli.history.printing import print_cost, print_run
from hub.cli.opened import opened
from hub.cli.signals import Json
from hub.cli.watch.letters import moment

if TYPE_CHECKING:
    from hub.core.pipeline import Rulebook
    from hub.flow.history.gather import Wanted
    from hub.flow.history.replay import Run
    from hub.runtime import Hub

Since = Annotated[
    str, typer.Option(help='published since: a span such as "7d" or "12h", or ISO 8601; unset: all there is')
]
SourceName = Annotated[str | None, typer.Option(help="records of this source's signals only")]
RuleName = Annotated[str | None, typer.Option(help="records that this rule asks for only")]
MappingName = Annotated[
    str | None, typer.Option(help="records of this mapping (NAME or DESTINATION/NAME) and of those it needs only")
]
Shown = Annotated[int, typer.Option("--show", min=0, help="examples of each kind")]
Full = Annotated[
    bool, typer.Option("--full", help="every record that differs, with whole values; with --json a line each")
]


def dry_run(
    context: typer.Context,
    *,
    rules: Annotated[Path | None, typer.Option(help="a rules file instead of the active one")] = None,
    topics: Annotated[Path | None, typer.Option(help="a topics file instead of the active one")] = None,
    mappings: Annotated[
        Path | None, typer.Option(help="a folder with DESTINATION/NAME.toml, laid over the active mappings")
    ] = None,
    since: Since = "",
    source: SourceName = None,
    rule: RuleName = None,
    mapping: MappingName = None,
    examples: Shown = 20,
    full: Full = False,
    as_json: Json = False,
) -> None:
    """What other rules, topics or mappings would make of the past: records new, changed and no longer made, calls, money."""
    from hub.flow.history.book import candidate

    with opened(context.obj) as hub:
        book = candidate(hub, rules=rules, topics=topics, mappings=mappings)
        wanted = _wanted(hub, book, source=source, rule=rule, mapping=mapping)
        with _ran(hub, book, since, wanted, show=None if full else examples) as done:
            print_run(hub, done, full=full, as_json=as_json)


def replay(
    context: typer.Context,
    *,
    since: Since = "",
    source: SourceName = None,
    rule: RuleName = None,
    mapping: MappingName = None,
    send: Annotated[bool, typer.Option("--send", help="send what differs; without it nothing is written")] = False,
    examples: Shown = 20,
    full: Full = False,
    as_json: Json = False,
) -> None:
    """Run the past again under the active rules and mappings; with --send what differs is sent, under the same keys."""
    with opened(context.obj) as hub:
        wanted = _wanted(hub, hub.book, source=source, rule=rule, mapping=mapping)
        with _ran(hub, hub.book, since, wanted, show=None if full else examples, send=send) as done:
            print_run(hub, done, full=full, as_json=as_json, sent=send)


def cost(context: typer.Context, *, since: Since = "", as_json: Json = False) -> None:
    """What was called and taken in, by destination, source and rule; what it cost, and what a month costs at this pace."""
    from hub.flow.history.cost import cost_of_past

    with opened(context.obj) as hub:
        found = cost_of_past(hub, moment(since, hub.now()) if since else None)
    if as_json:
        show.print_json(found)
    else:
        print_cost(found)


COMMANDS: dict[str, Callable[..., None]] = {"dry-run": dry_run, "replay": replay, "cost": cost}


# ------------------------------------------------------------------------------------------------------------- running


@contextmanager
def _ran(
    hub: Hub, book: Rulebook, since: str, wanted: Wanted, *, show: int | None, send: bool = False
) -> Iterator[Run]:
    from hub.flow.history.replay import run

    begin = moment(since, hub.now()) if since else None
    try:
        with (
            _progress() as progress,
            run(hub, book, since=begin, wanted=wanted, show=show, send=send, progress=progress) as done,
        ):
            yield done
    except KeyboardInterrupt:
        _stopped(send=send)
        raise typer.Exit(1) from None


def _stopped(*, send: bool) -> None:
    planned = "; what was planned until now will be sent, and the same command goes on with the rest" if send else ""
    show.fail(f"stopped{planned}")


def _wanted(hub: Hub, book: Rulebook, *, source: str | None, rule: str | None, mapping: str | None) -> Wanted:
    from hub.flow.history.gather import Wanted, closure
    from hub.store.history import History

    rules = dict.fromkeys((*book.rules.by_name, *hub.book.rules.by_name))
    if rule is not None and rule not in rules:
        raise typer.BadParameter(f"there is no rule '{rule}'; there are: {', '.join(rules) or 'none'}")
    sources = dict.fromkeys((*hub.settings.sources, *History(hub.store.database).source_names())) if source else {}
    if source is not None and source not in sources:
        raise typer.BadParameter(f"there is no source '{source}'; there are: {', '.join(sources) or 'none'}")
    mappings = closure(book, mapping) if mapping is not None else None
    if mappings is not None and not mappings:
        known = ", ".join("/".join(place) for place in book.mappings)
        raise typer.BadParameter(f"there is no mapping '{mapping}'; there are: {known or 'none'}")
    return Wanted(source, rule, mappings)


class _Bar:
    """How far a run is, where somebody looks."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress
        self.task: Any = None

    def begin(self, step: str, total: int) -> None:
        """A step begins: the bar starts anew."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(step, total=total)

    def advance(self, done: int) -> None:
        """The bar grows."""
        self.progress.advance(self.task, done)

    def end(self) -> None:
        """The bar goes: what follows is the command's answer."""
        self.progress.stop()


@contextmanager
def _progress() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hub.flow.history.replay import Silent

    if not sys.stderr.isatty():
        yield Silent()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)
