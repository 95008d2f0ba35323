"""`hub deliveries list|show|retry|discard`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import me, opened
from hub.cli.signals import Json
from hub.cli.watch.letters import (
    All,
    Asked,
    DestinationName,
    Dry,
    ErrorCode,
    Filters,
    ObjectName,
    Rule,
    Since,
    State,
    carry_out,
)

app = typer.Typer(no_args_is_help=True, help="What lands where: list, show, retry, discard.")
COLUMNS = {
    "id": "id",
    "destination": "destination",
    "object": "object",
    "operation": "operation",
    "state": "state",
    "attempts": "tries",
    "signal": "signal",
    "rule": "rule",
    "remote": "remote",
    "error": "error",
}
SPARE = ("operation", "tries", "rule", "remote")


@app.command("list")
def list_(
    context: typer.Context,
    *,
    limit: Annotated[int | None, typer.Option(min=0, help="0: all; unset: 50, with --json all")] = None,
    state: Annotated[str | None, typer.Option(help="delivered, retry, dead, review, ...")] = None,
    destination: Annotated[
        str | None, typer.Option(help="a destination's name in the configuration; replies: sources/NAME")
    ] = None,
    object_: Annotated[str | None, typer.Option("--object", help="Lead, ticket, ...")] = None,
    signal: Annotated[str | None, typer.Option(help="a signal's key, or its beginning")] = None,
    as_json: Json = False,
) -> None:
    """List deliveries, newest first."""
    from hub.flow.views import deliveries

    limit = show.how_many(limit, as_json=as_json)
    wanted = {"state": state, "destination": destination, "object": object_}
    with opened(context.obj) as hub:
        rows = deliveries.recent(hub, me(), signal=signal, limit=limit, **wanted)
    listed = rows if as_json else [_brief(row) for row in rows]
    show.rows(listed, COLUMNS, as_json=as_json, empty="no deliveries", spare=SPARE)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    remote, error = row["remote"] or {}, row["error"] or {}
    said = error.get("message") or error.get("note") or error
    return {**row, "signal": show.short(row["signal"]), "remote": remote.get("id"), "error": said}


@app.command("show")
def show_(context: typer.Context, delivery: int, *, as_json: Json = False) -> None:
    """Show one delivery, whole: payload, attempts, errors."""
    from hub.flow.views import deliveries

    with opened(context.obj) as hub:
        value = deliveries.stored(hub, me(), delivery)
    if value is None:
        show.fail(f"there is no delivery {delivery}")
        raise typer.Exit(1)
    show.print_json([value] if as_json else value)


@app.command()
def retry(
    context: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(help="delivery ids")] = None,
    *,
    state: State = None,
    destination: DestinationName = None,
    object_: ObjectName = None,
    rule: Rule = None,
    error: ErrorCode = None,
    since: Since = None,
    all_: All = False,
    dry: Dry = False,
) -> None:
    """Make deliveries due again, under the same keys; a reply that waits for approval is sent."""
    from hub.flow.actions import deliveries
    from hub.flow.views.deliveries import retryable

    filters = Filters(state, destination, object_, rule, error, since)
    count = carry_out(context.obj, Asked(ids, filters, all_, dry), retryable, deliveries.retry)
    if count is None:
        return
    show.say(f"{count} due again")
    if ids and count < len(set(ids)):
        show.fail(
            "the others are not there, or are done: only what is dead, waits or awaits a person can be tried again"
        )
        raise typer.Exit(1)


@app.command()
def discard(
    context: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(help="delivery ids: dead, blocked, or awaiting a person")] = None,
    *,
    note: Annotated[str, typer.Option(help="why: it is kept")],
    state: State = None,
    destination: DestinationName = None,
    object_: ObjectName = None,
    rule: Rule = None,
    error: ErrorCode = None,
    since: Since = None,
    all_: All = False,
    dry: Dry = False,
) -> None:
    """Give deliveries up for good, with a note; the agent of a reply is told."""
    from hub.flow.actions import deliveries
    from hub.flow.views.deliveries import discardable

    filters = Filters(state, destination, object_, rule, error, since)
    act = partial(deliveries.discard, note=note)
    count = carry_out(context.obj, Asked(ids, filters, all_, dry), discardable, act)
    if count is None:
        return
    show.say(f"{count} discarded")
    if ids and count < len(set(ids)):
        show.fail("the others are not there, or are neither dead nor blocked, and await no person")
        raise typer.Exit(1)
