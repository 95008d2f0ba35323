"""`hub plugins list|show|new|check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import quieten
from hub.cli.signals import Json
from hub.core.errors import ConfigError

if TYPE_CHECKING:
    from hub.cli.plugins.quality.claims import Claims
    from hub.cli.plugins.quality.scale import Rule
    from hub.registry import Plugin

app = typer.Typer(no_args_is_help=True, help="Installed connectors, and new ones.")
OPTIONS = {"name": "option", "type": "type", "default": "default", "about": "text"}


@app.command("list")
def list_(*, as_json: Json = False) -> None:
    """All installed plugins: what they offer, how good they say they are, and why one is quarantined."""
    from hub.registry import Registry

    quieten("ERROR")  # why a plugin is quarantined stands in the table
    registry = Registry()
    rows = [_row(registry.load(name)) for name in registry.names]
    columns = {"name": "name", "offers": "offers", "tier": "tier", "items": "items", "distribution": "from"}
    columns |= {"version": "version", "state": "state", "reason": "reason"}
    show.rows(rows, columns, as_json=as_json, spare=("version", "from", "items"))


def _row(plugin: Plugin) -> dict[str, Any]:
    claims, unread = _claims(plugin)
    return {
        "name": plugin.name,
        "offers": list(plugin.kinds),
        "tier": claims.tier or None,
        "items": claims.items or None,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": "quarantined" if plugin.reason else "ready",
        "reason": plugin.reason or unread or None,
    }


def _claims(plugin: Plugin) -> tuple[Claims, str]:
    """Return what a plugin claims of the scale, and why its `quality.toml` cannot be read ("" if it can)."""
    from hub.cli.plugins.quality.claims import Claims, claims_of

    try:
        return (Claims() if plugin.reason else claims_of(plugin.module, plugin.kinds)), ""
    except ConfigError as error:
        return Claims(frozenset(plugin.kinds)), str(error)


@app.command("show")
def show_(name: Annotated[str, typer.Argument(help="a plugin's name")], *, as_json: Json = False) -> None:
    """One plugin: what it declares (hosts, limits, duties), its options, and the rules of quality."""
    from hub.cli.plugins.description import classes_of, described
    from hub.registry import Registry

    quieten("ERROR")
    plugin = Registry().load(name)
    if plugin.reason:
        show.fail(f"{name} is quarantined: {plugin.reason}")
        raise typer.Exit(1)
    claims, unread = _claims(plugin)
    rules = [_rule(claims, rule) for rule in claims.rules]
    quality = {"tier": claims.tier or None, "items": claims.items or None, "rules": rules}
    found = [
        {**described(kind, cls), "api": plugin.api or None, "quality": quality} for kind, cls in classes_of(plugin)
    ]
    if as_json:
        show.print_json(found)
        return
    for one in found:
        _say(one)
    _say_quality(claims, rules, unread)


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


RULES = {"tier": "tier", "rule": "rule", "claim": "claim", "text": "text"}


def _rule(claims: Claims, rule: Rule) -> dict[str, Any]:
    said = {"rule": rule.id, "tier": rule.tier, "claim": claims.of(rule), "about": rule.text}
    return {**said, "reason": claims.exempt.get(rule.id)}


def _say_quality(claims: Claims, rules: list[dict[str, Any]], unread: str) -> None:
    show.say(
        f"quality: {claims.tier or 'no tier is reached'}{f', items {claims.items}' if claims.items else ''}", "bold"
    )
    if unread:
        show.fail(unread)
    show.rows([{**rule, "text": rule["reason"] or rule["about"]} for rule in rules], RULES, as_json=False)
