"""Raw rows: each once, claims that never overlap, leases that are lost and taken back."""

from __future__ import annotations

import multiprocessing
import random
import threading
from datetime import timedelta

import pytest

from hub.core.errors import LeaseLost
from hub.store import Store, open_store
from hub.store.inbox import ALONE_AFTER, LEASE, QUARANTINE_AFTER, Settled
from tests.hub.store.given import HOSTILE, LATER, MENDED, NOON, raw

SOON = timedelta(seconds=1)


def fill(store: Store, count: int) -> None:
    store.inbox.add(raw(number) for number in range(count))


def claimed(store: Store, *, limit: int = 100, now: object = NOON) -> tuple[str, list[int]]:
    token, rows = store.inbox.claim(limit=limit, now=now)  # type: ignore[arg-type]  # a time
    return token, [row.id for row in rows]


def settle(store: Store, token: str, *rows: Settled) -> None:
    with store.database.write() as conn:
        store.inbox.settle(conn, token, rows)


@pytest.mark.parametrize(
    ("again", "new"),
    [
        ({}, 0),
        ({"payload": b"other"}, 1),
        ({"external_id": "other"}, 1),
        ({"source": "other"}, 1),
        ({"external_id": "1i", "payload": b"tem 1"}, 1),
        ({"received_at": LATER}, 0),
    ],
)
def test_a_row_is_told_by_connection_external_id_and_payload(store: Store, again: dict[str, object], new: int) -> None:
    assert store.inbox.add([raw()]) == 1
    assert store.inbox.add([raw(**again)]) == new


def test_the_same_item_twice_in_one_page_is_one_row(store: Store) -> None:
    assert store.inbox.add([raw(), raw(), raw(2)]) == 2


def test_an_item_comes_back_as_it_was_given(store: Store) -> None:
    given = raw(payload=bytes(range(256)), realm="r", revision="v2", external_id="Ä/🎉")
    store.inbox.add([given])
    _, rows = store.inbox.claim(limit=1, now=NOON)
    assert rows[0].item == given


def test_an_external_id_of_ten_thousand_characters_is_taken_and_kept(store: Store) -> None:
    # Random, since PostgreSQL packs what repeats.
    long = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=10_000))
    assert store.inbox.add([raw(external_id=long), raw(external_id=long + "!")]) == 2
    assert store.inbox.add([raw(external_id=long)]) == 0
    assert store.inbox.claim(limit=1, now=NOON)[1][0].item.external_id == long


@pytest.mark.parametrize("column", ["external_id", "revision", "realm"])
def test_nul_and_half_surrogates_in_a_name_do_not_stop_the_page(store: Store, column: str) -> None:
    assert store.inbox.add([raw(**{column: HOSTILE}), raw(2)]) == 2
    _, rows = store.inbox.claim(limit=2, now=NOON)
    assert getattr(rows[0].item, column) == MENDED


def test_a_reason_with_nul_settles_its_row(store: Store) -> None:
    fill(store, 1)
    token, (row,) = claimed(store)
    settle(store, token, Settled(row, "failed", HOSTILE))
    assert store.inbox.failed()[0]["note"] == MENDED


def test_rows_are_claimed_oldest_first_up_to_the_limit(store: Store) -> None:
    fill(store, 5)
    ids = [*claimed(store, limit=2)[1], *claimed(store, limit=2)[1], *claimed(store, limit=2)[1]]
    assert ids == sorted(ids)
    assert len(ids) == 5


def test_a_row_that_came_in_the_future_waits_for_it(store: Store) -> None:
    store.inbox.add([raw(received_at=LATER)])
    assert (claimed(store)[1], store.inbox.due(now=NOON), store.inbox.due(now=LATER)) == ([], False, True)


def _claim_all(url: str, found: multiprocessing.Queue[list[int]]) -> None:
    store, mine = open_store(url), list[int]()
    while ids := claimed(store, limit=7)[1]:
        mine += ids
    found.put(mine)
    store.close()


def test_claims_of_many_processes_never_overlap(store: Store, database_url: str) -> None:
    fill(store, 300)
    spawn = multiprocessing.get_context("spawn")
    found: multiprocessing.Queue[list[int]] = spawn.Queue()
    workers = [spawn.Process(target=_claim_all, args=(database_url, found)) for _ in range(3)]
    for worker in workers:
        worker.start()
    ids = [one for _ in workers for one in found.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert (len(ids), len(set(ids))) == (300, 300)


def test_claims_of_many_threads_never_overlap(store: Store) -> None:
    fill(store, 200)
    ids: list[int] = []

    def work() -> None:
        while mine := claimed(store, limit=3)[1]:
            ids.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(ids), len(set(ids))) == (200, 200)


# ----------------------------------------------------------------------------------------------------------- settling


def test_settled_rows_are_not_claimed_again(store: Store) -> None:
    fill(store, 2)
    token, ids = claimed(store)
    settle(store, token, *(Settled(one, "done") for one in ids))
    assert (claimed(store)[1], store.inbox.counts()) == ([], {"done": 2})


def test_settling_after_the_lease_was_lost_changes_nothing(store: Store) -> None:
    fill(store, 1)
    token, (row,) = claimed(store)
    store.inbox.expire(now=LATER)
    with pytest.raises(LeaseLost):
        settle(store, token, Settled(row, "done"))
    assert store.inbox.counts() == {"new": 1}


def test_settling_a_part_only_is_refused(store: Store) -> None:
    fill(store, 2)
    token, ids = claimed(store)
    with pytest.raises(LeaseLost):
        settle(store, token, Settled(ids[0], "done"))


def test_released_rows_are_due_at_once_and_have_lost_nothing(store: Store) -> None:
    fill(store, 1)
    token, ids = claimed(store)
    store.inbox.release(token)
    assert claimed(store)[1] == ids


# --------------------------------------------------------------------------------------------------------- lost leases


def lose(store: Store, times: int) -> None:
    """Claim everything and lose it, some hours apart: a lost row waits longer each time."""
    for turn in range(times):
        now = NOON + timedelta(hours=3 * turn)
        while claimed(store, now=now)[1]:
            pass
        store.inbox.expire(now=now + LEASE + SOON)


LONG_AFTER = NOON + timedelta(days=2)


def test_a_lease_that_still_runs_is_let_be(store: Store) -> None:
    fill(store, 1)
    claimed(store)
    assert store.inbox.expire(now=NOON + LEASE - SOON) == 0


def test_a_lease_that_ran_out_is_taken_back(store: Store) -> None:
    fill(store, 1)
    _, ids = claimed(store)
    assert store.inbox.expire(now=NOON + LEASE + SOON) == 1
    assert claimed(store)[1] == ids


def test_a_renewed_lease_does_not_run_out(store: Store) -> None:
    fill(store, 1)
    token, _ = claimed(store)
    store.inbox.renew(token, now=NOON + LEASE)
    assert store.inbox.expire(now=NOON + LEASE + SOON) == 0


def test_a_row_that_was_lost_twice_runs_alone(store: Store) -> None:
    fill(store, 1)
    lose(store, ALONE_AFTER)
    store.inbox.add(raw(number, received_at=LONG_AFTER) for number in range(1, 4))
    assert [len(claimed(store, now=LONG_AFTER)[1]) for _ in range(3)] == [1, 3, 0]


def test_a_row_that_is_lost_again_and_again_is_quarantined_with_the_reason(store: Store) -> None:
    fill(store, 1)
    lose(store, QUARANTINE_AFTER)
    (row,) = store.inbox.failed()
    assert (row["state"], row["note"], claimed(store, now=LONG_AFTER)[1]) == ("quarantined", "its worker was lost", [])


def test_a_person_can_let_a_quarantined_row_try_again(store: Store) -> None:
    fill(store, 1)
    lose(store, QUARANTINE_AFTER)
    assert store.inbox.retry(None, now=NOON) == 1
    lose(store, QUARANTINE_AFTER - 1)
    assert store.inbox.counts() == {"new": 1}


def test_each_loss_but_the_last_lets_the_row_come_back(store: Store) -> None:
    fill(store, 1)
    lose(store, QUARANTINE_AFTER - 1)
    assert len(claimed(store, now=LONG_AFTER)[1]) == 1


def test_only_failed_and_quarantined_rows_are_taken_up_again(store: Store) -> None:
    fill(store, 3)
    token, ids = claimed(store)
    settle(store, token, Settled(ids[0], "done"), Settled(ids[1], "failed", "x"), Settled(ids[2], "ignored", "y"))
    assert (store.inbox.retry([ids[0]], now=NOON), store.inbox.retry(ids, now=NOON)) == (0, 1)
    assert store.inbox.counts() == {"done": 1, "new": 1, "ignored": 1}


def _claim_and_die(url: str) -> None:
    store = open_store(url)
    claimed(store)
    store.close()


def test_the_rows_of_a_dead_process_are_taken_back_before_their_lease_ends(store: Store, database_url: str) -> None:
    fill(store, 2)
    holder = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(database_url,))
    holder.start()
    holder.join()
    assert store.inbox.counts() == {"leased": 2}
    assert store.inbox.expire(now=NOON) == 2


def test_rows_that_a_living_process_holds_are_not_taken(store: Store) -> None:
    fill(store, 1)
    claimed(store)
    assert store.inbox.expire(now=NOON) == 0


def test_what_waits_and_what_failed_is_counted(store: Store) -> None:
    fill(store, 3)
    token, ids = claimed(store, limit=1)
    settle(store, token, Settled(ids[0], "failed", "x"))
    assert store.inbox.open_counts() == (2, 1)
