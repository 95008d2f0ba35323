"""`/metrics`: what Prometheus reads, and who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.core.errors import Rejected, Unavailable
from hub.core.retry import FAILURES
from hub.flow.monitor.schedule import make_round
from hub.queue.pace import UsageNote
from tests.hub.web.browser import Browser
from tests.hubs import Made

NewHub = Callable[..., Made]
parser = pytest.importorskip("prometheus_client.parser")


def samples(made: Made) -> dict[tuple[str, ...], float]:
    """The samples of a scrape by name and label values."""
    answer = Browser(made).get("/metrics")
    assert answer.status_code == 200, answer.text
    families = parser.text_string_to_metric_families(answer.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def worked(new_hub: NewHub) -> Made:
    """A hub that delivered one record and lost another."""
    made = new_hub()
    lost = staticmethod(lambda one: Rejected("no") if one.fields["text"] == "acme 2" else None)
    made.memo.answer = lost  # type: ignore[assignment]  # a function in a class
    made.say({"id": "1", "text": "acme 1"}, {"id": "2", "text": "acme 2"})
    made.run()
    return made


def test_deliveries_signals_and_attempts_are_counted(new_hub: NewHub) -> None:
    found = samples(worked(new_hub))
    assert found["hubbub_deliveries", "memo", "delivered"] == found["hubbub_deliveries", "memo", "dead"] == 1
    assert found["hubbub_dead_letters", "memo"] == 1
    assert found["hubbub_signals_total", "lines"] == 2
    assert found["hubbub_attempts_total", "memo", "delivered"] == found["hubbub_attempts_total", "memo", "dead"] == 1
    assert found["hubbub_inbox_items", "done"] == 2


def test_the_oldest_due_delivery_is_timed(new_hub: NewHub) -> None:
    from hub.flow.decide.batch import process

    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    made.clock.pass_(minutes=10)
    assert samples(made)["hubbub_oldest_due_seconds", "memo"] == 600


def test_pauses_breakers_and_usage_are_shown(new_hub: NewHub) -> None:
    made = new_hub()
    now = made.clock()
    made.hub.store.connections.pause("memo", reason="x", until=now + timedelta(hours=1), now=now)
    made.hub.paces.keep("memo", UsageNote(81, 100, None, made.hub.paces.clock()))
    found = samples(made)
    assert [found["hubbub_connection_paused", one] for one in ("memo", "sources/lines")] == [1, 0]
    assert found["hubbub_breaker_open", "memo"] == 0
    assert [found[f"hubbub_quota_{one}", "memo"] for one in ("used", "limit")] == [81, 100]


def test_an_open_breaker_is_told_apart_from_a_pause(new_hub: NewHub) -> None:
    made = new_hub(batch=1)
    made.memo.raises = Unavailable("nobody there")
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(FAILURES)))
    made.run()
    found = samples(made)
    assert [found[f"hubbub_{one}", "memo"] for one in ("breaker_open", "connection_paused")] == [1, 1]
    assert found["hubbub_breaker_open", "sources/lines"] == 0


def test_heartbeats_arrivals_and_alerts_are_shown(new_hub: NewHub) -> None:
    made = worked(new_hub)
    made.hub.store.connections.beat("deliver-7", "deliver", now=made.clock())
    made.say(*({"id": f"x{n}", "text": "acme 2"} for n in range(5)))
    made.run()
    make_round(made.hub)
    made.clock.pass_(seconds=30)
    found = samples(made)
    assert found["hubbub_heartbeat_age_seconds", "deliver-7", "deliver"] == 30
    assert found["hubbub_source_last_arrival_timestamp_seconds", "lines"] == made.clock().timestamp() - 30
    assert found["hubbub_alerts", "warning"] == 1


def test_metrics_are_told_to_our_own_hosts_only(new_hub: NewHub) -> None:
    assert Browser(new_hub()).get("/metrics", base="http://evil.example").status_code == 421


def test_two_hubs_in_one_process_do_not_share_a_registry(new_hub: NewHub) -> None:
    made = worked(new_hub)
    browser = Browser(made)
    assert browser.get("/metrics").text == browser.get("/metrics").text
