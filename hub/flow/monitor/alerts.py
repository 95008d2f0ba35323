"""What is wrong: alerts from a snapshot of the hub. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from hub.config.settings import AlertsSection
from hub.core.grammar.words import counted
from hub.core.ledger import Lane
from hub.flow.monitor.silence import is_silent
from hub.sdk.rates import Usage
from hub.store.monitor.figures import Dead

FAILURES, BUGS = 5, 3
"""Polls in a row that failed, after which a source is in trouble: by the network's fault, by a plugin's bug."""

HELD_FOR = timedelta(minutes=15)
LOST_AFTER = timedelta(minutes=2)
WAITED = timedelta(minutes=5)
REFUSED_FOR = timedelta(hours=1)
MOST_REFUSED = 3
"""Refused calls in a row, fewer of which may be a stranger's."""

WHY_REFUSED = {
    401: "they are not signed as it should be: is its secret the sender's?",
    403: "they come from a place that may not call: see its option `networks`",
    413: "they are too large: see its option `max_body`",
}
RISING = 2.0
"""So many times the usual hour's dead letters are a rise."""

SHORT_WINDOW_S = 60.0
"""A window that ends sooner is the pace's business, not a person's."""

Severity = Literal["warning", "critical"]


class Alert(msgspec.Struct, frozen=True):
    """Something that a person should know; the key stays the same while it lasts.

    `quoted` is the end of the text that is another's words, which no log may hold.
    """

    key: str
    severity: Severity
    text: str
    quoted: str = ""


class Pause(msgspec.Struct, frozen=True):
    """A connection over which nothing is sent now: paused, or its breaker open or half-open."""

    name: str
    state: str
    reason: str
    since: datetime


class Poll(msgspec.Struct, frozen=True):
    """A poll's failures in a row, with the last error."""

    failures: int
    error: str


class Arrivals(msgspec.Struct, frozen=True):
    """When a source was heard last, and the slots of five minutes in which it was heard before."""

    last: datetime
    slots: tuple[int, ...]


class Held(msgspec.Struct, frozen=True):
    """What waits at a destination for records that are dead or in review: how many, since when, and one of those records."""

    waiting: int
    since: datetime
    head: int


class RefusedCalls(msgspec.Struct, frozen=True):
    """Calls in a row that the door refused a source's senders, all with one status."""

    status: int
    calls: int
    since: datetime
    last: datetime


class Let(msgspec.Struct, frozen=True):
    """What the valve did at a destination lately."""

    review: int
    released: int


class Snapshot(msgspec.Struct, frozen=True):
    """The hub at one moment, by connection; what is not known is left out."""

    now: datetime
    pauses: tuple[Pause, ...] = ()
    blocked: Mapping[str, int] = {}
    dead: Mapping[str, Dead] = {}
    usages: Mapping[str, Usage] = {}
    polls: Mapping[str, Poll] = {}
    heard: Mapping[str, Arrivals] = {}
    refused: Mapping[str, RefusedCalls] = {}
    held: Mapping[str, Held] = {}
    let: Mapping[str, Let] = {}
    erasing: Mapping[str, Held] = {}
    sending_held: str = ""
    beats: Mapping[str, datetime] = {}
    restarting: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    waiting_since: datetime | None = None
    bell: str = ""
    broken: Mapping[str, str] = {}


def judge(snapshot: Snapshot, bounds: AlertsSection) -> list[Alert]:
    """Return all that is wrong now, by the bounds of `[alerts]`."""
    return [alert for finder in _FINDERS for alert in finder(snapshot, bounds)]


def _wait(count: int, where: str = "") -> str:
    return f"{counted(count, 'delivery')} {where}{'waits' if count == 1 else 'wait'}"


def blocked(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield connections that a person must authorise again, destinations and sources."""
    reasons = {pause.name: pause.reason for pause in snapshot.pauses}
    for name, count in snapshot.blocked.items():
        why = f": {reasons[name]}" if reasons.get(name) else ""
        yield Alert(f"blocked:{name}", "critical", f"{name} is blocked, {_wait(count)}{why}", why)
    for name, poll in snapshot.polls.items():
        if poll.error.startswith("Unauthorised"):
            key = name if "/" in name else f"sources/{name}"
            yield Alert(f"blocked:{key}", "critical", f"{_polled(name)} is blocked: {poll.error}", poll.error)


def _polled(cursor: str) -> str:
    """Return what a cursor reads, in words."""
    lane = Lane.of_cursor(cursor)
    return {
        "changes": f"what people do at {lane.name}",
        "recheck": f"the posts of {lane.name} that are looked for again",
    }.get(lane.work, f"the source {lane.name}")


def broken(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield open breakers: the other side does not answer."""
    for pause in snapshot.pauses:
        if pause.state in ("open", "half-open"):
            yield Alert(
                f"breaker:{pause.name}", "critical", f"{pause.name} does not answer: {pause.reason}", pause.reason
            )


def dying(snapshot: Snapshot, bounds: AlertsSection) -> Iterator[Alert]:
    """Yield destinations with more dead letters than usual."""
    for name, dead in snapshot.dead.items():
        if dead.hour >= bounds.dead_letters and dead.hour > RISING * dead.day / 24:
            yield Alert(f"dead:{name}", "warning", f"dead letters rise at {name}: {dead.hour} in the last hour")


def scarce(snapshot: Snapshot, bounds: AlertsSection) -> Iterator[Alert]:
    """Yield quotas that are nearly used up."""
    for name, usage in snapshot.usages.items():
        short = usage.resets_in is not None and usage.resets_in < SHORT_WINDOW_S
        if usage.limit > 0 and usage.used > bounds.quota * usage.limit and not short:
            share = f"{usage.used} of {usage.limit} calls are used ({usage.used / usage.limit:.0%})"
            yield Alert(f"quota:{name}", "warning", f"the quota of {name} runs out: {share}")


def silent(snapshot: Snapshot, bounds: AlertsSection) -> Iterator[Alert]:
    """Yield sources that are silent against their own rhythm."""
    for name, heard in snapshot.heard.items():
        if is_silent(heard.slots, heard.last, snapshot.now, floor=bounds.silence):
            text = (
                f"the source {name} is silent: nothing since {heard.last:%Y-%m-%d %H:%M} UTC, which it usually is not"
            )
            yield Alert(f"silent:{name}", "warning", text)


def failing(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield sources that cannot be read, time after time."""
    for name, poll in snapshot.polls.items():
        most = BUGS if poll.error.startswith("bug:") else FAILURES
        if poll.failures >= most and not poll.error.startswith("Unauthorised"):
            text = f"{_polled(name)} could not be read {poll.failures} times in a row: {poll.error}"
            yield Alert(f"poll:{name}", "warning", text, poll.error)


def refusing(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield connections whose senders are refused, each time for an hour: what they send is lost."""
    for name, one in snapshot.refused.items():
        lasts = one.last - one.since >= REFUSED_FOR and snapshot.now - one.last < REFUSED_FOR
        if lasts and one.calls >= MOST_REFUSED and one.status in WHY_REFUSED:
            text = (
                f"all {one.calls} calls for {name} since {one.since:%Y-%m-%d %H:%M} UTC were refused with {one.status}: "
                f"{WHY_REFUSED[one.status]}"
            )
            yield Alert(f"refused:{name}", "warning", text)


def holding(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield what waits for records that need a person, and what the valve let go."""
    for name, held in snapshot.held.items():
        if snapshot.now - held.since >= HELD_FOR:
            text = f"{_wait(held.waiting, f'to {name} ')} for records that need a person, such as delivery {held.head}"
            yield Alert(f"held:{name}", "warning", text)
    for name, let in snapshot.let.items():
        ways = ((let.review, "left to a person"), (let.released, "sent without what they waited for"))
        told = " and ".join(f"{count} were {way}" for count, way in ways if count)
        yield Alert(f"valve:{name}", "warning", f"deliveries to {name} waited too long: {told}")


def stopped(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield that nothing is sent, since the hub was restored and no person has let it go on."""
    if snapshot.sending_held:
        yield Alert("sending", "critical", f"nothing is sent: {snapshot.sending_held}")


def undecided(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield erasures that wait for a person: what must be forgotten may still be there."""
    for name, held in snapshot.erasing.items():
        text = f"{held.waiting} erasures at {name} wait for a person: delivery {held.head} is in doubt"
        yield Alert(f"erasure:{name}", "critical", text)


def lost(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield workers that have something to do and give no sign of life."""
    for role in sorted(snapshot.due):
        beat = snapshot.beats.get(role)
        stand_in = snapshot.beats.get("all", beat) if role in ("process", "deliver") else beat
        if beat is not None and stand_in is not None and snapshot.now - max(beat, stand_in) > LOST_AFTER:
            since = f"{beat:%Y-%m-%d %H:%M} UTC"
            yield Alert(
                f"worker:{role}", "critical", f"no {role} worker has given a sign of life since {since}, and work waits"
            )


def restarting(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield parts that end just after their start, again and again."""
    for role in sorted(snapshot.restarting):
        text = f"the {role} process is started again and again, and ends just after its start: its log says why"
        yield Alert(f"restart:{role}", "critical", text)


def slow(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield posts that wait although workers may be alive: they do not keep up, or hang."""
    since = snapshot.waiting_since
    if since is not None and snapshot.now - since > WAITED:
        text = f"what came in waits to be processed since {since:%Y-%m-%d %H:%M} UTC"
        yield Alert("waiting:process", "warning", text)


def unheard(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield a bell that reaches no worker."""
    if snapshot.bell:
        text = f"Redis cannot be used: {snapshot.bell}; workers ask the database every few seconds until it can"
        yield Alert("bell", "critical", text)


def absent(snapshot: Snapshot, _: AlertsSection) -> Iterator[Alert]:
    """Yield connections whose plugin cannot be had, or that cannot be made by their options."""
    found: dict[str, list[str]] = {}
    for place, reason in sorted(snapshot.broken.items()):
        found.setdefault(place.partition(".")[2], []).append(f"{place}: {reason}")
    for name, reasons in found.items():
        yield Alert(f"plugin:{name}", "critical", f"{name} cannot work, what is for it waits: {'; '.join(reasons)}")


Finder = Callable[[Snapshot, AlertsSection], Iterator[Alert]]
_FINDERS: tuple[Finder, ...] = (
    *(blocked, broken, dying, scarce, silent, failing, refusing, holding, undecided),
    *(lost, restarting, slow, unheard, absent, stopped),
)
