"""What people are told, and how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hub.flow.monitor.alerts import Alert
from hub.flow.monitor.notices import LEASE, meet, settle, take
from hub.store.monitor.alerts import Kept

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DEAD = Alert("dead:crm", "warning", "dead letters rise")


class World:
    """A book of alerts, its clock, and what people were told."""

    def __init__(self) -> None:
        self.now, self.book, self.told = NOON, dict[str, Kept](), list[str]()

    def see(self, *alerts: Alert, minutes: float = 0, fine: bool = True) -> list[str]:
        """Time passes, somebody looks, and what is due is told; returns what was told now."""
        self.now += timedelta(minutes=minutes)
        met = meet(self.book, alerts, now=self.now, cooldown=HOUR)
        taken, due = take(met, now=self.now)
        self.book = dict(settle(taken, due, fine=fine, now=self.now, repeat=DAY))
        return [("wrong" if one.is_open else "over") for one in due]


def test_an_alert_is_told_once_while_it_lasts() -> None:
    world = World()
    assert [world.see(DEAD), world.see(DEAD, minutes=5), world.see(DEAD, minutes=60 * 5)] == [["wrong"], [], []]


def test_an_alert_that_lasts_is_told_again_each_day() -> None:
    world = World()
    world.see(DEAD)
    assert world.see(DEAD, minutes=60 * 24) == ["wrong"]


def test_its_end_is_told_once() -> None:
    world = World()
    world.see(DEAD)
    assert [world.see(minutes=5), world.see(minutes=5)] == [["over"], []]


def test_an_alert_that_flaps_is_told_once_in_the_cooldown() -> None:
    world = World()
    told = [world.see(*([DEAD] if number % 2 == 0 else []), minutes=2) for number in range(20)]
    assert [word for words in told for word in words] == ["wrong", "over"]


def test_after_the_cooldown_a_new_outbreak_is_told() -> None:
    world = World()
    world.see(DEAD)
    world.see(minutes=5)
    assert [world.see(DEAD, minutes=5), world.see(DEAD, minutes=55)] == [[], ["wrong"]]


def test_what_nobody_heard_of_has_no_end() -> None:
    world = World()
    world.see(DEAD, fine=False)
    assert (world.see(minutes=5), world.book) == ([], {})


def test_what_could_not_be_sent_is_sent_later() -> None:
    world = World()
    world.see(DEAD, fine=False)
    assert [world.see(DEAD), world.see(DEAD, minutes=1)] == [[], ["wrong"]]


def test_two_alerts_have_each_its_own_cooldown() -> None:
    world, other = World(), Alert("quota:crm", "warning", "the quota runs out")
    world.see(DEAD)
    assert world.see(DEAD, other, minutes=1) == ["wrong"]


def test_what_is_set_aside_is_told_by_nobody_else() -> None:
    met = meet({}, [DEAD], now=NOON, cooldown=HOUR)
    taken, due = take(met, now=NOON)
    assert (len(due), take(taken, now=NOON)[1], len(take(taken, now=NOON + LEASE)[1])) == (1, [], 1)


def test_an_alert_that_ended_while_it_was_sent_gets_its_end_told() -> None:
    met = meet({}, [DEAD], now=NOON, cooldown=HOUR)
    taken, due = take(met, now=NOON)
    gone = meet(taken, [], now=NOON, cooldown=HOUR)
    book = settle(gone, due, fine=True, now=NOON, repeat=DAY)
    assert [one.is_open for one in take(book, now=NOON)[1]] == [False]
