"""The ledger at work: claims, order, leases, references."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import timedelta

import pytest

from hub.core.errors import LeaseLost
from hub.core.model import RemoteRef
from hub.store import Store, open_store
from hub.store.ledger.deliveries import LEASE
from tests.hub.store.given import (
    HOSTILE,
    LATER,
    MENDED,
    NOON,
    claim,
    keys,
    must_claim,
    plan,
    record,
    settle,
    states,
)

SOON = timedelta(seconds=1)


def test_a_claim_holds_one_object_and_operation_only(store: Store) -> None:
    plan(store, record("a"), record("b", object="case"), record("c"))
    assert [keys(claim(store)) for _ in range(3)] == [["a", "c"], ["b"], []]


def test_a_claim_holds_as_many_as_the_destination_takes(store: Store) -> None:
    plan(store, *(record(str(number)) for number in range(5)))
    assert [len(keys(claim(store, size=2))) for _ in range(4)] == [2, 2, 1, 0]


def test_another_destinations_rows_are_left_alone(store: Store) -> None:
    plan(store, record("a", destination="desk"))
    assert (claim(store), store.deliveries.due(now=NOON)) == (None, ["desk"])


def test_claims_of_many_threads_never_overlap(store: Store) -> None:
    plan(store, *(record(str(number)) for number in range(150)))
    ids: list[int] = []

    def work() -> None:
        while mine := claim(store, size=4):
            ids.extend(one.id for one in mine.deliveries)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == len(ids) == 150


def _claim_all(url: str, found: multiprocessing.Queue[list[int]]) -> None:
    store, mine = open_store(url), list[int]()
    while claimed := claim(store, size=5):
        mine += [one.id for one in claimed.deliveries]
    found.put(mine)
    store.close()


def test_claims_of_many_processes_never_overlap(store: Store, database_url: str) -> None:
    plan(store, *(record(str(number)) for number in range(150)))
    spawn = multiprocessing.get_context("spawn")
    found: multiprocessing.Queue[list[int]] = spawn.Queue()
    workers = [spawn.Process(target=_claim_all, args=(database_url, found)) for _ in range(3)]
    for worker in workers:
        worker.start()
    ids = [one for _ in workers for one in found.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert len(set(ids)) == len(ids) == 150


# ------------------------------------------------------------------------------------------------------------- order


PERSON = {"object": "person", "provides": "author:person:ada"}
SAID = {"object": "said", "needs": ("author:person:ada",)}


def test_what_is_needed_goes_first_and_its_reference_comes_along(store: Store) -> None:
    plan(store, record("1", **SAID), record("ada", **PERSON))
    first = must_claim(store)
    assert (keys(first), claim(store)) == (["ada"], None)
    settle(store, first, "delivered", ref=RemoteRef("003", "https://crm/003"))
    assert must_claim(store).deliveries[0].parents == {"author": RemoteRef("003", "https://crm/003")}


@pytest.mark.parametrize("state", ["retry", "blocked", "parked", "uncertain", "review", "dead"])
def test_what_needs_a_record_waits_while_that_has_not_landed(store: Store, state: str) -> None:
    plan(store, record("ada", **PERSON), record("1", **SAID))
    settle(store, must_claim(store), state, due_at=LATER)
    assert claim(store) is None


def test_what_needs_a_record_that_landed_once_goes_though_its_update_is_dead(store: Store) -> None:
    plan(store, record("ada", **PERSON))
    settle(store, must_claim(store), "delivered", ref=RemoteRef("003"))
    plan(store, record("ada", stable="s2", **PERSON), record("1", **SAID))
    settle(store, must_claim(store), "dead")
    assert must_claim(store).deliveries[0].parents == {"author": RemoteRef("003")}


def test_what_needs_a_record_that_was_given_up_goes_without_it(store: Store) -> None:
    plan(store, record("ada", **PERSON), record("1", **SAID))
    claimed = must_claim(store)
    settle(store, claimed, "dead")
    store.outbox.discard([claimed.deliveries[0].id], note="no", now=NOON)
    assert must_claim(store).deliveries[0].parents == {}


def test_two_objects_of_one_author_are_told_apart(store: Store) -> None:
    lead = {"object": "lead", "provides": "author:lead:ada"}
    plan(store, record("ada", **PERSON), record("ada", **lead), record("1", object="said", needs=("author:lead:ada",)))
    settle(store, must_claim(store), "delivered", ref=RemoteRef("person"))
    leads = must_claim(store)
    assert (leads.object, claim(store)) == ("lead", None)
    settle(store, leads, "delivered", ref=RemoteRef("lead"))
    assert must_claim(store).deliveries[0].parents == {"author": RemoteRef("lead")}


def test_a_record_knows_its_own_reference_not_that_of_another_object(store: Store) -> None:
    plan(store, record("ada", **PERSON), record("ada", object="lead", provides="author:lead:ada"))
    settle(store, must_claim(store), "delivered", ref=RemoteRef("person"))
    assert must_claim(store).deliveries[0].ref is None
    plan(store, record("ada", stable="s2", **PERSON))
    assert must_claim(store).deliveries[0].ref == RemoteRef("person")


def test_a_comment_and_its_ticket_may_share_object_and_key(store: Store) -> None:
    ticket = {"object": "ticket", "operation": "create", "provides": "conversation:ticket:1"}
    comment = {"object": "ticket", "operation": "comment", "provides": "signal:ticket:1"}
    plan(store, record("1", **ticket), record("1", needs=("conversation:ticket:1",), **comment))
    settle(store, must_claim(store), "delivered", ref=RemoteRef("T"))
    settle(store, must_claim(store), "delivered", ref=RemoteRef("C"))
    plan(store, record("2", needs=("conversation:ticket:1",), **{**comment, "provides": "signal:ticket:2"}))
    assert must_claim(store).deliveries[0].parents == {"conversation": RemoteRef("T")}


def test_a_later_sequence_waits_for_the_earlier_one(store: Store) -> None:
    plan(store, record("a"))
    first = must_claim(store)
    plan(store, record("a", stable="s2", fields={"text": "new"}))
    assert claim(store) is None
    settle(store, first, "delivered")
    assert must_claim(store).deliveries[0].seq == 1


def test_fields_that_are_written_once_are_left_out_of_an_update(store: Store) -> None:
    once = {"fields": {"text": "t", "status": "New"}, "once": ("status",)}
    plan(store, record("a", **once))
    first = must_claim(store)
    settle(store, first, "delivered", ref=RemoteRef("1"))
    plan(store, record("a", stable="s2", **once))
    (made,), (later,) = first.deliveries, must_claim(store).deliveries
    assert (made.fields, made.once) == (once["fields"], ("status",))
    assert (later.fields, later.once) == ({"text": "t"}, ())


# ------------------------------------------------------------------------------------------------------------- leases


def test_a_lease_that_ran_out_leaves_a_doubt_and_its_attempt_is_marked_lost(store: Store) -> None:
    plan(store, record("a"))
    (delivery,) = must_claim(store).deliveries
    assert (store.deliveries.expire(now=NOON + LEASE - SOON), store.deliveries.expire(now=NOON + LEASE + SOON)) == (
        0,
        1,
    )
    row = store.outbox.get(delivery.id)
    assert row is not None
    assert (row["state"], [one["outcome"] for one in row["tries"]]) == ("uncertain", ["lost"])


def test_a_renewed_lease_does_not_run_out(store: Store) -> None:
    plan(store, record("a"))
    store.deliveries.renew(must_claim(store).token, now=NOON + LEASE)
    assert store.deliveries.expire(now=NOON + LEASE + SOON) == 0


def _claim_and_die(url: str) -> None:
    store = open_store(url)
    must_claim(store)
    store.close()


def test_a_dead_processs_deliveries_are_doubtful_before_their_lease_ends(store: Store, database_url: str) -> None:
    plan(store, record("a"))
    holder = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(database_url,))
    holder.start()
    holder.join()
    assert (store.deliveries.expire(now=NOON), states(store)) == (1, {"uncertain": 1})


def test_settling_with_a_lost_lease_changes_nothing_and_keeps_no_reference(store: Store) -> None:
    plan(store, record("ada", **PERSON), record("1", **SAID))
    claimed = must_claim(store)
    store.deliveries.expire(now=LATER)
    with pytest.raises(LeaseLost):
        settle(store, claimed, "delivered", ref=RemoteRef("003"))
    assert states(store) == {"uncertain": 1, "pending": 1}
    assert must_claim(store, now=LATER).deliveries[0].ref is None


def test_doubtful_rows_are_claimed_apart_from_sure_ones(store: Store) -> None:
    plan(store, record("a"))
    settle(store, must_claim(store), "uncertain", due_at=NOON)
    plan(store, record("b"))
    claims = [must_claim(store), must_claim(store)]
    assert sorted((one.doubtful, *keys(one)) for one in claims) == [(False, "b"), (True, "a")]


def test_the_time_of_the_first_sending_stays(store: Store) -> None:
    plan(store, record("a"))
    settle(store, must_claim(store), "retry", due_at=LATER)
    assert must_claim(store, now=LATER).deliveries[0].first_sent_at == NOON


def test_an_attempt_that_is_not_to_blame_is_not_counted(store: Store) -> None:
    plan(store, record("a"))
    settle(store, must_claim(store), "parked", due_at=LATER, burns=False)
    assert must_claim(store, now=LATER).deliveries[0].attempt == 1


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(RemoteRef(HOSTILE, HOSTILE), RemoteRef(MENDED, MENDED)), (RemoteRef("x" * 9000), RemoteRef("x" * 9000))],
)
def test_whatever_a_vendor_calls_its_record_is_kept(store: Store, given: RemoteRef, wanted: RemoteRef) -> None:
    plan(store, record("a"))
    settle(store, must_claim(store), "delivered", ref=given)
    plan(store, record("a", stable="s2"))
    assert must_claim(store).deliveries[0].ref == wanted


def test_whatever_a_vendor_says_is_kept(store: Store) -> None:
    plan(store, record("a"))
    claimed = must_claim(store)
    settle(store, claimed, "dead", error={"message": HOSTILE, "details": {"list": [HOSTILE, 1, None]}})
    row = store.outbox.get(claimed.deliveries[0].id)
    assert row is not None
    assert row["error"] == {"message": MENDED, "details": {"list": [MENDED, 1, None]}}
    assert row["tries"][0]["error"] == row["error"]


def test_fields_with_half_a_surrogate_pair_are_mended(store: Store) -> None:
    plan(store, record("a", fields={"text": HOSTILE, HOSTILE: ["x", HOSTILE]}))
    assert must_claim(store).deliveries[0].fields == {"text": MENDED, MENDED: ["x", MENDED]}
