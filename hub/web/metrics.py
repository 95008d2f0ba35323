"""`/metrics` for Prometheus: gauges and counters over the database and the heartbeats, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from hub.flow.views.health import MetricValues, figures
from hub.web.asker import actor
from hub.web.serving import Serving

NEEDS = "metrics need 'prometheus-client': pip install 'hubbub[metrics]'"


def make_metrics(serving: Serving) -> APIRouter:
    """Make the route, guarded like the page."""
    metrics = APIRouter(include_in_schema=False, default_response_class=Response)

    @metrics.get("/metrics")
    def show(request: Request) -> Response:
        """Return all figures in Prometheus' text format."""
        body, kind = exposition(
            lambda: families(figures(serving.hub, actor(request)), serving.counters(actor(request)), serving.slow())
        )
        return Response(body, media_type=kind)

    return metrics


def exposition(collect: Callable[[], Iterable[Any]]) -> tuple[bytes, str]:
    """Return families as text, with its media type, through a registry of their own."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - an extra
        from prometheus_client.exposition import CONTENT_TYPE_LATEST  # noqa: PLC0415 - an extra
    except ImportError:
        raise HTTPException(501, NEEDS) from None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(collect())))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Collected:
    """A collector that has collected."""

    def __init__(self, found: list[Any]) -> None:
        self._found = found

    def collect(self) -> Iterable[Any]:
        """Return the families."""
        return self._found


Rows = Iterable[tuple[tuple[str, ...], float]]


def gauge(name: str, about: str, labels: tuple[str, ...], rows: Rows) -> Any:
    """Return a gauge's family."""
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - an extra

    return _filled(GaugeMetricFamily(f"hubbub_{name}", about, labels=labels), rows)


def counter(name: str, about: str, labels: tuple[str, ...], rows: Rows) -> Any:
    """Return a counter's family; its samples' name ends with `_total`."""
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415 - an extra

    return _filled(CounterMetricFamily(f"hubbub_{name}", about, labels=labels), rows)


def _filled(family: Any, rows: Rows) -> Any:
    for labels, value in rows:
        family.add_metric(labels, value)
    return family


def families(now: MetricValues, totals: dict[str, Any], slow: dict[str, Any]) -> Iterator[Any]:
    """Yield all families."""
    yield from _work(now, totals, slow)
    yield from _connections(now)
    yield from _hub(now)


def _work(now: MetricValues, totals: dict[str, Any], slow: dict[str, Any]) -> Iterator[Any]:
    by_state = [
        ((name, state), count) for name, states in totals["deliveries"].items() for state, count in states.items()
    ]
    waits = [((name,), (now.now - at).total_seconds()) for name, at in now.oldest_due.items()]
    networks = [((name,), count) for name, count in totals["signals"]["networks"].items()]
    yield counter("signals", "Signals by network", ("network",), networks)
    yield gauge("inbox_items", "Raw items by state", ("state",), [((name,), n) for name, n in slow["inbox"].items()])
    yield gauge("deliveries", "Deliveries by destination and state", ("destination", "state"), by_state)
    yield gauge("dead_letters", "Dead deliveries", ("destination",), [((name,), n) for name, n in now.dead.items()])
    yield gauge("oldest_due_seconds", "How long the oldest due delivery waits", ("destination",), waits)
    yield counter("attempts", "Attempts by outcome", ("destination", "outcome"), slow["attempts"].items())


def _connections(now: MetricValues) -> Iterator[Any]:
    states = {one.name: one.state for one in now.pauses}
    paused = [((name,), float(name in states)) for name in now.connections]
    broken = [((name,), float(states.get(name, "paused") != "paused")) for name in now.connections]
    yield gauge("connection_paused", "1: nothing is sent over it now", ("connection",), paused)
    yield gauge("breaker_open", "1: it does not answer", ("connection",), broken)
    used = [((name,), float(one.used)) for name, one in now.usages.items()]
    limit = [((name,), float(one.limit)) for name, one in now.usages.items()]
    yield gauge("quota_used", "Calls used of the vendor's window", ("connection",), used)
    yield gauge("quota_limit", "Calls that the vendor's window allows", ("connection",), limit)


def _hub(now: MetricValues) -> Iterator[Any]:
    arrivals = [((name,), at.timestamp()) for name, at in now.arrivals.items()]
    failures = [((name,), float(one.failures)) for name, one in now.polls.items()]
    ages = [((str(one["name"]), str(one["role"])), (now.now - one["at"]).total_seconds()) for one in now.beats]
    calls = [((source, str(status)), float(count)) for source, status, count in now.calls]
    yield counter(
        "inbound_calls", "Calls at /in/NAME by status; no source: a name that is not known", ("source", "status"), calls
    )
    yield gauge("source_last_arrival_timestamp_seconds", "When the source was heard last", ("source",), arrivals)
    yield gauge("source_failed_polls", "Polls in a row that failed", ("source",), failures)
    yield gauge("heartbeat_age_seconds", "Since when a process gave no sign of life", ("process", "role"), ages)
    alerts = [((severity,), float(count)) for severity, count in now.alerts.items()]
    yield gauge("alerts", "Open alerts by severity", ("severity",), alerts)
