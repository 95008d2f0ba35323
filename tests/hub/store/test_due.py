"""What is due is found page by page: past what waits, past what others lease just now, whatever a planner believes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from hub.store import Connection, Store
from hub.store.ledger.due import _OF_KIND, PAGE, PEEK, ClaimRequest, lease
from tests.hub.store.given import LATER, NOON, claim, keys, must_claim, plan, record, settle

ADA = {"object": "person", "provides": "author:person:ada"}
WAITS = {"needs": ("author:person:ada",)}


def some(count: int, prefix: str = "k") -> list[str]:
    """Keys whose order is that of their rows."""
    return [f"{prefix}{number:05}" for number in range(count)]


@contextmanager
def leasing(store: Store, count: int) -> Iterator[list[str]]:
    """Another worker's claim that is not committed yet; yields the keys of its rows."""
    with store.database.write() as conn:
        found = lease(conn, ClaimRequest("crm", NOON, "other-1-x", LATER), lambda *_: count)
        yield sorted(row.record_key for row in found.rows) if found else []
        conn.rollback()


@pytest.mark.parametrize("count", [1, PEEK - 1, PEEK, PEEK + 1, 5 * PEEK, 5 * PEEK + 1])
def test_what_waits_in_front_keeps_nothing_behind_it(store: Store, count: int) -> None:
    plan(store, record("ada", **ADA))
    settle(store, must_claim(store), "retry", due_at=LATER)
    plan(store, *(record(key, **WAITS) for key in some(count)), record("last"))
    assert keys(claim(store)) == ["last"]
    assert claim(store) is None


@pytest.mark.parametrize("size", [1, PEEK, 4 * PEEK, 200])
def test_pages_of_rows_of_one_time_leave_none_out(store: Store, size: int) -> None:
    plan(store, *(record(key) for key in some(150)))
    found: list[str] = []
    while len(found) < 150:
        found += keys(must_claim(store, size=size))
    assert found == some(150)


def test_a_batch_is_filled_from_behind_rows_that_wait_and_rows_of_other_kinds(store: Store) -> None:
    plan(store, record("ada", **ADA))
    settle(store, must_claim(store), "retry", due_at=LATER)
    mixed = [one for key in some(120) for one in (record(key, **WAITS), record(key, object="case"), record(f"f{key}"))]
    plan(store, *mixed)
    assert keys(claim(store, size=100)) == some(100)
    assert keys(claim(store, size=300)) == some(120, "fk")
    assert keys(claim(store, size=300)) == some(120)[100:]


def test_a_batch_larger_than_a_page_is_filled(store: Store) -> None:
    plan(store, *(record(key) for key in some(PAGE + 50)))
    assert len(keys(claim(store, size=PAGE + 50))) == PAGE + 50


def test_the_longest_due_goes_first_whatever_its_id(store: Store) -> None:
    plan(store, record("late"), now=LATER)
    plan(store, record("early"))
    assert [keys(claim(store, size=1, now=LATER)) for _ in range(2)] == [["early"], ["late"]]


# ------------------------------------------------------------------------------------------------------------- others


@pytest.mark.parametrize("held", [1, 30, 100])
def test_a_worker_goes_on_behind_what_another_leases_just_now(postgres_store: Store, held: int) -> None:
    plan(postgres_store, *(record(key) for key in some(held + 30)))
    with leasing(postgres_store, held) as theirs:
        mine = keys(claim(postgres_store, size=30))
    assert (theirs, mine) == (some(held + 30)[:held], some(held + 30)[held:])


def test_where_others_lease_all_of_one_kind_the_next_kind_is_taken(postgres_store: Store) -> None:
    plan(postgres_store, record("a"), record("b"), record("c", object="case"))
    with leasing(postgres_store, 5) as theirs:
        assert (theirs, keys(claim(postgres_store))) == (["a", "b"], ["c"])
        assert claim(postgres_store) is None


def overtake(store: Store, statement: str) -> None:
    """Let somebody else do this after the rows were found and before they are locked."""
    done: list[str] = []

    def first(conn: Connection, cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("WITH pick") and not done:
            done.append(sql)
            with store.database.write() as other:
                other.execute(text(statement))

    event.listen(store.database.engine, "before_cursor_execute", first)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE deliveries SET state = 'superseded' WHERE record_key = 'a'",
        "UPDATE deliveries SET state = 'uncertain' WHERE record_key = 'a'",
        "UPDATE deliveries SET due_at = due_at + 1 WHERE record_key = 'a'",
        "INSERT INTO delivery_needs SELECT id, 'author:person:ada' FROM deliveries WHERE record_key = 'a'",
    ],
)
def test_what_changes_after_it_was_found_is_not_leased(postgres_store: Store, change: str) -> None:
    plan(postgres_store, record("ada", **ADA))
    settle(postgres_store, must_claim(postgres_store), "retry", due_at=LATER)
    plan(postgres_store, record("a"), record("b"))
    overtake(postgres_store, change)
    assert keys(claim(postgres_store)) == ["b"]


# ------------------------------------------------------------------------------------------------------------- planners


def ask(conn: Connection, explain: str) -> Any:
    """What the database says of the query for a page of what is due."""
    event.listen(conn, "before_cursor_execute", lambda *it: (f"{explain} {it[2]}", it[3]), retval=True)
    given = {"lane": "crm", "at": NOON, "object": "note", "operation": "upsert", "is_doubtful": 0}
    place = {"after_at": NOON.replace(year=2000), "after_id": 0, "most": 100}
    return conn.execute(_OF_KIND.free, given | place).cursor.fetchall()


def rows_of(node: dict[str, Any]) -> int:
    """The rows that a node of a plan, and all below it, read or threw away."""
    own = sum(int(value) for name, value in node.items() if name.startswith(("Actual Rows", "Rows Removed")))
    return own * int(node["Actual Loops"]) + sum(rows_of(inner) for inner in node.get("Plans", []))


def test_a_planner_with_statistics_of_a_quiet_hour_reads_no_more_than_the_page_asks(postgres_store: Store) -> None:
    store = postgres_store
    plan(store, *(record(f"old{key}", needs=("author:person:old",)) for key in some(500)))
    settle(store, must_claim(store, size=500), "delivered")
    with store.database.write() as conn:
        conn.execute(text("ANALYZE"))
    plan(store, *(record(key, **WAITS) for key in some(1000)))
    with store.database.read() as conn:
        ((found,),) = ask(conn, "EXPLAIN (ANALYZE, FORMAT JSON)")
    assert rows_of(found[0]["Plan"]) < 100 * 12


def test_sqlite_reads_no_table_whole_for_a_page(sqlite_store: Store) -> None:
    with sqlite_store.database.read() as conn:
        steps = [row[-1] for row in ask(conn, "EXPLAIN QUERY PLAN")]
    assert [step for step in steps if step.startswith("SCAN")] == ["SCAN page"]
