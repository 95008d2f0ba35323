"""Cursors with leases, pauses, memories, heartbeats, versions."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from hub.core.errors import LeaseLost
from hub.store import Store
from hub.store.connections import LEASE
from tests.hub.store.given import HOSTILE, LATER, MENDED, NOON

SOON = timedelta(seconds=1)


@pytest.fixture
def cursors(store: Store) -> Store:
    store.cursors.declare(["news"], now=NOON)
    return store


def advance(store: Store, token: str, value: object) -> None:
    with store.database.write() as conn:
        store.cursors.advance(conn, "news", token, value, now=NOON)


def token_of(store: Store, **more: object) -> str:
    found = store.cursors.claim("news", **{"now": NOON, **more})  # type: ignore[arg-type]  # passed through
    assert found is not None
    return found[0]


def test_declaring_again_keeps_where_a_source_stands(cursors: Store) -> None:
    advance(cursors, token_of(cursors), {"since": "7"})
    cursors.cursors.declare(["news", "other"], now=LATER)
    assert [(row["source"], row["value"]) for row in cursors.cursors.list()] == [
        ("news", {"since": "7"}),
        ("other", None),
    ]


def test_a_leased_cursor_is_nobody_elses(cursors: Store) -> None:
    token_of(cursors)
    assert cursors.cursors.claim("news", now=NOON) is None
    assert cursors.cursors.claim("news", now=NOON, early=True) is None
    assert cursors.cursors.due(now=NOON) == []


def test_of_many_that_want_a_cursor_at_once_one_gets_it(cursors: Store) -> None:
    got: list[object] = []
    together = threading.Barrier(6)

    def want() -> None:
        together.wait()
        got.append(cursors.cursors.claim("news", now=NOON))

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in got if one]) == 1


def test_a_cursor_whose_lease_ran_out_is_taken_with_what_was_committed(cursors: Store) -> None:
    first = token_of(cursors)
    advance(cursors, first, "p1")
    assert cursors.cursors.claim("news", now=NOON + LEASE + SOON) is not None
    with pytest.raises(LeaseLost):
        advance(cursors, first, "p2")
    assert cursors.cursors.list()[0]["value"] == "p1"


def test_a_renewed_lease_does_not_run_out(cursors: Store) -> None:
    cursors.cursors.renew("news", token_of(cursors), now=NOON + LEASE)
    assert cursors.cursors.claim("news", now=NOON + LEASE + SOON) is None


def test_a_released_cursor_is_due_when_it_was_said_or_early(cursors: Store) -> None:
    cursors.cursors.release("news", token_of(cursors), due_at=LATER, now=NOON)
    assert cursors.cursors.claim("news", now=NOON) is None
    assert (cursors.cursors.due(now=NOON), cursors.cursors.due(now=LATER)) == ([], ["news"])
    assert cursors.cursors.claim("news", now=NOON, early=True) is not None


def test_releasing_with_a_lost_lease_changes_nothing(cursors: Store) -> None:
    first = token_of(cursors)
    second = token_of(cursors, now=NOON + LEASE + SOON)
    cursors.cursors.release("news", first, due_at=LATER, now=NOON, error="x")
    assert (cursors.cursors.list()[0]["lease"], cursors.cursors.list()[0]["error"]) == (second, None)


def test_failures_in_a_row_are_counted_and_a_success_ends_the_row(cursors: Store) -> None:
    seen = []
    for error in ("a", HOSTILE, None):
        cursors.cursors.release("news", token_of(cursors), due_at=NOON, now=NOON, error=error)
        row = cursors.cursors.list()[0]
        seen.append((row["failures"], row["error"]))
    assert seen == [(1, "a"), (2, MENDED), (0, None)]


def test_a_source_without_a_cursor_cannot_be_claimed(store: Store) -> None:
    assert store.cursors.claim("news", now=NOON, early=True) is None


def test_a_pause_ends_by_itself_or_by_hand(store: Store) -> None:
    store.connections.pause("crm", reason=HOSTILE, until=LATER, now=NOON)
    assert store.connections.paused(now=NOON) == {"crm": MENDED}
    assert store.connections.paused(now=LATER) == {}
    store.connections.resume("crm", now=NOON)
    assert store.connections.paused(now=NOON) == {}


@pytest.mark.parametrize("value", [{"a": [1, None, "ä"]}, "text", 0, False, None])
def test_a_memory_keeps_json_values_by_connection_and_name(store: Store, value: object) -> None:
    store.connections.memory("crm").set("session", "old")
    store.connections.memory("crm").set("session", value)
    assert store.connections.memory("crm").get("session") == value
    assert store.connections.memory("desk").get("session") is None


def test_processes_that_were_alive_since_then_are_listed(store: Store) -> None:
    store.connections.beat("process-1", "process", now=NOON)
    store.connections.beat("deliver-2", "deliver", now=LATER)
    store.connections.beat("deliver-2", "deliver", now=LATER + SOON)
    assert [(one["name"], one["at"]) for one in store.connections.beats(since=LATER)] == [("deliver-2", LATER + SOON)]


def test_a_version_is_kept_as_it_first_was(store: Store) -> None:
    for content, now in (("[1]", NOON), ("[2]", LATER)):
        store.connections.remember_versions([("h", "rules", "rules", content)], now=now)
    found = store.connections.version("h")
    assert found is not None
    assert (found["content"], found["active_from"], store.connections.version("x")) == ("[1]", NOON, None)
