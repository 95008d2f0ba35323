"""`hub signals list|show|retry` and `hub explain`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from hub.cli import show
from hub.cli.opened import opened

app = typer.Typer(no_args_is_help=True, help="What was said: list, show, retry.")
Json = Annotated[bool, typer.Option("--json", help="one JSON array")]
COLUMNS = {
    "published": "published",
    "network": "network",
    "kind": "kind",
    "author": "author",
    "sentiment": "sentiment",
    "matched": "rules",
    "text": "text",
    "key": "key",
}


@app.command("list")
def list_(
    context: typer.Context,
    *,
    limit: int = 50,
    network: str | None = None,
    source: str | None = None,
    matched: Annotated[bool | None, typer.Option("--matched/--unmatched")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="raw items that could not be translated")] = False,
    as_json: Json = False,
) -> None:
    """Signals, newest first; with --failed the raw items that wait for a fix."""
    with opened(context.obj) as hub:
        if failed:
            columns = {
                "id": "id",
                "connection": "source",
                "plugin": "plugin",
                "received_at": "received",
                "note": "reason",
            }
            show.rows(hub.store.inbox.failed(limit=limit), columns, as_json=as_json, empty="nothing failed")
            return
        found = hub.store.signals.recent(limit=limit, network=network, source=source, matched=matched)
        rows = [shown(row) for row in found]
    show.rows(rows if as_json else [_brief(row) for row in rows], COLUMNS, as_json=as_json, empty="no signals yet")


@app.command("show")
def show_(context: typer.Context, key: str, *, as_json: Json = False) -> None:
    """One signal, whole: its fields, labels, author, raw item."""
    with opened(context.obj) as hub:
        row = hub.store.signals.get(key)
        if row is None:
            show.fail(f"no signal, or more than one, has a key that begins with '{key}'")
            raise typer.Exit(1)
        raw = hub.store.inbox.get([row["raw_id"]]).get(row["raw_id"])
        found = shown(row)
    found["raw"] = raw.payload.decode("utf-8", "replace") if raw else None
    show.print_json([found] if as_json else found)


@app.command()
def retry(
    context: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(help="raw ids as `signals list --failed` shows them; none: all")
    ] = None,
) -> None:
    """Take up raw items again that could not be translated."""
    with opened(context.obj) as hub:
        count = hub.store.inbox.retry(ids or None, now=hub.now())
        hub.bell.ring("process")
    show.console.print(f"{count} taken up again")
    if ids and not count:
        raise typer.Exit(1)


def explain(context: typer.Context, key: str, *, as_json: Json = False) -> None:
    """Why a signal became these records, and why not others: each rule, each condition, the values it read."""
    from hub.flow.explain import explain as explained

    with opened(context.obj) as hub:
        found = explained(hub, key)
    if found is None:
        show.fail(f"no signal, or more than one, has a key that begins with '{key}'")
        raise typer.Exit(1)
    if as_json:
        show.print_json([found])
    else:
        _tell(found)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A stored signal as listings show it."""
    found: dict[str, Any] = msgspec.to_builtins(row["signal"])
    found["id"] = row["id"]
    found["matched"] = row["trace"].get("matched", [])
    found["topics"] = row["trace"].get("about", [])
    found["labels"] = msgspec.to_builtins(row["labels"])
    found["author"] = msgspec.to_builtins(row["author"])
    return found


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    mood = next((label["value"] for label in row["labels"] if label["name"] == "sentiment"), "")
    author = row["author"] or {}
    brief = {"published": row["published_at"][:19], "author": author.get("handle"), "sentiment": mood}
    return {**row, **brief, "text": row["text"][:90], "key": row["key"][:24]}


def _tell(found: Any) -> None:
    out = show.console
    out.print(f"[bold]{escape(show.safe(found.signal['text'])[:200])}[/bold]")
    labels = ", ".join(f"{one['name']} {one['value']} {one.get('score') or ''}".strip() for one in found.labels)
    out.print(f"{found.signal['key']}  topics: {', '.join(found.topics) or 'none'}  labels: {labels or 'none'}")
    for rule in found.rules:
        mark = "[green]matched[/green]" if rule.matched else "[yellow]not matched[/yellow]"
        out.print(f"\n{mark} {escape(rule.rule)} [dim]version {rule.version[:8]}[/dim]")
        for condition in rule.conditions:
            read = ", ".join(f"{path} = {value!r}" for path, value in condition.read.items())
            out.print(f"  {condition.verdict:<7} {escape(condition.source)}  [dim]{escape(show.safe(read))}[/dim]")
    for note in found.notes:
        out.print(f"[yellow]note[/yellow] {escape(note)}")
    for one in found.deliveries:
        remote = (one["remote"] or {}).get("url") or (one["remote"] or {}).get("id") or ""
        out.print(
            f"[bold]{one['state']:<10}[/bold] {one['destination']}/{one['object']} by {one['rule']} {escape(str(remote))}"
        )
