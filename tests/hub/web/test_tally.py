"""What the door answered is counted by connection and status, and those whose senders are always refused are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hub.config.settings import AlertsSection
from hub.flow.monitor.alerts import RefusedCalls, Snapshot, judge
from hub.flow.monitor.snapshot import refused
from hub.store import Store, StoreUnavailable
from hub.store.monitor.calls import Answered
from hub.web.tally import Tally
from tests.hub.web.browser import Browser
from tests.hub.web.test_inbound import BODY, Knocker, signed
from tests.hub.web.test_metrics import samples
from tests.hubs import NOON, Made

NewHub = Callable[..., Made]
LATER = NOON + timedelta(minutes=61)


def test_each_answer_is_counted_by_its_source_and_status(store: Store, tmp_path: Path) -> None:
    knocker = Knocker(store, tmp_path)
    knocker.knock_all([((BODY,), signed(BODY)), ((BODY,), {}), ((BODY,), {})])
    knocker.door.tally.write()
    assert [(one.source, one.status, one.calls) for one in store.calls.all()] == [("shop", 202, 1), ("shop", 401, 2)]


@pytest.mark.parametrize("name", ["none", "off", "../shop", "x" * 5000, "\x00"])
def test_the_names_that_strangers_think_of_are_one_row(store: Store, tmp_path: Path, name: str) -> None:
    knocker = Knocker(store, tmp_path)
    knocker.knock(BODY, path=f"/in/{name}")
    knocker.door.tally.write()
    assert [(one.source, one.status, one.calls) for one in store.calls.all()] == [("", 404, 1)]


def test_two_processes_add_to_one_count(store: Store) -> None:
    for calls in (2, 3):
        store.calls.add({("shop", 401): calls}, now=NOON)
    assert store.calls.all() == [Answered("shop", 401, 5, 5, NOON, NOON)]


def test_a_call_that_is_taken_ends_the_streak_and_keeps_the_count(store: Store) -> None:
    store.calls.add({("shop", 401): 2}, now=NOON)
    store.calls.add({("shop", 202): 1}, now=LATER)
    assert [(one.status, one.calls, one.streak, one.since) for one in store.calls.all()] == [
        (202, 1, 0, None),
        (401, 2, 0, None),
    ]


def test_what_the_database_cannot_take_now_is_counted_later(new_hub: NewHub) -> None:
    hub = new_hub().hub
    tally, add = Tally(hub), hub.store.calls.add

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable

    hub.store.calls.add = fail  # type: ignore[method-assign]
    tally.count("shop", 401)
    tally.write()
    hub.store.calls.add = add  # type: ignore[method-assign]
    tally.count("shop", 401)
    tally.write()
    assert [one.calls for one in hub.store.calls.all()] == [2]


def test_what_was_counted_is_written_when_the_door_closes(new_hub: NewHub) -> None:
    hub = new_hub().hub
    tally = Tally(hub, every_s=60)
    tally.open()
    tally.count("shop", 202)
    tally.close()
    assert [one.calls for one in hub.store.calls.all()] == [1]


def test_a_source_that_is_only_refused_is_known_by_the_status_it_hears_most(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.store.calls.add({("lines", 401): 5, ("lines", 413): 1, ("gone", 401): 9, ("", 404): 9}, now=NOON)
    assert refused(made.hub) == {"lines": RefusedCalls(401, 5, NOON, NOON)}


@pytest.mark.parametrize(
    ("refusal", "alerts"),
    [
        (RefusedCalls(401, 3, NOON, LATER), 1),
        (RefusedCalls(413, 3, NOON, LATER), 1),
        (RefusedCalls(401, 2, NOON, LATER), 0),
        (RefusedCalls(401, 30, LATER - timedelta(minutes=59), LATER), 0),
        (RefusedCalls(503, 30, NOON, LATER), 0),
        (RefusedCalls(401, 30, NOON - timedelta(hours=9), LATER - timedelta(hours=2)), 0),
    ],
)
def test_an_hour_of_refused_calls_is_an_alert(refusal: RefusedCalls, alerts: int) -> None:
    found = judge(Snapshot(LATER, refused={"shop": refusal}), AlertsSection())
    assert [one.key for one in found] == ["refused:shop"] * alerts


def test_the_counts_are_metrics(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.store.calls.add({("lines", 401): 5, ("", 404): 9}, now=NOON)
    found = samples(made)
    assert found[("hubbub_inbound_calls_total", "lines", "401")] == 5
    assert found[("hubbub_inbound_calls_total", "", "404")] == 9


def test_the_page_tells_of_a_source_whose_senders_are_refused(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.store.calls.add({("lines", 401): 5}, now=NOON)
    page = Browser(made).get("/").text
    assert "lines" in page
    assert "5 calls were refused" in page


def test_the_page_tells_of_a_connection_that_cannot_be_made(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.broken["sources.lines"] = "config.toml: sources.lines.options.secret: NAME is not set"
    browser = Browser(made)
    made.hub.broken["sources.lines"] = "config.toml: sources.lines.options.secret: NAME is not set"
    assert "NAME is not set" in browser.get("/").text
