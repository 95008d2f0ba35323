"""`hub deliveries list|show|retry|discard`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from hub.cli import show
from hub.cli.opened import opened
from hub.cli.signals import Json

app = typer.Typer(no_args_is_help=True, help="What lands where: list, show, retry, discard.")
COLUMNS = {
    "id": "id",
    "destination": "destination",
    "object": "object",
    "state": "state",
    "attempts": "tries",
    "signal": "signal",
    "rule": "rule",
    "remote": "remote",
    "error": "error",
}


@app.command("list")
def list_(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(help="0: all")] = 50,
    state: str | None = None,
    destination: str | None = None,
    object_: Annotated[str | None, typer.Option("--object")] = None,
    signal: str | None = None,
    as_json: Json = False,
) -> None:
    """Deliveries, newest first."""
    from hub.flow.explain import shown_delivery

    with opened(context.obj) as hub:
        found = hub.store.outbox.recent(
            limit=limit or 10_000_000, state=state, destination=destination, object=object_, signal_key=signal
        )
    show.rows([shown_delivery(row) for row in found], COLUMNS, as_json=as_json, empty="no deliveries")


@app.command("show")
def show_(context: typer.Context, delivery: int, *, as_json: Json = False) -> None:
    """One delivery, whole: payload, attempts, errors."""
    with opened(context.obj) as hub:
        found = hub.store.outbox.get(delivery)
    if found is None:
        show.fail(f"there is no delivery {delivery}")
        raise typer.Exit(1)
    value = msgspec.to_builtins(found)
    show.print_json([value] if as_json else value)


@app.command()
def retry(
    context: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(help="delivery ids")] = None,
    *,
    state: Annotated[str | None, typer.Option(help="all of a state: dead, review, retry, parked, blocked")] = None,
    destination: str | None = None,
) -> None:
    """Make deliveries due again, under the same keys."""
    if not ids and not state:
        raise typer.BadParameter("name deliveries, or a --state")
    with opened(context.obj) as hub:
        count = hub.store.outbox.retry(ids or None, now=hub.now(), state=state, destination=destination)
        for name in hub.settings.destinations:
            if name == destination or destination is None:
                hub.store.connections.resume(name, now=hub.now())
                hub.bell.ring("deliver", name)
    show.console.print(f"{count} due again")


@app.command()
def discard(
    context: typer.Context,
    ids: Annotated[list[int], typer.Argument(help="delivery ids, dead or in review")],
    *,
    note: Annotated[str, typer.Option(help="why: it is kept")],
) -> None:
    """Give deliveries up for good, with a note."""
    with opened(context.obj) as hub:
        count = hub.store.outbox.discard(ids, note=note, now=hub.now())
    show.console.print(f"{count} discarded")
    if count < len(ids):
        raise typer.Exit(1)
