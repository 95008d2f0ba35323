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
from hub.cli.opened import opened
from hub.core.errors import ConfigError, Problem, TranslationError
from hub.registry import Registry
from hub.runtime import find_config, plain_source, set_up_logging, system_clock


def poll(context: typer.Context, source: str) -> None:
    """Poll one source now."""
    from hub.flow.intake import poll as poll_source

    with opened(context.obj, level="INFO") as hub:
        hub.store.cursors.declare([source], now=hub.now())
        taken = poll_source(hub, source, early=True)
        failed = next((row["error"] for row in hub.store.cursors.list() if row["source"] == source), None)
    if taken is None:
        show.fail("another worker polls this source now")
        raise typer.Exit(1)
    show.console.print(f"{taken} new items")
    if failed:
        show.fail(failed)
        raise typer.Exit(1)


def import_(
    context: typer.Context, file: Path, *, source: Annotated[str, typer.Option(help="a configured source")]
) -> None:
    """Take a file's items in as if the source had given them: one raw item a line, or one document of a feed."""
    from rich.progress import Progress

    from hub.flow.intake import import_document

    if not file.is_file():
        raise ConfigError([Problem(str(file), "", "there is no such file")])
    taken = 0
    with opened(context.obj) as hub, Progress(console=show.errors) as progress:
        task = progress.add_task(f"importing {file.name}", total=None)
        for count in import_document(hub, file, source):
            taken += count
            progress.update(task, completed=taken)
    show.console.print(f"{taken} new items")


def translate(
    plugin: str,
    files: Annotated[list[Path] | None, typer.Argument(help="files; none: standard input")] = None,
    *,
    realm: str = "",
    received_at: Annotated[str, typer.Option(help="when the items came in, where they do not say (ISO 8601)")] = "",
) -> None:
    """Read raw vendor items, one a line (a feed: one document a file); print one Signal a line, its Author inside."""
    now = _moment(received_at)
    source = plain_source(Registry(), plugin)
    failed = 0
    for name, document in _documents(files or []):
        for place, payload in _payloads(source, name, document, realm):
            try:
                show.lines(_signals(source, payload, realm=realm, now=now))
            except TranslationError as error:
                failed += 1
                print(f"{place}: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _payloads(source: Any, name: str, document: bytes, realm: str) -> Iterator[tuple[str, bytes]]:
    if source.whole_documents:
        try:
            parts = list(source.unpack(document, realm))
        except TranslationError as error:
            print(f"{name}: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        yield from ((f"{name}:entry {number}", part) for number, part in enumerate(parts, 1))
    else:
        for number, line in enumerate(document.split(b"\n"), 1):
            if line.strip():
                yield f"{name}:{number}", line


def _signals(source: Any, payload: bytes, *, realm: str, now: datetime) -> Iterator[dict[str, Any]]:
    from hub.core.model import Ignored
    from hub.flow.intake import raw_item
    from hub.flow.process import translate as translated

    said = translated(source, raw_item(source, payload, source_name=source.name, now=now, realm=realm))
    if isinstance(said, Ignored):
        return
    authors = {author.key: msgspec.to_builtins(author) for author in said.authors}
    for signal in said.signals:
        yield {**msgspec.to_builtins(signal), "author": authors.get(signal.author_key or "")}


def _documents(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    if not files:
        yield "standard input", sys.stdin.buffer.read()
    for file in files:
        try:
            yield str(file), file.read_bytes()
        except OSError as error:
            raise ConfigError([Problem(str(file), "", error.strerror or "cannot be read")]) from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text) if text else system_clock()
    except ValueError:
        raise typer.BadParameter("--received-at wants ISO 8601, such as 2026-11-22T10:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def label(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="JSON lines with text (and lang); none: standard input")] = None,
    *,
    enricher: Annotated[
        str | None, typer.Option(help="one enricher plugin only; none: those of the configuration")
    ] = None,
) -> None:
    """Label texts: the same JSON lines come out with `labels`."""
    from hub.flow.label import label_lines, labellers

    set_up_logging(level="WARNING")
    name, document = next(_documents([file] if file else []))
    working = labellers(find_config(context.obj), Registry(), only=enricher)
    failed = 0
    for number, outcome in label_lines(document.split(b"\n"), working, now=system_clock()):
        if isinstance(outcome, dict):
            show.lines([outcome])
        else:
            failed += 1
            print(f"{name}:{number}: {outcome}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {"poll": poll, "import": import_, "translate": translate, "label": label}
