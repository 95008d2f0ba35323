"""`hub alerts list|test`."""

from __future__ import annotations

import typer

from hub.cli import show
from hub.cli.opened import me, opened
from hub.cli.signals import Json

app = typer.Typer(no_args_is_help=True, help="What is wrong now, and who is told.")
COLUMNS = {"key": "key", "severity": "severity", "text": "text", "since": "since", "told_at": "told"}


@app.command("list")
def list_(context: typer.Context, *, as_json: Json = False) -> None:
    """List the alerts that are open, the oldest first."""
    from hub.flow.views import health

    with opened(context.obj) as hub:
        found = health.alerts(hub, me())
    show.rows(found, COLUMNS, as_json=as_json, empty="all is well", spare=("told", "since"))


@app.command()
def test(context: typer.Context) -> None:
    """Send a test message to each of `alerts.urls`; exit code 1 if one did not take it."""
    from hub.flow.actions import alerts

    with opened(context.obj, makes=True) as hub:
        taken = alerts.test(hub, me())
    if not taken:
        show.fail("no one would be told: alerts.urls is empty")
        raise typer.Exit(1)
    for number, (kind, fine) in enumerate(taken):
        show.say(f"alerts.urls.{number} ({show.safe(kind)}): {'taken' if fine else 'not taken'}", "" if fine else "red")
    if not all(fine for _, fine in taken):
        raise typer.Exit(1)
