"""`hub plugins list|show`, `hub mappings test|show`, `hub rules test`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hub.cli import show
from hub.cli.signals import Json
from hub.config.settings import load_settings
from hub.core.errors import ConfigError, Problem
from hub.registry import Registry
from hub.runtime import find_config

plugins = typer.Typer(no_args_is_help=True, help="Installed connectors.")
mappings = typer.Typer(no_args_is_help=True, help="How signals become records.")
rules = typer.Typer(no_args_is_help=True, help="What decides.")


@plugins.command("list")
def list_(*, as_json: Json = False) -> None:
    """All installed plugins: what they offer, and why one is quarantined."""
    registry = Registry()
    rows = []
    for name in registry.names:
        plugin = registry.load(name)
        rows.append(
            {
                "name": name,
                "offers": list(plugin.kinds),
                "distribution": plugin.distribution,
                "version": plugin.version,
                "state": "quarantined" if plugin.reason else "ready",
                "reason": plugin.reason or None,
            }
        )
    columns = {"name": "name", "offers": "offers", "distribution": "from", "version": "version", "state": "state"}
    show.rows(rows, {**columns, "reason": "reason"}, as_json=as_json)


@plugins.command("show")
def show_(name: str, *, as_json: Json = False) -> None:
    """One plugin: its options and what it declares."""
    plugin = Registry().load(name)
    if plugin.reason:
        show.fail(f"{name} is quarantined: {plugin.reason}")
        raise typer.Exit(1)
    found = [
        {
            "kind": kind,
            "name": cls.name,
            "about": (cls.__doc__ or "").strip(),
            "options": cls.Options.model_json_schema(),
        }
        for kind, classes in (
            ("source", plugin.sources),
            ("destination", plugin.destinations),
            ("enricher", plugin.enrichers),
        )
        for cls in classes.values()
    ]
    show.print_json(found if as_json else {"plugin": name, "from": plugin.distribution, "offers": found})


@mappings.command()
def test(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help="mapping files; none: all that the configuration uses")
    ] = None,
) -> None:
    """Run the [[test]] cases that mapping files carry."""
    failed = total = 0
    for name, compiled in _compiled(context.obj, files):
        for result in compiled.run_tests():
            total += 1
            if not result.passed:
                failed += 1
                show.fail(f"{name}: {result.name}: got {result.got!r}, want {result.want!r}")
    show.console.print(f"{total - failed} of {total} mapping tests passed")
    if failed or not total:
        raise typer.Exit(1)


@mappings.command("show")
def show_mapping(context: typer.Context, name: str, *, as_json: Json = False) -> None:
    """A mapping, `destination/name`, as it is in force."""
    found = dict(_compiled(context.obj, None)).get(name)
    if found is None:
        show.fail(f"there is no mapping '{name}'")
        raise typer.Exit(1)
    value = {"name": name, "version": found.version, **msgspec.to_builtins(found.spec)}
    show.print_json([value] if as_json else value)


def _compiled(config: Path, files: list[Path] | None) -> list[tuple[str, Any]]:
    from hub.config.rulebook import default_mappings, read_mapping
    from hub.core.mapping import compile_mapping
    from hub.runtime import read_book

    if files:
        return [(str(file), compile_mapping(read_mapping(file), name=file.stem, file=str(file))) for file in files]
    registry = Registry()
    if find_config(config).exists():
        book = read_book(load_settings(find_config(config)), registry)
        return [("/".join(name), compiled) for name, compiled in book.mappings.items()]
    shipped = ((name, cls) for name in registry.names for cls in registry.load(name).destinations.values())
    return [
        (f"{name}/{mapping}", compile_mapping(spec, name=mapping, file=f"{name}/{mapping}.toml"))
        for name, cls in shipped
        for mapping, spec in default_mappings(cls.mappings).items()
    ]


@rules.command("test")
def test_rules(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON lines of facts, as {signal: {...}, author: {...}, labels: {...}}")],
    *,
    as_json: Json = False,
) -> None:
    """Say for each line which rules match, and why."""
    from hub.runtime import read_book

    book = read_book(load_settings(find_config(context.obj)), Registry())
    traces = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        facts = _facts(file, number, line)
        signal = facts.get("signal") or {}
        facts.setdefault("topics", list(book.topics.match(signal.get("text") or "", signal.get("hashtags") or ())))
        traces.append({"line": number, "topics": facts["topics"], "rules": book.rules.decide(facts)})
    if as_json:
        show.print_json(traces)
        return
    rows = [
        {"line": trace["line"], "rule": rule.rule, "matched": rule.matched, "why": _why(rule)}
        for trace in traces
        for rule in trace["rules"]
    ]
    show.rows(rows, {"line": "line", "rule": "rule", "matched": "matched", "why": "reason"}, as_json=False)


def _facts(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ConfigError([Problem(str(file), f"line {number}", str(error))]) from None


def _why(rule: Any) -> str:
    return "; ".join(f"{condition.source} -> {condition.verdict}" for condition in rule.conditions)
