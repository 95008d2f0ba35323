"""`hub check`: all that is wrong at once, each with its place and a way out; then each connection is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import opened, quieten
from hub.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from hub.config.settings import Settings
    from hub.registry import Registry

UNREADABLE = ("the environment has no variable", "the secret's file cannot be read")


def check(
    context: typer.Context,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="files only, no connection")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON array")] = False,
) -> None:
    """All errors of the configuration at once; then each connection is tried."""
    quieten("CRITICAL")  # what goes wrong stands in the report
    problems = all_problems(context.obj)
    rows: list[dict[str, Any]] = [
        {"where": _place(one), "fine": False, "message": one.message, "hint": one.hint or None} for one in problems
    ]
    if not problems and not offline:
        rows += _tried(context.obj)
    if as_json:
        show.print_json(rows)
    else:
        _report(rows)
    if any(not row["fine"] for row in rows):
        raise typer.Exit(2 if problems else 1)


def all_problems(file: Path) -> list[Problem]:
    """Everything that is wrong in the files, also where the configuration itself has errors: the rest of it is still read."""
    from hub.flow.check import problems_of
    from hub.registry import Registry

    settings, found = read_what_can_be_read(file)
    if settings is None:
        return found
    registry = Registry()
    found += problems_of(settings, registry)
    found += _nowhere(settings, registry, found)
    return list(dict.fromkeys(one for one in found if not _follows(one, found)))


def _follows(problem: Problem, found: list[Problem]) -> bool:
    """Whether options do not fit together only because a secret among them could not be read."""
    inside = f"{problem.path}."
    is_whole = problem.path.endswith(".options")
    return is_whole and any(one.path.startswith(inside) and one.message.startswith(UNREADABLE) for one in found)


def read_what_can_be_read(file: Path) -> tuple[Settings | None, list[Problem]]:
    """The settings without what is wrong in them, and what that is; None where nothing can be read."""
    from pydantic import ValidationError

    from hub.config.settings import Settings, load_settings, problems, read_toml

    try:
        return load_settings(file), []
    except ConfigError as error:
        found = error.problems
    try:
        raw = read_toml(file)
    except ConfigError:
        return None, found
    try:
        Settings.model_validate({**raw, "file": file})
    except ValidationError as error:
        for one in error.errors(include_url=False):
            _prune(raw, one["loc"])
        found = problems(error, file=str(file), model=Settings)
    try:
        return Settings.model_validate({**raw, "file": file}), found
    except ValidationError:
        return None, found


def _prune(raw: dict[str, Any], loc: tuple[int | str, ...]) -> None:
    """Take out the value at a place; the deepest table of the way where the value is one that is missing."""
    walked: list[tuple[Any, int | str]] = []
    node: Any = raw
    for part in loc:
        if not isinstance(node, dict) or part not in node:
            break
        walked.append((node, part))
        node = node[part]
    if walked:
        table, name = walked[-1]
        table.pop(name, None)


def _nowhere(settings: Settings, registry: Registry, found: list[Problem]) -> Iterator[Problem]:
    """Rules that deliver to what is not configured, where other errors kept the rules from being held against it."""
    from hub.config.rulebook import read_rules
    from hub.runtime import mapping_specs

    file = settings.folder / settings.files.rules
    try:
        rules = read_rules(file)
    except ConfigError:
        return
    told = " ".join(one.message for one in found)
    mappings = {name: mapping_specs(settings, registry, name, []) for name in settings.destinations}
    for rule in rules:
        for number, (name, mapping) in enumerate(((one.destination, one.mapping) for one in rule.deliver), 1):
            place = f'rule "{rule.name}" deliver[{number}]'
            if f"{name} has no mapping {mapping}" in told:
                continue
            if name not in mappings:
                yield Problem(str(file), place, f"there is no destination '{name}'", _near(name, mappings))
            elif mappings[name] and mapping not in mappings[name]:
                yield Problem(str(file), place, f"{name} has no mapping '{mapping}'", _near(mapping, mappings[name]))


def _near(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, known := list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known) or 'none'}"


def _tried(file: Path) -> list[dict[str, Any]]:
    from hub.flow.check import try_connections

    with opened(file, level="CRITICAL", makes=True) as hub:
        return [
            {"where": one.connection, "fine": one.fine, "message": one.message, "hint": None}
            for one in try_connections(hub)
        ]


def _place(problem: Problem) -> str:
    return f"{problem.file}: {problem.path}" if problem.path else problem.file


def _report(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        mark = show.paint("fine ", "green") if row["fine"] else show.paint("wrong", "red")
        show.say(f"{mark}  {show.safe(row['where'])}: {show.safe_lines(row['message'])}")
        if row["hint"]:
            show.say(f"       {show.safe_lines(row['hint'])}", "dim")
    wrong = sum(not row["fine"] for row in rows)
    show.say(f"{wrong} wrong" if wrong else "the configuration is right", "red" if wrong else "green")


COMMANDS: dict[str, Callable[..., None]] = {"check": check}
