"""Is the hub ready: can posts be stored, and is something there that processes them?

A stranger may read it: it names what is wrong by a word and in general, never a path, a host or a connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import msgspec

from hub.core.access import Actor, demand
from hub.core.errors import HubError
from hub.core.grammar.words import counted
from hub.flow.intake.poll import streaming_sources
from hub.flow.monitor import life
from hub.flow.monitor.snapshot import broken, recent_beats, why_unheard
from hub.runtime import Hub

Stops = Literal["accepts", "processes", ""]
LONG = timedelta(minutes=5)
NO_ROOM, LITTLE_ROOM = 256 * 1024, 20 * 1024 * 1024
_SAID = (("full", "the disk is full"), ("locked", "it is locked"), ("read", "it cannot be written"))


class Cause(msgspec.Struct, frozen=True):
    """Something that is wrong: `stops` says what it keeps the hub from, "" if it only makes it slower or poorer."""

    cause: str
    text: str
    stops: Stops = ""


class Readiness(msgspec.Struct, frozen=True):
    """How ready the hub is: it accepts if posts can be stored, it processes if they do not stay there."""

    causes: tuple[Cause, ...] = ()
    alive: tuple[str, ...] = ()

    @property
    def accepts(self) -> bool:
        """True if what comes in is stored."""
        return not any(one.stops == "accepts" for one in self.causes)

    @property
    def processes(self) -> bool:
        """True if what is stored is processed."""
        return self.accepts and not any(one.stops == "processes" for one in self.causes)

    @property
    def status(self) -> str:
        """The whole in a word."""
        return "unavailable" if not self.processes else "degraded" if self.causes else "ok"


def readiness(hub: Hub, actor: Actor) -> Readiness:
    """Try to write, and look who is alive."""
    demand(actor, "health.see")
    try:
        hub.store.figures.probe()
        room = hub.store.figures.free_bytes()
        if room is not None and room < NO_ROOM:  # what was freed within the database's files may still take a little
            return Readiness((Cause("disk", "posts cannot be stored: the disk is full", "accepts"),))
        beats, now = recent_beats(hub), hub.now()
        causes = (*_missing(hub, beats), *_poorer(hub, beats))
    except (HubError, OSError) as error:
        return Readiness((Cause("database", f"posts cannot be stored: {_why(error)}", "accepts"),))
    return Readiness(causes, tuple(one.name for one in life.living(beats, now)))


def _why(error: Exception) -> str:
    """Return the reason in general words."""
    return next((said for word, said in _SAID if word in str(error).lower()), "the database does not answer")


def _missing(hub: Hub, beats: list[life.Beat]) -> Iterator[Cause]:
    """Yield the parts without which nothing that is stored is processed."""
    living = {one.role for one in life.living(beats, hub.now())}
    unsteady = life.restarting(beats, hub.now())
    for role in sorted(_needed(hub)):
        if not living & {role, "all" if role in ("process", "deliver") else role}:
            what = "ends just after each start" if role in unsteady else "gives no sign of life"
            yield Cause(role, f"no {role} process works: it {what}", "processes")


def _needed(hub: Hub) -> set[str]:
    """Return the roles that this configuration cannot do without."""
    roles = {"process", "scheduler"}
    if any(one.enabled for one in hub.settings.destinations.values()):
        roles.add("deliver")
    if streaming_sources(hub):
        roles.add("listen")
    return roles


def _poorer(hub: Hub, beats: list[life.Beat]) -> Iterator[Cause]:
    """Yield what makes the hub slower or poorer."""
    room = hub.store.figures.free_bytes()
    if room is not None and room < LITTLE_ROOM:
        yield Cause("disk", f"{room // 1024} kB are left on the database's disk")
    if why_unheard(hub):
        yield Cause("bell", "Redis cannot be used: workers ask the database every few seconds")
    if count := len(broken(hub, beats)):
        yield Cause("plugin", f"{counted(count, 'connection')} cannot work: `hub check` and the page say which")
    since = hub.store.inbox.due_since(now=hub.now())
    if since is not None and hub.now() - since > LONG:
        yield Cause("waiting", f"what came in waits since {since:%Y-%m-%d %H:%M} UTC")
