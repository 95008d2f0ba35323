"""The scheduler's loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hub.core.errors import ConfigError
from hub.registry import Plugin
from hub.store import StoreUnavailable
from tests.hubs import Made
from tests.servers import wait_for
from workers import schedule

NewHub = Callable[..., Made]


@contextmanager
def running(made: Made) -> Iterator[threading.Thread]:
    """The scheduler in a thread, stopped at the end."""
    stop = threading.Event()
    thread = threading.Thread(target=schedule.run, args=(made.hub, stop))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "TICK_S", 0.02)


def test_due_work_is_rung_for_within_a_tick(new_hub: NewHub, quick: None) -> None:
    made = new_hub()
    with running(made):
        made.say({"id": "1", "text": "acme"})
        wait_for(lambda: ("process", "") in made.bell.rung)


def test_polls_and_versions_are_prepared(new_hub: NewHub, quick: None) -> None:
    made = new_hub()
    with running(made):
        wait_for(lambda: ("poll", "lines") in made.bell.rung)
    assert made.hub.store.connections.version(made.hub.book.rules.version)


def test_it_tells_that_it_lives(new_hub: NewHub, quick: None) -> None:
    made = new_hub()
    with running(made):
        wait_for(lambda: [one["role"] for one in made.hub.store.connections.beats(since=made.clock())] == ["scheduler"])


def test_lost_leases_are_taken_back(new_hub: NewHub, quick: None) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    made.hub.store.inbox.claim(limit=1, now=made.clock())
    made.clock.pass_(seconds=31)
    with running(made):
        wait_for(lambda: made.hub.store.inbox.counts() == {"new": 1})


def test_a_locked_database_is_waited_for(new_hub: NewHub, quick: None) -> None:
    made = new_hub()
    due, failures = made.hub.store.inbox.due, [StoreUnavailable("locked")] * 3

    def fails(**given: object) -> bool:
        if failures:
            raise failures.pop()
        return due(**given)  # type: ignore[arg-type]  # passed through

    made.hub.store.inbox.due = fails  # type: ignore[method-assign]  # a database that comes back
    made.say({"id": "1", "text": "acme"})
    with running(made):
        wait_for(lambda: ("process", "") in made.bell.rung)


def test_a_broken_plugin_of_a_source_does_not_stop_the_scheduler(new_hub: NewHub, quick: None) -> None:
    made = new_hub()
    made.hub.registry._loaded["lines"] = Plugin("lines", "tests", "1", reason="it needs 'liner'")
    made.say({"id": "1", "text": "acme"})
    with running(made):
        wait_for(lambda: ("process", "") in made.bell.rung)


def test_wrong_rules_end_it_with_the_reason(new_hub: NewHub) -> None:
    made = new_hub(rules='[[rule]]\nname = "r"\nwhen = ["signal.txt == 1"]\n')
    with pytest.raises(ConfigError, match=r"signal\.text"):
        schedule.run(made.hub, threading.Event())


def test_a_stop_is_heard_at_once(new_hub: NewHub) -> None:
    stop = threading.Event()
    stop.set()
    schedule.run(new_hub().hub, stop)
