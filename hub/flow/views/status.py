"""One look at the whole hub: what runs, what waits, what is wrong, which versions, how much room."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from hub.config.rulebook import files_digest
from hub.core.access import Actor, NotAllowed, demand
from hub.core.ledger import Lane
from hub.flow.lanes import outlet_works
from hub.flow.monitor import life, snapshot
from hub.flow.monitor.pulse import program
from hub.runtime import Hub
from hub.store.activations import Activation
from hub.store.database import HEAD

LATE = timedelta(minutes=15)
"""What is due for so long and was not done waits for something."""
PAUSED_FOR = timedelta(minutes=1)
SETTLING = timedelta(seconds=30)
"""By then each process runs what was activated."""
LEAST_FREE = 500 * 1024 * 1024


class Process(msgspec.Struct, frozen=True):
    """A process that lives, since when, and what it runs; `activation` is None if it needs no rules."""

    name: str
    role: str
    since: datetime
    at: datetime
    version: str
    activation: int | None


class Backlog(msgspec.Struct, frozen=True):
    """What waits in a lane, and since when the oldest is due."""

    lane: str
    waiting: int
    oldest: datetime | None


class ConnectionState(msgspec.Struct, frozen=True):
    """How a connection stands, and why."""

    name: str
    kind: str
    plugin: str
    state: str
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Active(msgspec.Struct, frozen=True):
    """The rules, topics and mappings that are in force; `files` is same, different or absent."""

    activation: int
    at: datetime
    by: str
    rules: str
    topics: str
    mappings: int
    files: str


class Versions(msgspec.Struct, frozen=True):
    """The program, the database's kind and revision, and the configured plugins with their versions."""

    program: str
    database: str
    revision: str
    plugins: dict[str, str]


class Disk(msgspec.Struct, frozen=True):
    """The data folder, how much room is left there, and how large the database is, in bytes."""

    data: str
    free: int | None
    database: int


class Status(msgspec.Struct, frozen=True):
    """The whole; `attention` says in sentences what needs a person, and is empty if all is well.

    `unlabelled` counts the signals that were decided without an enricher and are labelled later.
    """

    now: datetime
    attention: list[str]
    held: str
    processes: list[Process]
    active: Active | None
    backlog: list[Backlog]
    connections: list[ConnectionState]
    alerts: list[dict[str, Any]]
    versions: Versions
    disk: Disk
    unlabelled: int = 0


def status(hub: Hub, actor: Actor) -> Status:
    """Return how the hub does now; only small indexes are read. It is of the whole hub. Raises NotAllowed for who sees a part."""
    demand(actor, "health.see")
    if not actor.sight.is_whole:
        raise NotAllowed(f"this is of the whole hub, and {actor.name} sees a part of it")
    now, beats = hub.now(), snapshot.recent_beats(hub)
    held = hub.store.hold.get()
    current = hub.store.activations.current()
    found = Status(
        now,
        [],
        held.why if held else "",
        _alive(beats, now),
        _active(hub, current),
        list(_backlog(hub)),
        list(_connections(hub, life.broken(beats, now))),
        snapshot.shown_alerts(hub.store.alerts.all()),
        _versions(hub),
        _disk(hub),
        hub.store.inbox.count_marks(),
    )
    return msgspec.structs.replace(found, attention=list(_attention(hub, found, life.restarting(beats, now))))


def processes(hub: Hub, actor: Actor) -> list[Process]:
    """Return the processes that are alive, with what each runs."""
    demand(actor, "health.see")
    return _alive(snapshot.recent_beats(hub), hub.now())


def _alive(beats: Iterable[life.Beat], now: datetime) -> list[Process]:
    alive = sorted(life.living(beats, now), key=lambda one: (one.role, one.name))
    return [Process(one.name, one.role, one.since, one.at, one.version, one.activation) for one in alive]


def _active(hub: Hub, current: Activation | None) -> Active | None:
    if current is None:
        return None
    book = current.book
    files = _files(hub, current)
    return Active(current.id, current.at, current.actor, book.rules[:8], book.topics[:8], len(book.mappings), files)


def _files(hub: Hub, current: Activation) -> str:
    written = files_digest(hub.settings)
    return "absent" if not written else "same" if written == current.book.files else "different"


def _backlog(hub: Hub) -> Iterator[Backlog]:
    unread, oldest = hub.store.figures.unread()
    yield Backlog("process", unread, oldest)
    for name, (waiting, since) in sorted(hub.store.figures.waiting().items()):
        yield Backlog(f"deliver {name}", waiting, since)


def _connections(hub: Hub, broken: Mapping[str, str]) -> Iterator[ConnectionState]:
    """Yield each connection; `broken` says why a process that is alive cannot have it, by place. Here no plugin is loaded."""
    now = hub.now()
    pauses = {row["name"]: row for row in hub.store.connections.pauses(now=now)}
    cursors = {row["source"]: row for row in hub.store.cursors.list()}
    for kind, sections in (("source", hub.settings.sources), ("destination", hub.settings.destinations)):
        for name, section in sections.items():
            lane = str(Lane("reply", name)) if kind == "source" else name
            cursor = cursors.get(name if kind == "source" else str(Lane("changes", name)))
            is_known = section.plugin in hub.registry.names
            why = broken.get(f"{kind}s.{name}", "") if is_known else "no installed package provides its plugin"
            state = _state(section.enabled, why, pauses.get(lane), cursor)
            yield ConnectionState(name, kind, section.plugin, **state)


def _state(enabled: bool, broken: str, pause: Any, cursor: Any) -> dict[str, Any]:
    if not enabled:
        return {"state": "off"}
    if broken:
        return {"state": "failing", "reason": broken}
    if pause is not None:
        return {
            "state": pause["state"],
            "reason": pause["reason"] or "",
            "since": pause["at"],
            "until": pause["paused_until"],
        }
    if cursor is not None and cursor["error"]:
        return {"state": "failing", "reason": cursor["error"], "since": cursor["polled_at"], "until": cursor["due_at"]}
    return {"state": "ok", "since": cursor["polled_at"] if cursor else None}


def _versions(hub: Hub) -> Versions:
    sections = (*hub.settings.sources.values(), *hub.settings.destinations.values(), *hub.settings.enrichers.values())
    names = sorted({section.plugin for section in sections})
    plugins = {name: " ".join(hub.registry.provider(name)).strip() for name in names}
    kind = "SQLite" if hub.store.database.is_sqlite else "PostgreSQL"
    return Versions(program(), kind, HEAD, plugins)


def _disk(hub: Hub) -> Disk:
    data: Path = hub.settings.data
    free = shutil.disk_usage(data).free if data.is_dir() else None
    return Disk(str(data), free, hub.store.figures.size())


def _attention(hub: Hub, found: Status, restarting: Iterable[str]) -> Iterator[str]:
    """Yield what needs a person, in sentences."""
    if found.held:
        yield f"nothing is sent: {found.held}"
    yield from _of_processes(found, restarting)
    yield from (f"{one['severity']}: {one['text']}" for one in found.alerts)
    for one in found.connections:
        lasts = one.until is None or one.until - found.now > PAUSED_FOR
        if one.state not in ("ok", "off") and lasts and not _is_told(one, found):
            yield f"{one.kind} {one.name} is {one.state}: {one.reason}"
    for backlog in found.backlog:
        if (
            backlog.oldest is not None
            and found.now - backlog.oldest > LATE
            and not found.held
            and _is_worked(hub, backlog)
        ):
            yield f"{backlog.lane}: {backlog.waiting} wait, the oldest since {backlog.oldest:%Y-%m-%d %H:%M} UTC"
    if found.disk.free is not None and found.disk.free < LEAST_FREE:
        yield f"only {found.disk.free // 1024**2} MB are free in {found.disk.data}"
    if found.active is not None and found.active.files == "absent":
        yield "files of rules or topics are not there (`hub check`): what was activated before runs"


def _is_worked(hub: Hub, backlog: Backlog) -> bool:
    lane, _, name = backlog.lane.partition(" ")
    return lane != "deliver" or outlet_works(hub, name)


def _is_told(one: ConnectionState, found: Status) -> bool:
    lane = str(Lane("reply", one.name)) if one.kind == "source" else one.name
    return any(alert["key"].partition(":")[2] in (lane, one.name) for alert in found.alerts)


def _of_processes(found: Status, restarting: Iterable[str]) -> Iterator[str]:
    roles = {one.role for one in found.processes}
    if not roles:
        yield "nothing runs: no process has given a sign of life in the last 45 seconds (`hub up` starts all)"
        return
    wanted = {
        "process": roles & {"process", "all"},
        "deliver": roles & {"deliver", "all"},
        "scheduler": roles & {"scheduler"},
    }
    yield from (f"no {role} runs" for role, there in wanted.items() if not there)
    yield from (f"{role} is started again and again: see its log" for role in sorted(restarting))
    for one in found.processes:
        if one.version and one.version != found.versions.program:
            yield f"{one.name} runs version {one.version}, this is {found.versions.program}"
        settled = found.active is not None and found.now - found.active.at > SETTLING
        if settled and one.activation is not None and found.active and one.activation != found.active.activation:
            yield f"{one.name} runs activation {one.activation}, active is {found.active.activation}: see its log"
