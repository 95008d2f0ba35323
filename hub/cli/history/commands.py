"""`hub dry-run`, `hub replay`, `hub cost`: history run again, to look at, to send what differs, and to count."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show
from hub.cli.history.printing import print_cost, print_run
from hub.cli.opened import me, opened
from hub.cli.signals import Json
from hub.cli.watch.letters import moment

if TYPE_CHECKING:
    from hub.flow.views.history import Question
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
    """Try other rules, topics or mappings on the past: records new, changed and no longer made, calls, money."""
    from hub.flow.views import history

    files = history.Files(rules, topics, mappings)
    with opened(context.obj) as hub, _told(send=False), _progress() as progress:
        asked = _question(hub, since, source=source, rule=rule, mapping=mapping, show=None if full else examples)
        with history.dry_run(hub, me(), asked, files=files, progress=progress) as past:
            print_run(past, full=full, as_json=as_json)


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
    from hub.flow.actions import history
    from hub.flow.views.history import dry_run

    with opened(context.obj) as hub, _told(send=send), _progress() as progress:
        asked = _question(hub, since, source=source, rule=rule, mapping=mapping, show=None if full else examples)
        with (history.replay if send else dry_run)(hub, me(), asked, progress=progress) as past:
            print_run(past, full=full, as_json=as_json)


def cost(context: typer.Context, *, since: Since = "", as_json: Json = False) -> None:
    """Count what was called and taken in, by destination, source and rule; what it cost, and what a month costs at this pace."""
    from hub.flow.views import history

    with opened(context.obj) as hub:
        found = history.cost(hub, me(), moment(since, hub.now()) if since else None)
    if as_json:
        show.print_json(found)
    else:
        print_cost(found)


# ------------------------------------------------------------------------------------------------------------- running


@contextmanager
def _told(*, send: bool) -> Iterator[None]:
    """Say what an interruption leaves, and that a name is none, as the command line's own errors are said."""
    from hub.flow.views.history import NoSuchName

    try:
        yield
    except NoSuchName as error:
        raise typer.BadParameter(str(error)) from None
    except KeyboardInterrupt:
        planned = (
            "; what was planned until now will be sent, and the same command goes on with the rest" if send else ""
        )
        show.fail(f"stopped{planned}")
        raise typer.Exit(1) from None


def _question(
    hub: Hub, since: str, *, source: str | None, rule: str | None, mapping: str | None, show: int | None
) -> Question:
    from hub.flow.views.history import Question

    return Question(moment(since, hub.now()) if since else None, source, rule, mapping, show)


class _Bar:
    """How far a run is, for a person who looks on."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress
        self.task: Any = None

    def begin(self, step: str, total: int) -> None:
        """Begin a step: the bar starts again."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(step, total=total)

    def advance(self, done: int) -> None:
        """Let the bar grow."""
        self.progress.advance(self.task, done)

    def end(self) -> None:
        """Take the bar away: what follows is the command's answer."""
        self.progress.stop()


@contextmanager
def _progress() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hub.flow.views.history import Silent

    if not sys.stderr.isatty():
        yield Silent()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)
