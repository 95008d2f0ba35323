"""`hub plugins list|show|new|check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import quieten
from hub.cli.signals import Json

if TYPE_CHECKING:
    from hub.registry import Plugin

app = typer.Typer(no_args_is_help=True, help="Installed connectors, and new ones.")
OPTIONS = {"name": "option", "type": "type", "default": "default", "about": "text"}


@app.command("list")
def list_(*, as_json: Json = False) -> None:
    """All installed plugins: what they offer, and why one is quarantined."""
    from hub.registry import Registry

    quieten("ERROR")  # why a plugin is quarantined stands in the table
    registry = Registry()
    rows = [_row(registry.load(name)) for name in registry.names]
    columns = {"name": "name", "offers": "offers", "distribution": "from", "version": "version", "state": "state"}
    show.rows(rows, {**columns, "reason": "reason"}, as_json=as_json, spare=("version", "from"))


def _row(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "offers": list(plugin.kinds),
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": "quarantined" if plugin.reason else "ready",
        "reason": plugin.reason or None,
    }


@app.command("show")
def show_(name: Annotated[str, typer.Argument(help="a plugin's name")], *, as_json: Json = False) -> None:
    """One plugin: what it declares (hosts, limits, duties) and its options."""
    from hub.cli.plugins.description import classes_of, described
    from hub.registry import Registry

    quieten("ERROR")
    plugin = Registry().load(name)
    if plugin.reason:
        show.fail(f"{name} is quarantined: {plugin.reason}")
        raise typer.Exit(1)
    found = [described(kind, cls) for kind, cls in classes_of(plugin)]
    if as_json:
        show.print_json(found)
        return
    for one in found:
        _say(one)


FACTS = {
    "hosts": "hosts",
    "network": "network",
    "labels": "labels",
    "capabilities": "capabilities",
    "batch_size": "records a call",
    "limits": "limits",
    "idempotency": "after a doubt",
    "compliance": "duties",
}
"""The lines above the table of options: key and title."""


def _say(one: dict[str, Any]) -> None:
    from hub.cli.plugins.description import options_of

    show.say(f"{one['kind']} {one['name']}", "bold")
    show.say(f"{one['about']}\n")
    for key, title in FACTS.items():
        if one.get(key) is not None:
            show.say(f"{title:<16}{show.cell(one[key]) or 'none'}")
    show.say("")
    show.rows(options_of(one["options"]), OPTIONS, as_json=False, empty="no options")
    show.say("")
