"""How the hub does: totals, connections that do not work, processes that are alive, figures for metrics."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from hub.core.access import Actor, NotAllowed, Scope, demand
from hub.core.ledger import Lane
from hub.core.reading.mask import as_seen
from hub.flow.lanes import outlets
from hub.flow.monitor import life, snapshot
from hub.flow.monitor.alerts import MOST_REFUSED
from hub.flow.monitor.snapshot import MetricValues
from hub.runtime import Hub

__all__ = ["MetricValues", "alerts", "figures", "health", "slow_figures", "totals"]


def totals(hub: Hub, actor: Actor) -> dict[str, Any]:
    """Return how much there is of everything. It reads whole tables: ask now and then, not for each page."""
    demand(actor, "health.see")
    networks = hub.store.signals.totals(actor.sight)
    waiting, broken = hub.store.inbox.open_counts(actor.sight)
    return {
        "signals": {
            "total": sum(total for total, _ in networks.values()),
            "matched": sum(matched for _, matched in networks.values()),
            "networks": {name: total for name, (total, _) in networks.items()},
        },
        "raw": {
            "waiting": waiting,
            "failed": broken,
            "unlabelled": hub.store.inbox.count_marks() if actor.sight.is_whole else 0,
        },
        "deliveries": {
            name: dict(sorted(states.items())) for name, states in sorted(hub.store.outbox.counts(actor.sight).items())
        },
    }


def health(hub: Hub, actor: Actor) -> dict[str, Any]:
    """Return connections that are paused, those that failed or have no plugin, enrichers that open, and processes alive."""
    from hub.flow.decide.enrich import opening  # noqa: PLC0415 - a list of alerts needs none of it

    demand(actor, "health.see")
    now = hub.now()
    known = {*hub.settings.sources, *outlets(hub), *(str(Lane("changes", name)) for name in hub.settings.destinations)}
    paused = [
        {
            "connection": one["name"],
            "reason": _words(actor, one["reason"]),
            "since": one["at"],
            "until": one["paused_until"],
        }
        for one in hub.store.connections.pauses(now=now)
        if one["name"] in known and not _hides(hub, actor, one["name"])
    ]
    names = ("source", "failures", "error", "polled_at", "due_at")
    failing = [
        {name: row[name] for name in names}
        for row in hub.store.cursors.list()
        if row["error"] and row["source"] in known
    ]
    failing += _without_plugin(hub)
    beats = snapshot.recent_beats(hub)
    failing += _broken(hub, beats, {row["source"] for row in failing})
    failing = [
        {**row, "error": _words(actor, row["error"])} for row in failing if not _hides(hub, actor, row["source"])
    ]
    runs = ("name", "role", "at", "version", "activation")
    living = [{name: getattr(one, name) for name in runs} for one in life.living(beats, now)]
    held = hub.store.hold.get()
    found: dict[str, Any] = msgspec.to_builtins(
        {
            "now": now,
            "paused": paused,
            "failing": failing,
            "refused": [row for row in _refused(hub) if not _hides(hub, actor, row["source"])],
            "alive": living,
            "opening": opening(hub),
            "ahead": hub.store.figures.ahead(now=now)._asdict() if actor.sight.is_whole else None,
            "held": held.why if held else "",
            "way_out": "hub check",
        }
    )
    return found


def _broken(hub: Hub, beats: Sequence[life.Beat], known: Collection[str]) -> list[dict[str, Any]]:
    """Return the connections that this process, or another that is alive, cannot have, as failing ones."""
    found = {place.partition(".")[2]: why for place, why in snapshot.broken(hub, beats).items()}
    return [
        {"source": name, "failures": 0, "error": why, "polled_at": None, "due_at": None}
        for name, why in sorted(found.items())
        if name not in known
    ]


def _without_plugin(hub: Hub) -> list[dict[str, Any]]:
    """Return the enabled connections whose plugin is not installed, as failing ones; no plugin is loaded for that."""
    sections = {**hub.settings.destinations, **hub.settings.sources}
    absent = sorted(name for name, one in sections.items() if one.enabled and one.plugin not in hub.registry.names)
    why = "no installed package provides its plugin '{}'"
    return [
        {"source": name, "failures": 0, "error": why.format(sections[name].plugin), "polled_at": None, "due_at": None}
        for name in absent
    ]


def _refused(hub: Hub) -> list[dict[str, Any]]:
    """Return the connections none of whose calls is taken now, with the status that they hear."""
    found = snapshot.refused(hub).items()
    return [
        {"source": name, "status": one.status, "calls": one.calls, "since": one.since}
        for name, one in found
        if one.calls >= MOST_REFUSED
    ]


def alerts(hub: Hub, actor: Actor) -> list[dict[str, Any]]:
    """Return the alerts that are open, the oldest first."""
    demand(actor, "alerts.see")
    shown = snapshot.shown_alerts(hub.store.alerts.all())
    seen = [one for one in shown if not _hides(hub, actor, one["key"].partition(":")[2])]
    return [{**one, "text": _words(actor, one["text"])} for one in seen]


def figures(hub: Hub, actor: Actor) -> MetricValues:
    """Return figures that are read over small indexes."""
    _demand_whole(actor)
    return snapshot.figures(hub)


def slow_figures(hub: Hub, actor: Actor) -> dict[str, Any]:
    """Return figures for which whole tables are read."""
    _demand_whole(actor)
    return snapshot.slow_figures(hub)


def _demand_whole(actor: Actor) -> None:
    demand(actor, "health.see")
    if actor.sight.sources is not None or actor.sight.brands is not None:
        raise NotAllowed(
            f"metrics are of the whole hub, and {actor.name} sees a part of it: use a key of one who sees all"
        )


def _words(actor: Actor, text: str | None) -> Any:
    """Return what another side said as the actor may read it: it may quote an address or a number."""
    return as_seen(actor.sight, text)


def _hides(hub: Hub, actor: Actor, name: str) -> bool:
    """Return True if a connection is, or answers at, a source that the actor does not see."""
    source = name.rpartition("/")[2]
    return source in hub.settings.sources and not actor.sight.sees(Scope(source))
