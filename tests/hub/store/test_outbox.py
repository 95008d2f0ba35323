"""The outbox: what is planned once, what replaces what, and what people may do."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import event, text, update

from hub.core.errors import Conflict
from hub.core.model import Planned, RemoteRef
from hub.store import Store
from hub.store.ledger.deliveries import Settlement
from hub.store.ledger.outbox import _COUNTS
from hub.store.schema import deliveries
from tests.hub.store.given import LATER, NOON, claim, must_claim, plan, record, settle, states

EVERY = ["pending", "retry", "delivered", "blocked", "parked", "uncertain", "review", "dead"]


def put(store: Store, state: str, key: str = "a") -> int:
    """A delivery in a state; returns its id."""
    plan(store, record(key))
    if state == "pending":
        return int(store.outbox.recent(limit=1)[0]["id"])
    claimed = must_claim(store)
    settle(store, claimed, state, due_at=LATER)
    return claimed.deliveries[0].id


def test_the_same_record_again_causes_nothing(store: Store) -> None:
    plan(store, record("a"))
    plan(store, record("a"))
    assert states(store) == {"pending": 1}


def test_a_newer_payload_replaces_an_unsent_one(store: Store) -> None:
    plan(store, record("a"))
    plan(store, record("a", stable="s2", fields={"text": "new"}))
    assert states(store) == {"superseded": 1, "pending": 1}
    assert must_claim(store).deliveries[0].fields == {"text": "new"}


@pytest.mark.parametrize("state", [state for state in EVERY if state != "pending"])
def test_a_newer_payload_never_replaces_what_was_sent(store: Store, state: str) -> None:
    put(store, state)
    plan(store, record("a", stable="s2"))
    assert states(store) == {state: 1, "pending": 1}


def test_a_payload_that_is_being_sent_is_not_replaced(store: Store) -> None:
    plan(store, record("a"))
    claimed = must_claim(store)
    plan(store, record("a", stable="s2"))
    settle(store, claimed, "delivered")
    assert states(store) == {"delivered": 1, "pending": 1}


def test_a_plan_that_a_sender_overtakes_is_rolled_back(postgres_store: Store) -> None:
    """The row is claimed after the plan has looked, before it writes: on PostgreSQL only, SQLite has one writer at a time."""
    store = postgres_store
    plan(store, record("a"))
    claimed = []
    look = store.outbox._latest

    def looks_then_waits(conn, keys):  # type: ignore[no-untyped-def]  # the moment between two statements
        found = look(conn, keys)
        thread = threading.Thread(target=lambda: claimed.append(must_claim(store)))
        thread.start()
        thread.join()
        return found

    store.outbox._latest = looks_then_waits  # type: ignore[method-assign]  # as above
    with pytest.raises(Conflict):
        plan(store, record("a", stable="s2"))
    settle(store, claimed[0], "delivered")
    assert states(store) == {"delivered": 1}


@pytest.mark.parametrize("operation", ["create", "comment"])
def test_a_ticket_or_comment_is_planned_once_ever(store: Store, operation: str) -> None:
    plan(store, record("a", operation=operation))
    plan(store, record("a", operation=operation, stable="s2"))
    assert states(store) == {"pending": 1}


def test_of_one_record_twice_in_a_batch_the_last_counts(store: Store) -> None:
    plan(store, record("a"), record("a", stable="s2", fields={"text": "last"}))
    assert [one.fields for one in must_claim(store).deliveries] == [{"text": "last"}]


def test_of_two_that_plan_the_same_ticket_at_once_one_must_decide_again(postgres_store: Store) -> None:
    store, conflicts = postgres_store, list[bool]()
    ticket = Planned(record("a", operation="create"), "a", "rule")

    def plan_it_too() -> None:
        with pytest.raises(Conflict):
            plan(store, ticket.record)
        conflicts.append(True)

    other = threading.Thread(target=plan_it_too)
    with store.database.write() as conn:
        store.outbox.plan(conn, [ticket], now=NOON)
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join()
    assert (conflicts, states(store)) == ([True], {"pending": 1})


def test_a_plan_that_fails_in_the_middle_leaves_nothing_written(store: Store) -> None:
    """Of two records one is replaced before it is seen that the other was planned since: the first waits on as it was."""
    plan(store, record("a"), record("b"))
    look = store.outbox._latest
    store.outbox._latest = lambda conn, keys: look(conn, {"a"})  # type: ignore[method-assign]  # "b" came after the look
    with pytest.raises(Conflict):
        plan(store, record("a", stable="s2"), record("b"))
    assert states(store) == {"pending": 2}


def test_the_ticket_of_a_conversation_is_known_by_its_link_once_it_has_one(store: Store) -> None:
    plan(store, record("talk", operation="create"), record("other", operation="create"))
    with store.database.read() as conn:
        assert store.outbox.ticket_urls(conn, ["talk"]) == {}
    settle(store, must_claim(store), "delivered", ref=RemoteRef("7", "https://desk.example/7"))
    with store.database.read() as conn:
        assert set(store.outbox.ticket_urls(conn, ["talk", "nothing"]).values()) == {"https://desk.example/7"}


def test_the_ticket_of_a_conversation_is_known_with_its_opener_until_it_is_discarded(store: Store) -> None:
    plan(store, record("talk", operation="create"))
    (claimed,) = must_claim(store).deliveries
    with store.database.read() as conn:
        assert store.outbox.opened(conn, ["talk", "other"]) == {"talk": {"crm": "talk"}}
    store.deliveries.expire(now=LATER)
    settle(store, must_claim(store, now=LATER), "dead")
    store.outbox.discard([claimed.id], note="no", now=NOON)
    with store.database.read() as conn:
        assert store.outbox.opened(conn, ["talk"]) == {}


def test_every_state_of_every_destination_is_counted(store: Store) -> None:
    states_of = {"crm": [*EVERY, "discarded", "superseded"], "desk": ["pending"], "wiki": ["delivered"]}
    records = [record(f"{one}", destination=name) for name, known in states_of.items() for one in known]
    plan(store, *records, *(record(f"more{number}", destination="wiki") for number in range(3)))
    with store.database.write() as conn:
        conn.execute(
            update(deliveries)
            .where(deliveries.c.record_key.in_(states_of["crm"]))
            .values(state=deliveries.c.record_key)
        )
    counted = {name: dict.fromkeys(known, 1) for name, known in states_of.items()}
    assert store.outbox.counts() == counted | {"wiki": {"delivered": 1, "pending": 3}}


def test_an_empty_ledger_counts_nothing(store: Store) -> None:
    assert store.outbox.counts() == {}


@pytest.mark.parametrize("which", ["postgres_store", "sqlite_store"])
def test_what_is_closed_is_counted_in_an_index_alone(which: str, request: pytest.FixtureRequest) -> None:
    store: Store = request.getfixturevalue(which)
    plan(store, *(record(f"k{number}") for number in range(2000)))
    with store.database.write() as conn:
        conn.execute(update(deliveries).values(state="delivered"))
    explain = "EXPLAIN QUERY PLAN" if store.database.is_sqlite else "EXPLAIN"
    with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE" if store.database.is_sqlite else "VACUUM ANALYZE deliveries"))
    with store.database.read() as conn:
        event.listen(conn, "before_cursor_execute", lambda *it: (f"{explain} {it[2]}", it[3]), retval=True)
        steps = [row[-1] for row in conn.execute(_COUNTS).cursor.fetchall()]
    used = [step for step in steps if "ix_deliveries_closed" in step]
    assert used
    assert all("COVERING" in step or "Index Only Scan" in step for step in used)
    assert not [step for step in steps if "Seq Scan" in step]


# ------------------------------------------------------------------------------------------------------------- people


@pytest.mark.parametrize("state", EVERY)
def test_retry_makes_due_what_may_be_sent_again(store: Store, state: str) -> None:
    number = put(store, state)
    changed = store.outbox.retry([number], now=NOON)
    after = {"delivered": "delivered", "uncertain": "uncertain"}.get(state, "pending")
    assert (changed, states(store)) == (int(state != "delivered"), {after: 1})


@pytest.mark.parametrize("state", ["dead", "parked", "retry"])
def test_a_retried_delivery_keeps_its_key_and_starts_its_schedule_anew(store: Store, state: str) -> None:
    number = put(store, state)
    before = store.outbox.get(number)
    store.outbox.retry([number], now=NOON)
    (again,) = must_claim(store).deliveries
    assert before is not None
    assert (again.key, again.attempt) == (before["key"], 1)


def test_a_doubtful_delivery_is_looked_into_at_once_but_keeps_its_doubt(store: Store) -> None:
    put(store, "uncertain")
    assert claim(store) is None
    store.outbox.retry(None, now=NOON)
    assert must_claim(store).doubtful


def test_retrying_the_dead_leaves_the_doubtful_alone(store: Store) -> None:
    put(store, "dead", "a")
    doubtful = put(store, "uncertain", "b")
    assert store.outbox.retry(None, now=NOON, state="dead") == 1
    row = store.outbox.get(doubtful)
    assert row is not None
    assert row["due_at"] == LATER


def test_retrying_one_destination_leaves_the_others_alone(store: Store) -> None:
    put(store, "uncertain")
    assert store.outbox.retry(None, now=NOON, destination="desk") == 0


@pytest.mark.parametrize("state", EVERY)
def test_only_what_waits_for_a_person_can_be_discarded(store: Store, state: str) -> None:
    number = put(store, state)
    assert store.outbox.discard([number], note="a duplicate\x00", now=NOON) == int(
        state in {"dead", "review", "blocked"}
    )


def test_a_discarded_delivery_says_why(store: Store) -> None:
    number = put(store, "dead")
    store.outbox.discard([number], note="seen there", now=NOON)
    row = store.outbox.get(number)
    assert row is not None
    assert (row["state"], row["error"], row["settled_at"]) == ("discarded", {"note": "seen there"}, NOON)


def test_an_unknown_delivery_is_none(store: Store) -> None:
    assert store.outbox.get(99) is None


def test_pages_go_from_the_newest_backwards_and_forwards_again(store: Store) -> None:
    plan(store, *(record(str(number)) for number in range(4)))
    ids = [row["id"] for row in store.outbox.recent(limit=2)]
    older = [row["id"] for row in store.outbox.recent(limit=2, before=ids[-1])]
    newer = [row["id"] for row in store.outbox.recent(limit=2, after=older[0])]
    assert (ids + older, newer) == (sorted(ids + older, reverse=True), sorted(ids))


def test_a_settled_delivery_tells_its_attempts(store: Store) -> None:
    plan(store, record("a", needs=("author:person:x",)))
    claimed = must_claim(store)
    (one,) = claimed.deliveries
    store.deliveries.settle(claimed, [Settlement(one.id, "retry", LATER, error={"class": "Unavailable"})], now=NOON)
    row = store.outbox.get(one.id)
    assert row is not None
    assert [(a["attempt"], a["outcome"], a["error"]) for a in row["tries"]] == [(1, "retry", {"class": "Unavailable"})]
    assert (row["needs"], row["due_at"]) == (["author:person:x"], LATER)
