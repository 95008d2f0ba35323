"""`hub status`: one screen; `hub reload`: rules, topics and mappings put in force in all processes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from hub.cli import show
from hub.cli.opened import me, opened
from hub.cli.signals import Json
from hub.core.grammar.words import counted

if TYPE_CHECKING:
    from hub.flow.views.status import Process, Status
    from hub.runtime import Hub

WAIT_S = 25.0
LOOK_S = 0.5


def status(context: typer.Context, *, as_json: Json = False) -> None:
    """Show on one screen what runs, what waits, what is wrong, which versions, how much room.

    Exit code 0 if all is well, 1 if something needs a person (it is said first).
    """
    from hub.flow.views import status as views

    with opened(context.obj) as hub:
        found = views.status(hub, me())
    if as_json:
        show.print_json(msgspec.to_builtins(found))
    else:
        _print(found)
    if found.attention:
        raise typer.Exit(1)


def _print(found: Status) -> None:
    if found.attention:
        show.say("needs attention", "red")
        for line in found.attention:
            show.say(f"  {show.safe_lines(line)}", "red")
    else:
        show.say("all is well", "green")
    _part("processes", [_process(one) for one in found.processes], "nothing runs")
    backlog = [f"{one.lane}: {one.waiting} wait{_since(one.oldest, found.now)}" for one in found.backlog if one.waiting]
    if found.unlabelled:
        backlog.append(
            f"{counted(found.unlabelled, 'signal')} to be labelled later: an enricher could not work on what was said"
        )
    _part("backlog", backlog, "nothing waits")
    _part("connections", [_connection(one) for one in found.connections], "none is configured")
    _part("rules", [_active(found)], "")
    _part("versions", _versions(found), "")
    free = "" if found.disk.free is None else f", {_size(found.disk.free)} free"
    _part("disk", [f"database {_size(found.disk.database)}, data folder {found.disk.data}{free}"], "")


def _part(title: str, lines: Sequence[str], empty: str) -> None:
    show.say(title, "bold")
    for line in lines or [empty]:
        show.say(f"  {show.safe(line)}")


def _process(one: Process) -> str:
    rules = "" if one.activation is None else f", rules of activation {one.activation}"
    return f"{one.name}: since {show.cell(one.since)} UTC, version {one.version or 'unknown'}{rules}"


def _since(oldest: datetime | None, now: datetime) -> str:
    if oldest is None or oldest > now:
        return ""
    return f", the oldest since {show.cell(oldest)} UTC"


def _connection(one: Any) -> str:
    reason = f": {one.reason}" if one.reason else ""
    until = f" (until {show.cell(one.until)} UTC)" if one.until and one.state != "ok" else ""
    return f"{one.kind} {one.name} ({one.plugin}) {one.state}{reason}{until}"


def _active(found: Status) -> str:
    one = found.active
    if one is None:
        return "none were activated yet: the first start does"
    files = {
        "same": "",
        "different": "; the files differ: `hub reload` activates them",
        "absent": "; files are not there",
    }
    parts = f"rules {one.rules}, topics {one.topics}, {counted(one.mappings, 'mapping')}"
    return f"activation {one.activation} of {show.cell(one.at)} UTC by {one.by}: {parts}{files[one.files]}"


def _versions(found: Status) -> list[str]:
    one = found.versions
    plugins = ", ".join(f"{name} ({provider})" if provider else name for name, provider in one.plugins.items())
    return [f"hubbub {one.program}, {one.database} revision {one.revision}", f"plugins: {plugins or 'none'}"]


def _size(count: int) -> str:
    return f"{count / 1024**3:.1f} GB" if count >= 1024**3 else f"{count / 1024**2:.1f} MB"


def reload(context: typer.Context) -> None:
    """Check rules, topics and mappings and put them in force in all processes; with errors what is active stays.

    config.toml itself (connections, ports) is read at a start only. Exit code 1 if a process does not follow.
    """
    from hub.flow.actions import rules

    with opened(context.obj) as hub:
        done = rules.activate(hub, me())
        if done.changed:
            show.say(f"activation {done.id}: {', '.join(done.changed)}")
        else:
            show.say(f"nothing has changed: activation {done.id} is in force")
        behind = _wait(hub, done.id)
    for one in behind:
        show.fail(f"{one.name} still runs activation {one.activation}: its log says why")
    if behind:
        raise typer.Exit(1)


def _wait(hub: Hub, number: int) -> list[Process]:
    """Wait until all processes run an activation; returns those that do not."""
    from hub.flow.views.status import processes

    end = time.monotonic() + WAIT_S
    while True:
        found = [one for one in processes(hub, me()) if one.activation is not None]
        behind = [one for one in found if one.activation != number]
        if not behind or time.monotonic() > end:
            break
        time.sleep(LOOK_S)
    for one in found:
        if one.activation == number:
            show.say(f"{one.name} runs it")
    if not found:
        show.say("no process runs now: the next start takes it up")
    return behind
