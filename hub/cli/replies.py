"""`hub replies list|approve|refuse`: answers that wait for a person's word."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import show
from hub.cli.opened import me, opened
from hub.cli.signals import Json

app = typer.Typer(no_args_is_help=True, help="Answers that wait for a person's word: list, approve, refuse.")
Ids = Annotated[list[int], typer.Argument(help="delivery ids, as `hub replies list` shows them")]
COLUMNS = {"id": "id", "destination": "through", "signal": "signal", "text": "text"}


@app.command("list")
def list_(context: typer.Context, *, as_json: Json = False) -> None:
    """List the replies that wait for approval, oldest first."""
    from hub.flow.views import replies

    with opened(context.obj) as hub:
        rows = replies.waiting(hub, me())
    listed = rows if as_json else [{**row, "signal": show.short(row["signal"])} for row in rows]
    show.rows(listed, COLUMNS, as_json=as_json, empty="no reply waits for approval")


@app.command()
def approve(context: typer.Context, ids: Ids) -> None:
    """Let replies out: they are posted."""
    from hub.flow.actions import replies

    with opened(context.obj) as hub:
        show.say(f"{replies.approve(hub, me(), ids)} approved")


@app.command()
def refuse(
    context: typer.Context, ids: Ids, *, note: Annotated[str, typer.Option(help="why: the agent reads it")]
) -> None:
    """Refuse replies: they are not posted, and their agents read why."""
    from hub.flow.actions import replies

    with opened(context.obj) as hub:
        show.say(f"{replies.refuse(hub, me(), ids, note=note)} refused")
