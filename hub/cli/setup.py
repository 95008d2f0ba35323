"""`hub init`, `hub config show`, `hub db upgrade`."""

from __future__ import annotations

import json
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import opened, show

config = typer.Typer(no_args_is_help=True, help="The configuration.")
db = typer.Typer(no_args_is_help=True, help="The database.")


def init(
    context: typer.Context,
    *,
    demo: Annotated[bool, typer.Option("--demo", help="with sandboxes and a sample of posts")] = False,
    feed: Annotated[
        list[str] | None,
        typer.Option("--feed", metavar="ADDRESS", help="only this feed, to begin with; may be given again"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="write over files that are there")] = False,
) -> None:
    """Write a configuration to start from, with rules and topics beside it."""
    if wrong := [address for address in feed or [] if not _is_address(address)]:
        raise typer.BadParameter(
            f"a feed's address begins with https:// or http://, not {wrong[0]!r}", param_hint="--feed"
        )
    folder = context.obj.resolve().parent
    written: list[tuple[Path, Path]] = []
    kept: list[tuple[Path, Path]] = []
    with as_file(resources("hub.cli").joinpath("starters")) as starters:
        chosen = starters / ("demo" if demo else "feed" if feed else "first")
        for file in sorted(path for path in chosen.rglob("*") if path.is_file()):
            inner = file.relative_to(chosen)
            target = context.obj.resolve() if inner == Path("config.toml") else folder / inner
            (kept if target.exists() and not force else written).append((file, target))
    for file, target in written:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_with_feeds(file.read_bytes(), feed or []))
    _tell(folder, [target for _, target in written], [target for _, target in kept])
    if feed and context.obj.resolve() in [target for _, target in kept]:
        show.fail("config.toml was there and is as it was: write the feed into its [sources], or add --force")
        raise typer.Exit(1)
    edit = "" if demo or feed else "edit config.toml, then "
    show.say(f"next: {edit}{'' if demo else 'hub check, then '}hub up")


def _is_address(url: str) -> bool:
    place = url.partition("://")[2].partition("/")[0]
    return url.startswith(("https://", "http://")) and bool(place) and not any(map(str.isspace, url))


def _with_feeds(content: bytes, feeds: list[str]) -> bytes:
    """Return a starter's file with the feeds that were asked for; a JSON string is one of TOML too."""
    asked = ", ".join(map(json.dumps, feeds)).encode()
    return content.replace(b'"https://example.com/feed.xml"', asked) if feeds else content


def _tell(folder: Path, written: list[Path], kept: list[Path]) -> None:
    for verb, files, added in (("wrote", written, ""), ("kept", kept, " as it was (--force overwrites it)")):
        for target in files:
            show.say(f"{verb} {target.relative_to(folder)}{added}")


@config.command("show")
def show_config(context: typer.Context, *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show the configuration with all defaults; secrets are references, and anything that looks like one is hidden."""
    from hub.flow.views import files

    value = files.settings(context.obj)
    show.print_json([value] if as_json else value)


@db.command()
def upgrade(
    context: typer.Context,
    *,
    backup: Annotated[
        bool, typer.Option(help="first write a backup beside the configuration, or into the data folder")
    ] = True,
) -> None:
    """Bring the database to this program's revision; makes it if there is none. One that is upgraded is backed up first."""
    from hub.flow.actions import backups

    opened.quieten()
    if backup and (kept := backups.keep_before_upgrade(context.obj)):
        show.say(
            f"the way back: {kept} holds the database as it was (delete it when you are sure: no erasure reaches it)"
        )
    opened.upgrade(context.obj)
    show.say("the database is up to date")
