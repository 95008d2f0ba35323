"""`hub erase`: take back what was said, with receipts. `hub recheck`: ask a source whether its posts are still there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import opened
from hub.cli.people import note
from hub.cli.signals import NO_SUCH, Json
from hub.cli.watch.letters import moment

if TYPE_CHECKING:
    from hub.runtime import Hub

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
    from hub.core.model import Tombstone
    from hub.flow.erase.erase import erase as take_back
    from hub.flow.erase.receipts import receipts

    with opened(context.obj) as hub:
        known = _known(hub, key)
        if not show_:
            if not yes:
                typer.confirm(
                    f"Erase {known} here and at every destination? It cannot be undone.", abort=True, err=True
                )
            take_back(hub, [Tombstone(known, "erasure", hub.now())])
            note(hub, "erase", known)
        found, state = receipts(hub, known), hub.store.erasures.status(known)
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
    from hub.flow.erase.recheck import recheck as look_again

    with opened(context.obj) as hub:
        if source not in hub.settings.sources:
            known = ", ".join(hub.settings.sources) or "none"
            raise typer.BadParameter(f"there is no source '{source}'; configured: {known}")
        now = hub.now()
        done = look_again(hub, source, before=now, since=moment(since, now) if since else None)
        can = hub.source(source).recheck_size > 0
    if as_json:
        show.print_json([done._asdict()])
    elif not can and not done.expired:
        show.say(f"{source} cannot ask its network whether posts are still there", "dim")
    else:
        show.say(f"{done.asked} looked for, {done.gone} gone, {done.expired} not to be kept any longer")


def _known(hub: Hub, key: str) -> str:
    """The whole key of a signal or an author; ends the command where there is none."""
    row = hub.store.signals.get(key)
    if row is not None:
        return str(row["key"])
    with hub.store.database.read() as conn:
        known = hub.store.signals.authors(conn, [key]) or hub.store.erasures.of_authors(conn, [key])
        if known or hub.store.people.behind(conn, [key]):
            return key
    if hub.store.erasures.status(key) is not None:
        return key
    show.fail(f"{NO_SUCH.format(key)}, and no author has it")
    raise typer.Exit(1)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    remote, error = row["remote"] or {}, row["error"] or {}
    reason = error.get("message") or error.get("note")
    if row["waits_for"]:
        reason = f"waits for a person: was delivery {row['waits_for']} made?"
    return {**row, "remote_id": remote.get("id"), "error": reason}
