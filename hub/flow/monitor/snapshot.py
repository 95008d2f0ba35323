"""The snapshot that alerts are judged by, and the figures that metrics show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub.core.errors import HubError
from hub.core.ledger import IN_DEAD_END, Lane
from hub.flow.intake.poll import streaming_sources, usable, usable_destination, usable_source
from hub.flow.lanes import outlets, why_off
from hub.flow.monitor import life
from hub.flow.monitor.alerts import Arrivals, Held, Let, Pause, Poll, RefusedCalls, Snapshot
from hub.runtime import Hub
from hub.sdk.rates import Usage
from hub.store.monitor.alerts import Kept

VALVE = "valve"
LATELY = timedelta(hours=1)
MOST_ENTRIES = 1000


def look(hub: Hub, *, arrivals_known: bool) -> Snapshot:
    """Take a snapshot of the hub. Sources are not judged while not all of their arrivals are counted."""
    now, figures = hub.now(), hub.store.figures
    beats = recent_beats(hub)
    names = set(outlets(hub))
    blocked = {
        name: count
        for name, count in figures.blocked().items()
        if name in names or Lane.of_outlet(name).work == "reply"
    }
    return Snapshot(
        now,
        pauses=(*(pause for pause in pauses(hub) if pause.name in names), *off(hub, blocked)),
        blocked=blocked,
        dead=figures.dead(now=now),
        usages=usages(hub),
        polls=polls(hub),
        heard=heard(hub) if arrivals_known else {},
        refused=refused(hub),
        held={name: one for name in hub.settings.destinations if (one := held(hub, name))},
        let=let_go(hub),
        erasing=erasing(hub),
        sending_held=stopped.why if (stopped := hub.store.hold.get()) else "",
        beats=figures.last_beats(),
        restarting=life.restarting(beats, now),
        due=roles_due(hub),
        waiting_since=hub.store.inbox.due_since(now=now),
        bell=why_unheard(hub),
        broken=broken(hub, beats),
    )


def recent_beats(hub: Hub) -> list[life.Beat]:
    """Return the signs of life that say who is alive, and who is started again and again."""
    return [life.read_beat(row) for row in hub.store.connections.beats(since=hub.now() - life.LATELY)]


def why_unheard(hub: Hub) -> str:
    """Return why a ring would not be heard now, "" if it would."""
    try:
        hub.bell.check()
    except HubError as error:
        return str(error)
    return ""


def broken(hub: Hub, beats: Iterable[life.Beat]) -> dict[str, str]:
    """Return why enabled connections cannot be had, in this process or in another that is alive, by place."""
    return {**life.broken(beats, hub.now()), **here(hub)}


def here(hub: Hub) -> dict[str, str]:
    """Return why enabled connections cannot be had in this process, by place; each is tried again once its time has come."""
    for name in hub.settings.sources:
        usable_source(hub, name)
    for name in hub.settings.destinations:
        usable_destination(hub, name)
    for name, section in hub.settings.enrichers.items():
        if section.enabled:
            usable(hub, f"enrichers.{name}", hub.enricher)
    return {place: why for place, why in hub.broken.items() if not place.startswith("plugins.")}


def pauses(hub: Hub) -> list[Pause]:
    """Return connections over which nothing is sent now."""
    rows = hub.store.connections.pauses(now=hub.now())
    return [Pause(row["name"], row["state"], row["reason"] or "", row["at"]) for row in rows]


def off(hub: Hub, lanes: Iterable[str]) -> list[Pause]:
    """Return the sources among these connections that may not answer by now."""
    replying = [lane for lane in map(Lane.of_outlet, lanes) if lane.work == "reply"]
    reasons = {str(lane): why_off(hub, lane.name) for lane in replying}
    return [Pause(name, "off", reason, hub.now()) for name, reason in reasons.items() if reason]


def usages(hub: Hub) -> dict[str, Usage]:
    """Return what vendors said of their windows lately, by connection."""
    return hub.paces.usages()


def polls(hub: Hub) -> dict[str, Poll]:
    """Return failing polls of enabled sources, by their cursors: also of changes at destinations, and of rechecks."""
    sources = enabled_sources(hub)
    told = [name for name, section in hub.settings.destinations.items() if section.enabled]
    asked = {
        *sources,
        *(str(Lane("recheck", name)) for name in sources),
        *(str(Lane("changes", name)) for name in told),
    }
    rows = [row for row in hub.store.cursors.list() if row["error"] and row["source"] in asked]
    return {row["source"]: Poll(row["failures"], row["error"]) for row in rows}


def heard(hub: Hub) -> dict[str, Arrivals]:
    """Return when enabled sources were heard, of those that have been silent for long enough to be judged."""
    last, before = hub.store.figures.last_arrivals(), hub.now() - hub.settings.alerts.silence
    quiet = [name for name in enabled_sources(hub) if name in last and last[name] < before]
    return {name: Arrivals(last[name], tuple(hub.store.figures.slots(name))) for name in quiet}


def refused(hub: Hub) -> dict[str, RefusedCalls]:
    """Return which connections' senders are refused now, none of their calls being taken: by the status that is most frequent."""
    known, found = {*hub.settings.sources, *hub.settings.destinations}, dict[str, RefusedCalls]()
    for one in sorted(hub.store.calls.all(), key=lambda one: one.streak):
        if one.source in known and one.since is not None and one.status >= 400:
            found[one.source] = RefusedCalls(one.status, one.streak, one.since, one.last_at)
    return found


def enabled_sources(hub: Hub) -> list[str]:
    """Return the sources that should be heard."""
    return [name for name, section in hub.settings.sources.items() if section.enabled]


def held(hub: Hub, name: str) -> Held | None:
    """Return what waits at a destination for records that need a person; None if nothing does."""
    heads = [head for head in hub.store.held.heads(name, now=hub.now()) if head.state in IN_DEAD_END]
    if not heads:
        return None
    return Held(sum(head.waiting for head in heads), min(head.since for head in heads), heads[0].id)


def erasing(hub: Hub) -> dict[str, Held]:
    """Count erasures that wait for a person to decide about a record in doubt, by destination."""
    found: dict[str, Held] = {}
    for one in hub.store.held.undecided():
        first = found.get(one.destination, Held(0, one.since, one.head))
        found[one.destination] = Held(first.waiting + 1, min(first.since, one.since), first.head)
    return found


def let_go(hub: Hub) -> dict[str, Let]:
    """Return what the valve did lately, by destination."""
    review: Counter[str] = Counter()
    released: Counter[str] = Counter()
    # What gave way to a newer version of itself is nothing to be told of.
    kinds = {"review": review, "released": released}
    since = hub.now() - LATELY
    for entry in hub.store.audit.recent(action=VALVE, limit=MOST_ENTRIES):
        if entry["at"] >= since and (kind := kinds.get(entry["detail"]["to"])) is not None:
            kind[entry["subject"]] += entry["detail"]["count"]
    return {name: Let(review[name], released[name]) for name in sorted({*review, *released})}


def roles_due(hub: Hub) -> frozenset[str]:
    """Return the kinds of workers for which work waits."""
    now = hub.now()
    paused = hub.store.connections.paused(now=now)
    delivers = any(name not in paused for name in hub.store.deliveries.due(now=now))
    due = {"process": hub.store.inbox.due(now=now), "deliver": delivers, "listen": bool(streaming_sources(hub))}
    return frozenset(role for role, is_due in due.items() if is_due)


def shown_alerts(kept: Sequence[Kept]) -> list[dict[str, Any]]:
    """Return open alerts as people and programs read them."""
    names = ("key", "severity", "text", "since", "told_at")
    rows = [{name: getattr(one, name) for name in names} for one in kept if one.is_open]
    found: list[dict[str, Any]] = msgspec.to_builtins(rows)
    return found


class MetricValues(msgspec.Struct, frozen=True):
    """What the metrics show beside the page's counters: by connection, role, or state."""

    now: datetime
    connections: Sequence[str]
    dead: Mapping[str, int]
    oldest_due: Mapping[str, datetime]
    pauses: Sequence[Pause]
    usages: Mapping[str, Usage]
    arrivals: Mapping[str, datetime]
    polls: Mapping[str, Poll]
    beats: Sequence[Mapping[str, Any]]
    alerts: Mapping[str, int]
    calls: Sequence[tuple[str, int, int]]


def figures(hub: Hub) -> MetricValues:
    """Return figures that are read over small indexes."""
    now, store = hub.now(), hub.store
    return MetricValues(
        now,
        connections=outlets(hub),
        dead={name: one.total for name, one in store.figures.dead(now=now).items()},
        oldest_due=store.figures.oldest_due(now=now),
        pauses=pauses(hub),
        usages=usages(hub),
        arrivals=store.figures.last_arrivals(),
        polls=polls(hub),
        beats=store.connections.beats(since=now - timedelta(hours=1)),
        alerts=Counter(one.severity for one in store.alerts.all() if one.is_open),
        calls=[(one.source, one.status, one.calls) for one in store.calls.all()],
    )


def slow_figures(hub: Hub) -> dict[str, Any]:
    """Return figures for which whole tables are read."""
    return {"attempts": hub.store.figures.attempts(), "inbox": hub.store.inbox.counts()}
