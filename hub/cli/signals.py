"""`hub signals list|show|retry` and `hub explain`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from hub.cli import show
from hub.cli.opened import me, opened

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
SPARE = ("network", "kind", "rules", "author")  # a key begins with its network
FAILED = {"id": "id", "connection": "source", "plugin": "plugin", "received_at": "received", "note": "reason"}
SHOWN = 80
RATED = "rating"  # the model whose label is a review's own rating


@app.command("list")
def list_(
    context: typer.Context,
    *,
    limit: Annotated[int | None, typer.Option(min=0, help="0: all; unset: 50, with --json all")] = None,
    network: Annotated[str | None, typer.Option(help="mastodon, bluesky, ...")] = None,
    source: Annotated[str | None, typer.Option(help="a source's name in the configuration")] = None,
    matched: Annotated[bool | None, typer.Option("--matched/--unmatched", help="whether a rule matched")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="raw items that could not be translated")] = False,
    as_json: Json = False,
) -> None:
    """List signals, the last to arrive first; with --failed the raw items that wait for a fix."""
    from hub.flow.views import signals

    limit = show.how_many(limit, as_json=as_json)
    with opened(context.obj) as hub:
        if failed:
            rows = signals.failed(hub, me(), limit=limit)
            show.rows(rows, FAILED, as_json=as_json, empty="nothing failed")
            return
        rows = signals.recent(hub, me(), limit=limit, network=network, source=source, matched=matched)
    listed = rows if as_json else [_brief(row) for row in rows]
    show.rows(listed, COLUMNS, as_json=as_json, empty="no signals yet", spare=SPARE)


@app.command("show")
def show_(context: typer.Context, key: str, *, as_json: Json = False) -> None:
    """Show one signal, whole: its fields, labels, author, raw item."""
    from hub.flow.views import signals

    with opened(context.obj) as hub:
        found = signals.stored(hub, me(), key)
    if found is None:
        show.fail(signals.NO_SUCH.format(key))
        raise typer.Exit(1)
    show.print_json([found] if as_json else found)


@app.command()
def retry(
    context: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(help="raw ids as `signals list --failed` shows them; none: all")
    ] = None,
) -> None:
    """Take up raw items again that could not be translated."""
    from hub.flow.actions import signals

    with opened(context.obj) as hub:
        count = signals.retry(hub, me(), ids or None)
    show.say(f"{count} taken up again")
    if ids and count < len(set(ids)):
        show.fail("the others are not there, or have not failed")
        raise typer.Exit(1)


def explain(context: typer.Context, key: str, *, as_json: Json = False) -> None:
    """Tell why a signal became these records, and why not others: each rule, each condition, the values it read."""
    from hub.flow.views.explain import explain as explained
    from hub.flow.views.signals import NO_SUCH

    with opened(context.obj) as hub:
        found = explained(hub, me(), key)
    if found is None:
        show.fail(NO_SUCH.format(key))
        raise typer.Exit(1)
    if as_json:
        show.print_json([found])
    else:
        _tell(found)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    mood = next((label["value"] for label in row["labels"] if label["name"] == "sentiment"), "")
    author = row["author"] or {}
    name = author.get("handle") or author.get("display_name")
    brief = {"published": row["published_at"][:16].replace("T", " "), "author": name, "sentiment": mood}
    return {**row, **brief, "key": show.short(row["key"])}


def _tell(found: Any) -> None:
    show.say(show.safe(found.signal["text"])[:200], "bold")
    labels = ", ".join(_label(one) for one in found.labels)
    show.say(f"{found.signal['key']}  topics: {', '.join(found.topics) or 'none'}  labels: {labels or 'none'}")
    for rule in found.rules:
        mark = show.paint("matched", "green") if rule.matched else show.paint("not matched", "yellow")
        show.say(f"\n{mark} {show.safe(rule.rule)} {show.paint(f'version {rule.version[:8]}', 'dim')}")
        for condition in rule.conditions:
            read = ", ".join(f"{path} = {_value(value)}" for path, value in condition.read.items())
            show.say(f"  {condition.verdict:<7} {show.safe(condition.source)}  {show.paint(read, 'dim')}")
    if not found.rules:
        show.say(f"\nmatched: {show.safe(', '.join(found.matched) or 'none')}")
        show.say(f"rules {found.rules_version or 'none'}, topics {found.topics_version or 'none'}", "dim")
    show.say("" if found.deliveries or found.notes else "\nnothing was delivered")
    for note in found.notes:
        show.say(f"{show.paint('note', 'yellow')} {show.safe(note)}")
    for one in found.deliveries:
        remote = (one["remote"] or {}).get("url") or (one["remote"] or {}).get("id") or show.cell(one["error"])
        what = f"{one['destination']}/{one['object']} {one['operation']} by {one['rule'] or one['mapping']}"
        show.say(f"{show.paint(one['state'].ljust(10), 'bold')} {show.safe(what)}  {show.safe(str(remote))}")
        for tried in one["tries"]:
            ended = f"{tried['outcome'] or 'under way'} {show.cell(tried['error']) if tried['error'] else ''}".strip()
            show.say(f"  try {tried['attempt']} {show.cell(tried['started_at'])} {show.safe(ended)}", "dim")


def _label(label: dict[str, Any]) -> str:
    score = "" if label.get("score") is None else f" {label['score']:+.2f}"
    sure = "" if label.get("confidence") is None else f" ({label['confidence']:.0%} sure)"
    # A rating says more than that it is sure: which, and what a model made of the text.
    said = f" (by its rating: {label['version']})" if label.get("model") == RATED else sure
    return show.safe(f"{label['name']} {label['value']}{score}{said}")


def _value(value: Any) -> str:
    """Return a value as a condition would write it, a long text cut."""
    text = show.safe(msgspec.json.encode(value).decode())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
