"""`hub poll`, `hub import`, `hub translate`, `hub label`: what comes in, tried by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hub.cli import show
from hub.cli.opened import opened, quieten
from hub.core.errors import ConfigError, Problem, TranslationError


def poll(context: typer.Context, source: Annotated[str, typer.Argument(help="a source's name")]) -> None:
    """Poll one source now."""
    from hub.flow.intake.poll import poll as poll_source

    with opened(context.obj, level="ERROR") as hub:
        hub.source(source)
        hub.store.cursors.declare([source], now=hub.now())
        taken = poll_source(hub, source, early=True)
        failed = next((row["error"] for row in hub.store.cursors.list() if row["source"] == source), None)
    if taken is None:
        show.fail("another worker polls this source now")
        raise typer.Exit(1)
    show.say(f"{taken} new items")
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
    from hub.flow.intake.poll import import_document

    if not file.is_file():
        raise ConfigError([Problem(str(file), "", "there is no such file")])
    taken = 0
    with opened(context.obj) as hub:
        try:
            for count in import_document(hub, file, source):
                taken += count
        except TranslationError as error:
            show.fail(f"{file}: {error}")
            raise typer.Exit(1) from None
    show.say(f"{taken} new items")


def translate(
    plugin: Annotated[str, typer.Argument(help="a plugin with a source: mastodon, bluesky, rss, ...")],
    files: Annotated[list[Path] | None, typer.Argument(help="files; none: standard input")] = None,
    *,
    realm: Annotated[str, typer.Option(help="where native ids count: for rss the feed's address")] = "",
    received_at: Annotated[str, typer.Option(help="when the items came in, where they do not say (ISO 8601)")] = "",
) -> None:
    """Read raw vendor items, one a line (a feed: one document a file); print one Signal a line, its Author inside."""
    from hub.registry import Registry
    from hub.runtime import plain_source

    quieten("ERROR")
    now = _moment(received_at)
    source = plain_source(Registry(), plugin)
    failed = 0
    for name, document in _documents(files or []):
        for place, payload in _payloads(source, name, document, realm=realm):
            said = payload if isinstance(payload, str) else _said(source, payload, realm=realm, now=now)
            if isinstance(said, str):
                failed += 1
                typer.echo(f"{place}: {show.safe(said)}", err=True)
            else:
                show.lines(said)
    if failed:
        raise typer.Exit(1)


def _payloads(source: Any, name: str, document: bytes, *, realm: str) -> Iterator[tuple[str, bytes | str]]:
    """The payloads of a document with their places; a text says why it cannot be read."""
    if source.whole_documents:
        try:
            parts = list(source.unpack(document, realm))
        except TranslationError as error:
            yield name, str(error)
            return
        yield from ((f"{name}:entry {number}", part) for number, part in enumerate(parts, 1))
    else:
        for number, line in enumerate(document.split(b"\n"), 1):
            if line.strip():
                yield f"{name}:{number}", line


def _said(source: Any, payload: bytes, *, realm: str, now: datetime) -> list[dict[str, Any]] | str:
    """The signals of a payload with their authors inside, none of a like; a text says what is wrong."""
    from hub.core.model import Ignored
    from hub.flow.decide.translate import translate as translated
    from hub.flow.intake.poll import raw_item

    try:
        said = translated(source, raw_item(source, payload, source_name=source.name, now=now, realm=realm))
    except TranslationError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a plugin's bug with one item must not keep the others from coming out
        return f"bug: {type(error).__name__}: {error}"
    if isinstance(said, Ignored):
        return []
    authors = {author.key: msgspec.to_builtins(author) for author in said.authors}
    return [{**msgspec.to_builtins(signal), "author": authors.get(signal.author_key or "")} for signal in said.signals]


def _documents(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    if not files:
        yield "standard input", sys.stdin.buffer.read()
    for file in files:
        try:
            yield str(file), file.read_bytes()
        except OSError as error:
            raise ConfigError([Problem(str(file), "", error.strerror or "cannot be read")]) from None


def _moment(text: str) -> datetime:
    from hub.runtime import system_clock

    try:
        found = datetime.fromisoformat(text) if text else system_clock()
    except ValueError:
        raise typer.BadParameter("--received-at wants ISO 8601, such as 2026-11-22T10:00:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def label(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="JSON lines with text (and lang); none: standard input")] = None,
    *,
    enricher: Annotated[
        str | None, typer.Option(help="one enricher plugin only; none: those of the configuration")
    ] = None,
) -> None:
    """Label texts: the same JSON lines come out with `labels`."""
    from hub.flow.decide.label import label_lines, labellers
    from hub.registry import Registry
    from hub.runtime import system_clock

    quieten()
    name, document = next(_documents([file] if file else []))
    if not document.strip():
        return  # no text is worth loading a model for
    working = labellers(context.obj, Registry(), only=enricher)
    failed = 0
    for number, outcome in label_lines(document.split(b"\n"), working, now=system_clock()):
        if isinstance(outcome, dict):
            show.lines([outcome])
        else:
            failed += 1
            typer.echo(f"{name}:{number}: {show.safe(outcome)}", err=True)
    if failed:
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {"poll": poll, "import": import_, "translate": translate, "label": label}
