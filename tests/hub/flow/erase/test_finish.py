"""Erasures are closed once their receipts are in, in short transactions, for as long as a sweep may take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.keys import author_key
from hub.core.model import Tombstone
from hub.flow.erase.erase import SLICE, erase, finish
from tests.hubs import NOON, Made

COUNT = 2 * SLICE + 50


@pytest.fixture
def made(new_hub: Callable[..., Made]) -> Made:
    """A hub with more erasures to close than a transaction takes."""
    made = new_hub()
    with made.hub.store.database.write() as conn:
        gone = [Tombstone(f"lines:gone{number}", "erasure", NOON) for number in range(COUNT)]
        made.hub.store.erasures.open(conn, gone, now=NOON)
    return made


def test_all_that_are_settled_are_closed_in_one_sweep(made: Made) -> None:
    assert (finish(made.hub), finish(made.hub)) == (COUNT, 0)


def test_where_time_is_over_the_rest_is_closed_by_the_next_sweep(made: Made) -> None:
    assert [finish(made.hub, slice_s=0) for _ in range(4)] == [SLICE, SLICE, 50, 0]


def test_a_process_that_stops_closes_no_more_than_it_has_begun(made: Made) -> None:
    made.hub.stopping.set()
    assert finish(made.hub, slice_s=60) == SLICE


def test_posts_that_wait_for_labels_hold_up_no_erasure(new_hub: Callable[..., Made]) -> None:
    made = new_hub()
    made.hub.broken["enrichers.mood"] = "it is away"
    made.say({"id": "1", "text": "acme"}, {"id": "2", "text": "acme", "by": "eve"})
    made.run()
    erase(made.hub, [Tombstone(author_key("lines", "eve"), "erasure", made.clock())])
    made.run()
    assert (made.hub.store.inbox.count_marks(), finish(made.hub)) == (2, 2)
