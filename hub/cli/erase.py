"""`hub erase`: take back what was said, with receipts. `hub recheck`: ask a source whether its posts are still there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import me, opened
from hub.cli.signals import Json
from hub.cli.watch.letters import moment

COLUMNS = {
    "destination": "destination",
    "object": "object",
    "state": "receipt",
    "settled_at": "at",
    "remote_id": "record",
    "error": "reason",
    "id": "delivery",
}


def erase(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="a signal's key (or its beginning), or an author's key")],
    *,
    show_: Annotated[bool, typer.Option("--show", help="only list the receipts")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Json = False,
) -> None:
    """Erase a signal, or an author with all signals, here and at every destination that has it; cannot be undone."""
    from hub.flow.actions import erasures
    from hub.flow.views import erasures as seen

    with opened(context.obj) as hub:
        known = seen.find(hub, me(), key)
        if not show_:
            if not yes:
                typer.confirm(
                    f"Erase {known} here and at every destination? It cannot be undone.", abort=True, err=True
                )
            erasures.erase(hub, me(), known)
        found, state = seen.receipts(hub, me(), known), seen.status(hub, me(), known)
    if as_json:
        show.print_json(found)
        return
    if state is None:
        show.say(f"{known} was not erased", "dim")
        return
    till = f"finished {state['finished_at']:%Y-%m-%d %H:%M} UTC" if state["finished_at"] else "receipts are awaited"
    show.say(f"{known}: {state['reason']}, {state['at']:%Y-%m-%d %H:%M} UTC, {till}", "bold")
    show.rows([_brief(row) for row in found], COLUMNS, as_json=False, empty="no destination had it")


def recheck(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="a source's name in the configuration")],
    *,
    since: Annotated[
        str, typer.Option(help='only posts seen since: a span such as "7d", or ISO 8601; unset: all')
    ] = "",
    as_json: Json = False,
) -> None:
    """Ask a source whether its posts are still there; what is gone is taken back everywhere."""
    from hub.flow.actions import erasures
    from hub.flow.views import connectors

    with opened(context.obj) as hub:
        known = connectors.sources(hub, me())
        if source not in known:
            raise typer.BadParameter(f"there is no source '{source}'; configured: {', '.join(known) or 'none'}")
        done = erasures.recheck(hub, me(), source, since=moment(since, hub.now()) if since else None)
        can = connectors.can_recheck(hub, me(), source)
    if as_json:
        show.print_json([done._asdict()])
    elif not can and not done.expired:
        show.say(f"{source} cannot ask its network whether posts are still there", "dim")
    else:
        show.say(f"{done.asked} looked for, {done.gone} gone, {done.expired} not to be kept any longer")


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    remote, error = row["remote"] or {}, row["error"] or {}
    reason = error.get("message") or error.get("note")
    if row["waits_for"]:
        reason = f"waits for a person: was delivery {row['waits_for']} made?"
    return {**row, "remote_id": remote.get("id"), "error": reason}
