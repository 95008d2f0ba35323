"""`hub init`, `hub check`, `hub config show`, `hub db upgrade`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from hub.cli import show
from hub.cli.opened import opened
from hub.config.settings import load_settings
from hub.registry import Registry

config = typer.Typer(no_args_is_help=True, help="The configuration.")
db = typer.Typer(no_args_is_help=True, help="The database.")


def init(
    context: typer.Context,
    *,
    demo: Annotated[bool, typer.Option("--demo", help="with sandboxes and a sample of posts")] = False,
    force: Annotated[bool, typer.Option("--force", help="write over files that are there")] = False,
) -> None:
    """Write a configuration to start from, with rules and topics beside it."""
    folder = Path(context.obj).resolve().parent
    written = []
    with as_file(resources("hub.cli").joinpath("starters")) as starters:
        chosen = starters / ("demo" if demo else "first")
        for file in sorted(path for path in chosen.rglob("*") if path.is_file()):
            target = folder / file.relative_to(chosen)
            if target.exists() and not force:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            written.append(target)
    for target in written:
        show.console.print(f"wrote {target}", highlight=False, soft_wrap=True)
    if not written:
        show.console.print("all files are there already; --force writes them anew")


def check(
    context: typer.Context,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="files only, no connection")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON array")] = False,
) -> None:
    """All errors of the configuration at once; then each connection is tried."""
    from hub.flow.check import problems_of, try_connections

    settings = load_settings(context.obj)
    problems = problems_of(settings, Registry())
    rows: list[dict[str, Any]] = [
        {"where": f"{one.file}: {one.path}", "fine": False, "message": one.message, "hint": one.hint or None}
        for one in problems
    ]
    if not problems and not offline:
        with opened(context.obj) as hub:
            rows += [
                {"where": one.connection, "fine": one.fine, "message": one.message, "hint": None}
                for one in try_connections(hub)
            ]
    _report(rows, as_json=as_json)
    if any(not row["fine"] for row in rows):
        raise typer.Exit(2 if problems else 1)


def _report(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        show.print_json(rows)
        return
    for row in rows:
        mark = "[green]fine[/green]" if row["fine"] else "[red]wrong[/red]"
        hint = f" ({row['hint']})" if row["hint"] else ""
        show.console.print(
            f"{mark} {escape(row['where'])}: {escape(show.safe_lines(row['message'] + hint))}",
            soft_wrap=True,
            highlight=False,
        )
    if all(row["fine"] for row in rows):
        show.console.print("the configuration is right")


@config.command("show")
def show_config(context: typer.Context, *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """The configuration with all defaults; secrets are references, and anything that looks like one is hidden."""
    settings = load_settings(context.obj)
    value = redacted(settings.model_dump(mode="json"))
    show.print_json([value] if as_json else value)


def redacted(value: Any, name: str = "") -> Any:
    """A value without what its name calls a secret; references to secrets stay readable."""
    if isinstance(value, dict):
        if set(value) in ({"env"}, {"file"}):
            return value
        return {key: redacted(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, name) for inner in value]
    hidden = any(word in name.lower() for word in ("secret", "password", "token", "key", "credential"))
    if isinstance(value, str) and value and hidden:
        return "***"
    return _without_password(value) if isinstance(value, str) and "://" in value else value


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}:***@{host}" if at and ":" in user else url


@db.command()
def upgrade(context: typer.Context) -> None:
    """Bring the database to this program's revision."""
    from hub.store import open_store

    settings = load_settings(context.obj)
    store = open_store(settings.database_url)
    store.database.migrate()
    store.close()
    show.console.print("the database is up to date")


COMMANDS: dict[str, Callable[..., None]] = {"init": init, "check": check}
