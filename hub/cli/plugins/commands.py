"""`hub plugins list|show|new|check`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import quieten
from hub.cli.signals import Json
from hub.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from hub.cli.plugins.quality.claims import Claims
    from hub.cli.plugins.quality.scale import QualityRule
    from hub.cli.plugins.trials import Trial
    from hub.registry import Plugin

app = typer.Typer(no_args_is_help=True, help="Installed connectors, and new ones.")
OPTIONS = {"name": "option", "type": "type", "default": "default", "about": "text"}


@app.command("list")
def list_(context: typer.Context, *, as_json: Json = False) -> None:
    """All installed plugins: what they offer, how good they say they are, and why one is quarantined."""
    from hub.flow.views.files import plugins_of

    quieten("ERROR")  # why a plugin is quarantined stands in the table
    registry = plugins_of(context.obj)
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
def show_(
    context: typer.Context, name: Annotated[str, typer.Argument(help="a plugin's name")], *, as_json: Json = False
) -> None:
    """One plugin: what it declares (hosts, limits, duties), its options, and the rules of quality."""
    from hub.cli.plugins.description import classes_of, described
    from hub.flow.views.files import plugins_of

    quieten("ERROR")
    plugin = plugins_of(context.obj).load(name)
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
    own = "made with this hub" if plugin.distribution == "hubbub" else "it names no version of the plugin API"
    api = f"plugin API {plugin.api}" if plugin.api else own
    show.say(f"{plugin.name} of {plugin.distribution} {plugin.version}, {api}\n", "dim")
    for one in found:
        _say(one)
    _say_quality(claims, rules, unread)


FACTS = {
    "libraries": "needs",
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


def _rule(claims: Claims, rule: QualityRule) -> dict[str, Any]:
    said = {"rule": rule.id, "tier": rule.tier, "claim": claims.of(rule), "about": rule.text}
    return {**said, "reason": claims.exempt.get(rule.id)}


def _say_quality(claims: Claims, rules: list[dict[str, Any]], unread: str) -> None:
    show.say(
        f"quality: {claims.tier or 'no tier is reached'}{f', items {claims.items}' if claims.items else ''}", "bold"
    )
    if unread:
        show.fail(unread)
    show.rows([{**rule, "text": rule["reason"] or rule["about"]} for rule in rules], RULES, as_json=False)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="the plugin's name in the configuration, such as town_square")],
    *,
    source: Annotated[bool, typer.Option("--source", help="it reads a network")] = False,
    destination: Annotated[bool, typer.Option("--destination", help="it writes records into a system")] = False,
    enricher: Annotated[bool, typer.Option("--enricher", help="it judges texts")] = False,
    into: Annotated[Path, typer.Option("--into", help="the folder in which it is made")] = Path(),
) -> None:
    """Begin a plugin: a distribution of its own, with a look-alike and tests, that passes `hub plugins check` as it is."""
    from hub.cli.plugins.scaffold import plan, write

    given = {"source": source, "destination": destination, "enricher": enricher}
    chosen = [kind for kind, wanted in given.items() if wanted]
    if len(chosen) != 1:
        hint = "a plugin may offer more later: add a hook to its plugin.py"
        raise ConfigError([Problem("hub plugins new", "", "say one of --source, --destination, --enricher", hint)])
    made = plan(name, chosen[0], into)
    for file in write(made):
        show.say(f"wrote {made.root / file}")
    show.say(f"next: cd {made.root}, pip install -e '.[dev]', hub plugins check")


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(help="the folder of a distribution, or of one plugin in it; or a declarative file")
    ] = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Check a plugin in its source tree: its tests and contract suites, its types, and what it claims of the scale."""
    from hub.cli.plugins.trials import FAILED

    quieten("ERROR")
    about, found = _tried(path)
    if as_json:
        show.print_json([asdict(trial) for trial in found])
    else:
        show.say(about, "bold")
        for trial in found:
            _say_trial(trial)
    if any(trial.state == FAILED for trial in found):
        raise typer.Exit(1)


def _tried(path: Path) -> tuple[str, list[Trial]]:
    """Try what a path names; returns what that is, and how its parts ended."""
    if path.suffix == ".toml" and not path.is_dir():
        from hub.cli.plugins.declared import check_file
        from hub.registry import Registry

        return str(path), check_file(path, Registry())
    from hub.cli.plugins.subject import subject_at
    from hub.cli.plugins.trials import all_trials

    subject = subject_at(path)
    return f"{subject.name} in {subject.package}", all_trials(subject)


COLOURS = {"ok": "green", "failed": "red", "skipped": "yellow"}


def _say_trial(trial: Trial) -> None:
    show.say(f"{show.paint(f'{trial.state:<8}', COLOURS[trial.state])} {trial.part:<8} {show.safe(trial.said)}")
    for problem in trial.problems:
        show.say(f"{'':<9}{show.safe_lines(problem)}")
    if trial.way_out:
        show.say(f"{'':<9}next: {trial.way_out}", "dim")
