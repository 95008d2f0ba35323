"""`hub poll`, `hub import`, `hub translate`, `hub label`: what comes in, tried by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import show
from hub.cli.opened import me, opened, quieten
from hub.core.errors import ConfigError, Problem, TranslationError
from hub.core.grammar.words import counted


def poll(context: typer.Context, source: Annotated[str, typer.Argument(help="a source's name")]) -> None:
    """Poll one source now."""
    from hub.flow.actions import signals

    with opened(context.obj, level="ERROR") as hub:
        taken, failed = signals.poll(hub, me(), source)
    if taken is None:
        show.fail("another worker polls this source now")
        raise typer.Exit(1)
    show.say(counted(taken, "new item"))
    if failed:
        show.fail(failed)
        raise typer.Exit(1)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON lines, or a feed's document")],
    *,
    source: Annotated[str, typer.Option(help="the name of a configured source")],
) -> None:
    """Take a file's items in as if the source had given them: one raw item a line, or one document of a feed."""
    from hub.flow.actions import signals

    if not file.is_file():
        raise ConfigError([Problem(str(file), "", "there is no such file")])
    taken = 0
    with opened(context.obj) as hub:
        try:
            for count in signals.take_in(hub, me(), file, source):
                taken += count
        except TranslationError as error:
            show.fail(f"{file}: {error}")
            raise typer.Exit(1) from None
    show.say(counted(taken, "new item"))


def translate(
    plugin: Annotated[str, typer.Argument(help="a plugin with a source: mastodon, bluesky, rss, ...")],
    files: Annotated[list[Path] | None, typer.Argument(help="files; none: standard input")] = None,
    *,
    realm: Annotated[str, typer.Option(help="where native ids count: for rss the feed's address")] = "",
    received_at: Annotated[str, typer.Option(help="when the items came in, where they do not say (ISO 8601)")] = "",
) -> None:
    """Read raw vendor items, one a line (a feed: one document a file); print one Signal a line, its Author inside."""
    from hub.flow.views import trials

    quieten("ERROR")
    documents = (trials.NamedText(*one) for one in _documents(files or []))
    failed = 0
    for place, said in trials.translated(plugin, documents, realm=realm, received_at=_moment(received_at)):
        if isinstance(said, str):
            failed += 1
            typer.echo(f"{place}: {show.safe(said)}", err=True)
        else:
            show.lines(said)
    if failed:
        raise typer.Exit(1)


def _documents(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    if not files:
        yield "standard input", sys.stdin.buffer.read()
    for file in files:
        try:
            yield str(file), file.read_bytes()
        except OSError as error:
            raise ConfigError([Problem(str(file), "", error.strerror or "cannot be read")]) from None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter("--received-at wants ISO 8601, such as 2026-11-22T10:00:00Z") from None
    return found and (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def label(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="JSON lines with text (and lang); none: standard input")] = None,
    *,
    enricher: Annotated[
        str | None, typer.Option(help="one enricher plugin only; none: those of the configuration")
    ] = None,
) -> None:
    """Label texts: the same JSON lines come out with `labels`."""
    from hub.flow.views import trials

    quieten()
    name, document = next(_documents([file] if file else []))
    if not document.strip():
        return  # no text is worth loading a model for
    failed = 0
    for number, outcome in trials.labelled(context.obj, document, only=enricher):
        if isinstance(outcome, dict):
            show.lines([outcome])
        else:
            failed += 1
            typer.echo(f"{name}:{number}: {show.safe(outcome)}", err=True)
    if failed:
        raise typer.Exit(1)
