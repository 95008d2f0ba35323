"""Conversations: the same whatever the order, and of two tickets of one matter the unsent one is given up."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from hub.core.model import Signal
from hub.core.threads import BatchThreads, Dropped, Move, Rivals, keys_of, reunite, thread_of
from tests.hub.core.given import signal


def post(name: str, **changes: Any) -> Signal:
    return signal(**{"key": f"lines:{name}", **changes})


ROOT, CHILD = post("root"), post("child", in_reply_to="lines:root")
GRANDCHILD = post("grandchild", in_reply_to="lines:child")


@pytest.mark.parametrize(
    ("told", "thread"),
    [
        (ROOT, "lines:root"),
        (CHILD, "lines:root"),
        (post("x", conversation_key="lines:far", in_reply_to="lines:near"), "lines:far"),
        (post("x", conversation_key="lines:x", in_reply_to="lines:near"), "lines:near"),
        (post("x", parent_alias="local-7"), "local-7"),
    ],
)
def test_a_signal_tells_of_its_conversation(told: Signal, thread: str) -> None:
    assert thread_of(told) == thread


@pytest.mark.parametrize(
    "order", list(permutations([ROOT, CHILD, GRANDCHILD])), ids=lambda order: "-".join(o.key for o in order)
)
def test_root_and_replies_are_one_conversation_in_any_order(order: tuple[Signal, ...]) -> None:
    threads = BatchThreads()
    placed = [threads.place(one) for one in order]
    assert {threads.settled(one).conversation_key for one in placed} == {"lines:root"}


def test_a_reply_that_names_its_parent_by_another_name_finds_it_when_it_comes() -> None:
    threads = BatchThreads(names={"local-7": "lines:root"})
    early = threads.place(post("early", parent_alias="local-7"))
    threads.place(post("root", aliases=("local-7",)))
    assert threads.settled(early).in_reply_to == "lines:root"
    assert threads.settled(early).conversation_key == "lines:root"


def test_what_waited_under_a_posts_name_joins_it() -> None:
    threads = BatchThreads(live={"lines:child"})
    threads.place(CHILD)
    assert (threads.moves, threads.is_woven) == ([Move("lines:child", "lines:root")], True)


def test_merges_that_run_in_a_circle_end() -> None:
    threads = BatchThreads(homes={"a": "b", "b": "a"})
    assert threads.home("a") in {"a", "b"}


def test_a_copy_grows_by_itself() -> None:
    threads = BatchThreads(live={"lines:child"})
    threads.copy().place(CHILD)
    assert threads == BatchThreads(live={"lines:child"})


def test_what_is_kept_under_an_earlier_key_counts_for_the_key_of_now() -> None:
    threads = BatchThreads(homes={"old": "new"})
    assert threads.fold({"old": {"a": 1, "b": 2}, "new": {"a": 3}}) == {"new": {"a": 3, "b": 2}}
    assert threads.fold_flat({"old": "x", "other": "y"}) == {"new": "x", "other": "y"}


def test_all_keys_are_asked_for_under_which_something_may_be_stored() -> None:
    threads = BatchThreads(known={"lines:root": "far"}, homes={"far": "farther"})
    one = post("child", in_reply_to="lines:root", aliases=("local-8",))
    assert set(keys_of(threads, [one])) == {"lines:child", "lines:root", "local-8", "far", "farther"}


OPENED = {"old": {"desk": "lines:a"}, "new": {"desk": "lines:b"}}
STORED = {"lines:a": post("a"), "lines:b": post("b")}


@pytest.mark.parametrize(
    ("unsent", "dropped", "again", "opener"),
    [
        ({("old", "desk"): "old"}, [Dropped("desk", "old")], ["lines:a"], "lines:b"),
        ({("new", "desk"): "new"}, [Dropped("desk", "new")], ["lines:b"], "lines:a"),
        ({("old", "desk"): "old", ("new", "desk"): "new"}, [Dropped("desk", "old")], ["lines:a"], "lines:b"),
        ({}, [], [], "lines:b"),
    ],
)
def test_of_two_tickets_one_that_was_not_sent_is_given_up(
    unsent: dict[tuple[str, str], str], dropped: list[Dropped], again: list[str], opener: str
) -> None:
    threads = BatchThreads(moves=[Move("old", "new")])
    found = reunite(threads, Rivals(unsent, STORED), opened=OPENED, sizes={"old": 2, "new": 3})
    assert ([one.key for one in found.again], found.dropped) == (again, dropped)
    assert (found.opened, found.sizes) == ({"new": {"desk": opener}}, {"new": 5})


def test_a_post_that_is_gone_is_not_judged_again() -> None:
    threads, gone = BatchThreads(moves=[Move("old", "new")]), {"lines:a": post("a", state="deleted")}
    assert reunite(threads, Rivals({("old", "desk"): "old"}, gone), opened=OPENED, sizes={}).again == []
