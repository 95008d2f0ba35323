"""`hub mappings test|show`, `hub rules test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hub.cli import show
from hub.cli.opened import quieten
from hub.cli.signals import Json
from hub.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from hub.core.mapping import CompiledMapping

mappings = typer.Typer(no_args_is_help=True, help="How signals become records.")
rules = typer.Typer(no_args_is_help=True, help="What decides.")


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
    show.say(f"{total - failed} of {total} mapping tests passed")
    if failed or not total:
        raise typer.Exit(1)


@mappings.command("show")
def show_mapping(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="destination/name; none: list them")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show a mapping, `destination/name`, as it is in force."""
    known = dict(_compiled(context.obj, None))
    if name is None:
        rows = [{"mapping": one, "object": made.spec.object, **_how(made)} for one, made in sorted(known.items())]
        columns = {"mapping": "mapping", "object": "object", "operation": "operation", "keyed_by": "keyed by"}
        show.rows(rows, {**columns, "version": "version"}, as_json=as_json)
        return
    found = known.get(name)
    if found is None:
        show.fail(f"there is no mapping '{name}'; there are: {', '.join(sorted(known)) or 'none'}")
        raise typer.Exit(1)
    value = {"name": name, "version": found.version, **msgspec.to_builtins(found.spec)}
    show.print_json([value] if as_json else value)


def _how(mapping: CompiledMapping) -> dict[str, Any]:
    return {"operation": mapping.spec.operation, "keyed_by": mapping.spec.keyed_by, "version": mapping.version[:8]}


def _compiled(config: Path, given: list[Path] | None) -> list[tuple[str, CompiledMapping]]:
    """Return the mappings of files, else of the configuration, else (without one) those that the plugins ship."""
    from hub.flow.views import files

    quieten("ERROR")
    return files.mappings_of(given) if given else files.mappings(config)


@rules.command("test")
def test_rules(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="JSON lines of facts: signal, author, labels ... as mapping tests have them")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Say for each line of facts which rules match, and why; topics are found in the text if none are given."""
    from hub.flow.views.files import book
    from hub.flow.views.trials import judged

    quieten("ERROR")
    rulebook = book(context.obj)
    traces = [{"line": number, **judged(rulebook, facts)} for number, facts in _facts(file)]
    if as_json:
        show.print_json(traces)
        return
    rows = [
        {"line": trace["line"], "rule": rule.rule, "matched": rule.matched, "why": _why(rule)}
        for trace in traces
        for rule in trace["rules"]
    ]
    show.rows(rows, {"line": "line", "rule": "rule", "matched": "matched", "why": "reason"}, as_json=False)


def _facts(file: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the facts of a file's lines with their numbers. Raises ConfigError with all lines that are none."""
    found: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    if not file.is_file():
        raise ConfigError([Problem(str(file), "", "there is no such file")])
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        try:
            if line.strip():
                found.append((number, msgspec.json.decode(line, type=dict[str, Any])))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problems.append(Problem(str(file), f"line {number}", str(error)))
    if problems:
        raise ConfigError(problems)
    return found


def _why(rule: Any) -> str:
    return "; ".join(f"{condition.verdict}: {condition.source}" for condition in rule.conditions)
