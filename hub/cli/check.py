"""`hub check`: all that is wrong at once, each with its place and a way out; then each connection is tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli import show
from hub.cli.opened import me, opened, quieten
from hub.core.errors import Problem


def check(
    context: typer.Context,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="files only, no connection")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON array")] = False,
) -> None:
    """Tell all errors of the configuration at once; then try each connection."""
    from hub.flow.views.files import all_notes, all_problems

    quieten("CRITICAL")  # what goes wrong stands in the report
    problems = all_problems(context.obj)
    rows = [_row(one, fine=False) for one in problems]
    if not problems:
        rows += [_row(one, fine=True) for one in all_notes(context.obj)]
    if not problems and not offline:
        rows += _tried(context.obj)
    if as_json:
        show.print_json(rows)
    else:
        _report(rows)
    if any(not row["fine"] for row in rows):
        raise typer.Exit(2 if problems else 1)


def _row(problem: Problem, *, fine: bool) -> dict[str, Any]:
    return {"where": _place(problem), "fine": fine, "message": problem.message, "hint": problem.hint or None}


def _tried(file: Path) -> list[dict[str, Any]]:
    from hub.flow.actions import connections

    with opened(file, level="CRITICAL", makes=True) as hub:
        return [
            {"where": one.connection, "fine": one.fine, "message": one.message, "hint": None}
            for one in connections.check(hub, me())
        ]


def _place(problem: Problem) -> str:
    return f"{problem.file}: {problem.path}" if problem.path else problem.file


def _report(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        note = row["fine"] and row["hint"]
        mark = (
            show.paint("note ", "yellow")
            if note
            else show.paint("fine ", "green")
            if row["fine"]
            else show.paint("wrong", "red")
        )
        show.say(f"{mark}  {show.safe(row['where'])}: {show.safe_lines(row['message'])}")
        if row["hint"]:
            show.say(f"       {show.safe_lines(row['hint'])}", "dim")
    wrong = sum(not row["fine"] for row in rows)
    show.say(f"{wrong} wrong" if wrong else "the configuration is right", "red" if wrong else "green")
