"""How the hub does: totals, connections that do not work, processes that are alive, figures for metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from hub.core.access import Actor, demand
from hub.core.ledger import Lane
from hub.flow.decide.enrich import opening
from hub.flow.lanes import outlets
from hub.flow.monitor import snapshot
from hub.flow.monitor.snapshot import MetricValues
from hub.runtime import Hub

__all__ = ["MetricValues", "alerts", "alive", "figures", "health", "slow_figures", "totals"]
ALIVE = timedelta(seconds=45)


def totals(hub: Hub, actor: Actor) -> dict[str, Any]:
    """Return how much there is of everything. It reads whole tables: ask now and then, not for each page."""
    demand(actor, "health.see")
    networks = hub.store.signals.totals()
    waiting, broken = hub.store.inbox.open_counts()
    return {
        "signals": {
            "total": sum(total for total, _ in networks.values()),
            "matched": sum(matched for _, matched in networks.values()),
            "networks": {name: total for name, (total, _) in networks.items()},
        },
        "raw": {"waiting": waiting, "failed": broken},
        "deliveries": {
            name: dict(sorted(states.items())) for name, states in sorted(hub.store.outbox.counts().items())
        },
    }


def health(hub: Hub, actor: Actor) -> dict[str, Any]:
    """Return connections that are paused, those that failed or have no plugin, enrichers that open, and processes alive."""
    demand(actor, "health.see")
    now = hub.now()
    known = {*hub.settings.sources, *outlets(hub), *(str(Lane("changes", name)) for name in hub.settings.destinations)}
    paused = [
        {"connection": one["name"], "reason": one["reason"], "since": one["at"], "until": one["paused_until"]}
        for one in hub.store.connections.pauses(now=now)
        if one["name"] in known
    ]
    names = ("source", "failures", "error", "polled_at", "due_at")
    failing = [
        {name: row[name] for name in names}
        for row in hub.store.cursors.list()
        if row["error"] and row["source"] in known
    ]
    failing += _without_plugin(hub)
    beats = hub.store.connections.beats(since=now - ALIVE)
    living = [{"name": one["name"], "role": one["role"], "at": one["at"]} for one in beats]
    known_now = {"now": now, "paused": paused, "failing": failing, "alive": living, "opening": opening(hub)}
    known_now["ahead"] = hub.store.figures.ahead(now=now)._asdict()
    found: dict[str, Any] = msgspec.to_builtins({**known_now, "way_out": "hub check"})
    return found


def _without_plugin(hub: Hub) -> list[dict[str, Any]]:
    """Return the enabled connections whose plugin is not installed, as failing ones; no plugin is loaded for that."""
    sections = {**hub.settings.destinations, **hub.settings.sources}
    absent = sorted(name for name, one in sections.items() if one.enabled and one.plugin not in hub.registry.names)
    why = "no installed package provides its plugin '{}'"
    return [
        {"source": name, "failures": 0, "error": why.format(sections[name].plugin), "polled_at": None, "due_at": None}
        for name in absent
    ]


def alive(hub: Hub, actor: Actor) -> list[str]:
    """Return the names of the processes that gave a sign of life lately."""
    demand(actor, "health.see")
    return [beat["name"] for beat in hub.store.connections.beats(since=hub.now() - ALIVE)]


def alerts(hub: Hub, actor: Actor) -> list[dict[str, Any]]:
    """Return the alerts that are open, the oldest first."""
    demand(actor, "alerts.see")
    return snapshot.shown_alerts(hub.store.alerts.all())


def figures(hub: Hub, actor: Actor) -> MetricValues:
    """Return figures that are read over small indexes."""
    demand(actor, "health.see")
    return snapshot.figures(hub)


def slow_figures(hub: Hub, actor: Actor) -> dict[str, Any]:
    """Return figures for which whole tables are read."""
    demand(actor, "health.see")
    return snapshot.slow_figures(hub)
