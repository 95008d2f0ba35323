"""Posts are looked for again in time, oldest first; what may not be kept goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from hub.core.errors import RateLimited, Unavailable
from hub.core.keys import signal_key
from hub.core.model import Signal, Tombstone
from hub.flow.erase.recheck import Checked, recheck, recheck_due, recheck_lanes
from hub.flow.sweep import prepare, ring_due
from hub.sdk.connectors import Compliance, Context
from tests.hubs import NOON, LineSource, Made

NewHub = Callable[..., Made]
LANE = "recheck/lines"


def asking(made: Made, *gone: str, size: int = 2) -> list[list[str]]:
    """Let the source be able to recheck: these ids are gone. Returns what it is asked, call by call."""
    asked: list[list[str]] = []

    def look(self: LineSource, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        asked.append([signal.native_id for signal in signals])
        return [Tombstone(one.key, "user_deleted", ctx.now()) for one in signals if one.native_id in gone]

    made.source.recheck_size = size
    made.source.recheck = look  # type: ignore[method-assign,assignment]  # a class made for this test
    made.memo.capabilities = frozenset({"tombstone"})
    return asked


def say(made: Made, *names: str) -> None:
    made.say(*({"id": name, "text": f"acme {name}"} for name in names))
    made.run()


def test_what_is_gone_is_taken_back(new_hub: NewHub) -> None:
    made = new_hub()
    asked = asking(made, "b")
    say(made, "a", "b", "c")
    made.clock.pass_(hours=1)
    assert recheck(made.hub, "lines", before=made.clock()) == Checked(3, 1)
    made.run()
    assert [len(part) for part in asked] == [2, 1]
    gone = [one.record_key for batch in made.memo.got for one in batch if one.operation == "tombstone"]
    assert gone == [signal_key("lines", "b")]


def test_the_longest_unchecked_comes_first_and_gone_ones_never_again(new_hub: NewHub) -> None:
    made = new_hub()
    asked = asking(made, "a", size=1)
    for name in ("a", "b"):
        say(made, name)
        made.clock.pass_(hours=1)
    recheck(made.hub, "lines", before=NOON + timedelta(minutes=1))
    made.clock.pass_(hours=1)
    recheck(made.hub, "lines", before=made.clock())
    assert asked == [["a"], ["b"]]


@pytest.mark.parametrize(("hours", "asks"), [(10.5, 0), (11.5, 1)])
def test_a_post_is_looked_for_before_half_of_the_time_has_passed(new_hub: NewHub, hours: float, asks: int) -> None:
    made = new_hub()
    asked = asking(made)
    say(made, "a")
    prepare(made.hub)
    made.clock.pass_(hours=hours)
    recheck_due(made.hub, LANE)
    assert len(asked) == asks


def test_the_scheduler_rings_for_a_recheck_that_is_due(new_hub: NewHub) -> None:
    made = new_hub()
    asking(made)
    prepare(made.hub)
    made.bell.rung.clear()
    ring_due(made.hub)
    assert (recheck_lanes(made.hub), ("poll", LANE) in made.bell.rung) == ([LANE], True)
    recheck_due(made.hub, LANE)
    assert recheck_due(made.hub, LANE) is None


def test_a_source_that_cannot_ask_is_not_scheduled(new_hub: NewHub) -> None:
    assert recheck_lanes(new_hub().hub) == []


def test_a_network_that_does_not_answer_says_nothing_about_its_posts(new_hub: NewHub) -> None:
    made = new_hub()
    asking(made)

    def fail(self: LineSource, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        raise Unavailable("down")

    made.source.recheck = fail  # type: ignore[method-assign,assignment]  # a class made for this test
    say(made, "a")
    prepare(made.hub)
    made.clock.pass_(hours=12)
    assert recheck_due(made.hub, LANE) == Checked()
    (row,) = [row for row in made.hub.store.cursors.list() if row["source"] == LANE]
    waiting = made.hub.store.rechecks.unchecked("lines", before=made.clock(), limit=9)
    assert (row["error"], len(waiting)) == ("Unavailable: down", 1)


def test_a_network_that_says_when_is_not_asked_before(new_hub: NewHub) -> None:
    made = new_hub()
    asking(made)

    def fail(self: LineSource, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        raise RateLimited("too many", retry_after=1800)

    made.source.recheck = fail  # type: ignore[method-assign,assignment]  # a class made for this test
    say(made, "a")
    prepare(made.hub)
    made.clock.pass_(hours=12)
    recheck_due(made.hub, LANE)
    (row,) = [row for row in made.hub.store.cursors.list() if row["source"] == LANE]
    assert row["due_at"] - made.clock() == timedelta(minutes=30)


@pytest.mark.parametrize(("slice_s", "wait"), [(0.000_001, timedelta()), (60, timedelta(hours=1))])
def test_posts_that_a_time_slice_leaves_are_looked_for_at_once(
    new_hub: NewHub, slice_s: float, wait: timedelta
) -> None:
    made = new_hub()
    asking(made, size=1)
    say(made, "a", "b")
    prepare(made.hub)
    made.clock.pass_(hours=12)
    recheck_due(made.hub, LANE, slice_s=slice_s)
    (row,) = [row for row in made.hub.store.cursors.list() if row["source"] == LANE]
    assert row["due_at"] - made.clock() == wait


def test_a_source_may_not_bury_what_it_was_not_asked(new_hub: NewHub) -> None:
    made = new_hub()
    asking(made)
    other = Tombstone(signal_key("lines", "b"), "user_deleted", NOON)
    made.source.recheck = lambda self, ctx, signals: [other]  # type: ignore[method-assign,assignment]  # a class made here
    say(made, "a")
    made.clock.pass_(hours=1)
    assert recheck(made.hub, "lines", before=made.clock()).gone == 0


def test_what_may_not_be_kept_any_longer_expires(new_hub: NewHub) -> None:
    made = new_hub()
    made.source.compliance = Compliance(timedelta(hours=24), keep=timedelta(days=30))
    made.memo.capabilities = frozenset({"tombstone"})
    say(made, "old")
    made.clock.pass_(days=20)
    say(made, "young")
    made.clock.pass_(days=11)
    assert recheck(made.hub, "lines", before=NOON) == Checked(expired=1)
    made.run()
    state = {row["key"]: row["state"] for row in made.hub.store.signals.recent()}
    assert state == {signal_key("lines", "old"): "expired", signal_key("lines", "young"): "live"}
    assert made.memo.got[-1][0].operation == "tombstone"


@pytest.mark.parametrize(("seconds", "asks"), [(1, 0), (9, 1)])
def test_a_source_may_be_asked_more_often_than_its_network_wants(new_hub: NewHub, seconds: float, asks: int) -> None:
    made = new_hub()
    section = made.hub.settings.sources["lines"].model_copy(update={"recheck_every": timedelta(seconds=8)})
    made.hub.settings = made.hub.settings.model_copy(update={"sources": {"lines": section}})
    asked = asking(made)
    say(made, "a")
    prepare(made.hub)
    made.clock.pass_(seconds=seconds)
    recheck_due(made.hub, LANE)
    (row,) = [row for row in made.hub.store.cursors.list() if row["source"] == LANE]
    assert (len(asked), row["due_at"] - made.clock()) == (asks, timedelta(seconds=8))
