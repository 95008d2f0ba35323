"""A clock that ran ahead and was set back: nothing waits for the wrong time to come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Table, func, insert, select, update

from hub.config.settings import SourceSection
from hub.core.accounts import LONGEST
from hub.core.errors import ConnectorError, QuotaExhausted, Unavailable
from hub.flow.accounts import entrance
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.poll import poll
from hub.flow.monitor.silence import is_silent
from hub.flow.sweep import pull_back, sweep
from hub.store import ahead
from hub.store.monitor.alerts import Kept
from hub.store.schema import Time, deliveries, heartbeats, inbox, metadata, rechecks
from tests.hub.flow.accounts.people import HERE, PASSWORD, make_user
from tests.hubs import Made
from tests.logs import captured

NewHub = Callable[..., Made]
WRONG = timedelta(days=10)
PAST = {
    *(
        "audit.at",
        "activations.at",
        "calls.since",
        "calls.last_at",
        "versions.active_from",
        "people.created_at",
        "identity_links.at",
        "identity_links.revoked_at",
    ),
    *("conversations.updated_at", "signals.published_at", "signals.observed_at", "signals.updated_at"),
    *("authors.first_seen", "authors.last_seen", "tombstones.at", "erasures.at", "erasures.finished_at"),
    *("inbox.received_at", "deliveries.settled_at", "deliveries.created_at", "attempts.started_at"),
    *("attempts.finished_at", "alerts.due_at"),
    *("users.created_at", "users.seen_at", "users.disabled_at", "sessions.made_at", "log_in_failures.last_at"),
    *("one_time_links.made_at", "api_keys.made_at", "api_keys.used_at", "api_keys.until"),
}
"""Times that only tell what was (nothing waits for them), and those that are judged by another of their row."""


@pytest.fixture
def made(new_hub: NewHub) -> Made:
    """A hub whose clock runs ten days ahead."""
    made = new_hub()
    made.clock.time += WRONG
    made.hub.settings = made.hub.settings.model_copy(
        update={"sources": {"lines": SourceSection(plugin="lines", every=timedelta(minutes=5))}}
    )
    return made


def set_back(made: Made) -> datetime:
    """The clock is put right, and the scheduler looks."""
    made.clock.time -= WRONG
    sweep(made.hub)
    return made.clock()


def failing(made: Made, error: ConnectorError) -> None:
    """One delivery fails."""
    made.memo.raises = error
    made.say({"id": "1", "text": "acme"})
    made.run()
    made.memo.raises = None


def test_a_source_is_polled_again_at_once(made: Made) -> None:
    made.hub.store.cursors.declare(["lines"], now=made.clock())
    assert poll(made.hub, "lines") == 0
    now = set_back(made)
    assert made.hub.store.cursors.due(now=now) == ["lines"]


@pytest.mark.parametrize("error", [None, "Unavailable: x", "QuotaExhausted: x"])
def test_a_cursor_that_is_due_beyond_its_pause_is_due_now_whatever_wrote_it(made: Made, error: str | None) -> None:
    store, now = made.hub.store, made.clock() - WRONG
    store.cursors.declare(["lines"], now=now)
    token, _ = store.cursors.claim("lines", now=now)  # type: ignore[misc]  # it is due
    store.cursors.release("lines", token, due_at=now + timedelta(days=40), now=now, error=error)
    assert set_back(made) == now
    assert store.cursors.due(now=now) == ["lines"]


@pytest.mark.parametrize(("error", "span"), [(None, 5), ("RateLimited: x", 20 * 60), ("QuotaExhausted: x", 30 * 1440)])
def test_a_pause_that_may_be_stays(made: Made, error: str | None, span: float) -> None:
    store, now = made.hub.store, made.clock() - WRONG
    due_at = now + timedelta(minutes=span)
    store.cursors.declare(["lines"], now=now)
    token, _ = store.cursors.claim("lines", now=now)  # type: ignore[misc]  # it is due
    store.cursors.release("lines", token, due_at=due_at, now=now, error=error)
    set_back(made)
    assert store.cursors.list()[0]["due_at"] == due_at


def test_a_poll_that_a_worker_began_ahead_is_free_within_its_lease(made: Made) -> None:
    made.hub.store.cursors.declare(["lines"], now=made.clock())
    made.hub.store.cursors.claim("lines", now=made.clock())
    now = set_back(made)
    assert made.hub.store.cursors.due(now=now + timedelta(seconds=31)) == ["lines"]


def test_what_came_in_is_processed(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    set_back(made)
    assert process(made.hub) == 1


def test_what_waits_to_be_sent_is_sent(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    set_back(made)
    assert deliver(made.hub, "memo") == 1


@pytest.mark.parametrize("error", [Unavailable(), QuotaExhausted()])
def test_what_failed_is_tried_again(made: Made, error: ConnectorError) -> None:
    failing(made, error)
    set_back(made)
    deliver(made.hub, "memo")
    assert made.states() == {"delivered": 1}


def test_a_retry_of_the_right_time_keeps_it(made: Made) -> None:
    made.clock.time -= WRONG
    failing(made, Unavailable(retry_after=3600))
    made.clock.time += WRONG
    set_back(made)
    assert deliver(made.hub, "memo") == 0


def test_a_quota_that_a_vendor_fills_in_years_is_asked_for_again_after_a_month(made: Made) -> None:
    failing(made, QuotaExhausted(until=made.clock() + timedelta(days=3650)))
    made.clock.pass_(days=33)
    assert deliver(made.hub, "memo") == 1


@pytest.mark.parametrize("table", [inbox, deliveries])
def test_a_lease_ends_within_its_span(made: Made, table: Table) -> None:
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    far = {"state": "leased", "lease": "other-1-x", "lease_until": made.clock() + timedelta(seconds=30)}
    with made.hub.store.database.write() as conn:
        conn.execute(update(table).values(far))
    made.clock.time -= WRONG
    sweep(made.hub)
    made.clock.pass_(seconds=40)
    sweep(made.hub)
    with made.hub.store.database.read() as conn:
        assert "leased" not in conn.scalars(select(table.c.state)).all()


def test_what_was_sent_ahead_was_sent_now(made: Made) -> None:
    failing(made, Unavailable())
    now = set_back(made)
    with made.hub.store.database.read() as conn:
        assert conn.scalar(select(deliveries.c.first_sent_at)) == now


def test_a_process_that_beat_ahead_and_ended_is_not_alive_for_ten_days(made: Made) -> None:
    made.hub.store.connections.beat("process-1", "process", now=made.clock())
    now = set_back(made)
    with made.hub.store.database.read() as conn:
        assert conn.scalar(select(func.max(heartbeats.c.at, type_=Time))) == now


def test_an_alert_is_repeated(made: Made) -> None:
    kept = Kept("k", "warning", "x", made.clock(), told_at=made.clock(), due_at=made.clock() + timedelta(hours=1))
    made.hub.store.alerts.change(lambda _: {"k": kept})
    now = set_back(made)
    (found,) = made.hub.store.alerts.all()
    assert (found.since, found.told_at, found.due_at) == (now, now, now)


def test_a_post_is_looked_for_again(made: Made) -> None:
    row = {"signal_key": "a", "source": "lines", "seen_at": made.clock(), "checked_at": made.clock()}
    with made.hub.store.database.write() as conn:
        conn.execute(insert(rechecks), [row])
    now = set_back(made)
    assert made.hub.store.rechecks.unchecked("lines", before=now + timedelta(seconds=1), limit=9) == ["a"]


def test_a_source_may_be_silent_again(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    made.hub.store.figures.note_arrivals()
    now = set_back(made)
    figures = made.hub.store.figures
    assert figures.last_arrivals() == {"lines": now}
    later = now + timedelta(days=2)
    assert is_silent(figures.slots("lines"), now, later, floor=timedelta(minutes=30)) in (True, False)


def test_it_is_told_once(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    made.clock.time -= WRONG
    with captured() as lines:
        sweep(made.hub)
        sweep(made.hub)
    assert [line["event"] for line in lines].count(
        "the clock was set back: what was due after its time is due now"
    ) == 1


def test_nothing_is_written_while_the_clock_is_right(made: Made) -> None:
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    assert made.hub.store.ahead.pull_back(now=made.clock(), pauses={}, repeat=timedelta(days=1)) == {}


def test_a_clock_that_is_set_back_is_noticed_at_the_next_sweep(made: Made) -> None:
    pull_back(made.hub)
    made.say({"id": "1", "text": "acme"})
    made.clock.time -= WRONG
    pull_back(made.hub)
    assert made.hub.store.inbox.due(now=made.clock())


def test_no_log_in_is_barred_and_no_session_lives_longer_by_a_wrong_clock(made: Made) -> None:
    make_user(made.hub)
    token = entrance.log_in(made.hub, "bea", PASSWORD, HERE).token
    for _ in range(5):
        with pytest.raises(entrance.WrongLogIn):
            entrance.log_in(made.hub, "bea", "no", HERE)
    now = set_back(made)
    assert entrance.log_in(made.hub, "bea", PASSWORD, HERE)
    session = entrance.session_of(made.hub, token)
    assert session is not None
    assert session.until <= now + LONGEST


def test_each_time_of_the_schema_is_pulled_back_or_only_tells_what_was() -> None:
    now = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
    late = [*ahead._late(now), *ahead._late_windows(now), *ahead._late_alerts(now, WRONG)]
    pulled = {f"{one.table.name}.{name}" for one in late for name in one.values} | {"arrivals.last_at"}
    times = {str(column) for table in metadata.tables.values() for column in table.c if isinstance(column.type, Time)}
    assert times - pulled - PAST == set()
