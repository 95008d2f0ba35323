"""The breaker and the pace at work on deliveries; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from hub.core.errors import ConnectorError, QuotaExhausted, RateLimited, Rejected, Unavailable, Uncertain
from hub.core.retry import FAILURES
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver, deliver_batch
from hub.flow.sweep import ring_due
from hub.sdk.connectors import Lookup
from hub.sdk.http.pace import Pace, Slot
from tests.hubs import NOON, Made

NewHub = Callable[..., Made]


def broken(new_hub: NewHub, *, records: int = 7, **wanted: object) -> Made:
    """A hub whose destination has just failed as often as the breaker bears, one record at a time."""
    made = new_hub(batch=1, **wanted)
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(records)))
    process(made.hub)
    made.memo.raises = Unavailable("nobody there")
    for _ in range(FAILURES):
        deliver_batch(made.hub, "memo")
    return made


def standing(made: Made) -> str:
    return made.hub.store.connections.standing("memo").state


def test_a_destination_that_is_down_is_left_alone_after_five_batches(new_hub: NewHub) -> None:
    made = broken(new_hub)
    assert deliver(made.hub, "memo") == 0
    assert len(made.memo.got) == FAILURES
    assert made.states() == {"retry": 5, "pending": 2}


def test_an_open_breaker_burns_no_attempt(new_hub: NewHub) -> None:
    made = broken(new_hub)
    for _ in range(20):
        deliver(made.hub, "memo")
        made.clock.pass_(seconds=1)
    assert {row["attempts"] for row in made.hub.store.outbox.recent(state="pending")} == {0}


def test_an_open_breaker_is_shown_with_reason_and_time(new_hub: NewHub) -> None:
    made = broken(new_hub)
    (shown,) = made.hub.store.connections.pauses(now=made.clock())
    assert (shown["name"], shown["state"], shown["at"]) == ("memo", "open", made.clock())
    assert shown["reason"] == "5 batches in a row failed: nobody there"
    assert shown["paused_until"] == made.clock() + timedelta(seconds=30)


def test_nobody_is_rung_for_a_destination_whose_breaker_is_open(new_hub: NewHub) -> None:
    made = broken(new_hub)
    made.bell.rung.clear()
    ring_due(made.hub)
    assert ("deliver", "memo") not in made.bell.rung
    made.clock.pass_(seconds=30)
    ring_due(made.hub)
    assert ("deliver", "memo") in made.bell.rung


def test_after_half_a_minute_one_record_is_tried_and_then_the_rest(new_hub: NewHub) -> None:
    made = new_hub(batch=3)
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(30)))
    process(made.hub)
    made.memo.raises = Unavailable("nobody there")
    for _ in range(FAILURES):
        deliver_batch(made.hub, "memo")
    made.memo.raises = None
    made.clock.pass_(seconds=30)
    while deliver(made.hub, "memo", slice_s=30):
        pass
    assert [len(batch) for batch in made.memo.got[FAILURES:]] == [1, *[3] * 9, 2]
    assert (made.states(), standing(made)) == ({"delivered": 30}, "ok")


def test_a_probe_that_fails_opens_the_breaker_for_twice_as_long(new_hub: NewHub) -> None:
    made = broken(new_hub)
    made.clock.pass_(seconds=30)
    assert deliver(made.hub, "memo") == 1
    made.clock.pass_(seconds=59)
    assert deliver(made.hub, "memo") == 0
    made.clock.pass_(seconds=1)
    assert deliver(made.hub, "memo") == 1


def test_while_one_worker_probes_the_others_stay_away(new_hub: NewHub) -> None:
    made = broken(new_hub)
    made.clock.pass_(seconds=30)
    seen: list[int] = []

    def look(_: object) -> None:
        seen.append(deliver_batch(made.hub, "memo"))

    made.memo.raises, made.memo.answer = None, look
    deliver_batch(made.hub, "memo")
    assert (seen, standing(made)) == ([0], "ok")


def test_a_probe_without_anything_due_gives_its_turn_back(new_hub: NewHub) -> None:
    made = broken(new_hub, records=5)
    made.clock.pass_(seconds=30)
    while deliver_batch(made.hub, "memo"):  # what failed is due again after 5 s
        made.clock.pass_(minutes=20)
    made.hub.store.outbox.retry(None, now=made.clock() + timedelta(hours=1))
    assert deliver_batch(made.hub, "memo") == 0
    assert standing(made) == "open"


@pytest.mark.parametrize("answer", [Rejected("no"), RateLimited(retry_after=1), QuotaExhausted("full")])
def test_a_destination_that_answers_no_is_not_down(new_hub: NewHub, answer: ConnectorError) -> None:
    made = new_hub(batch=1)
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(10)))
    process(made.hub)
    made.memo.raises = answer
    for _ in range(10):
        deliver_batch(made.hub, "memo")
        made.clock.pass_(hours=2)
    assert standing(made) in ("ok", "paused")


def test_a_destination_where_one_of_many_records_fails_is_not_down(new_hub: NewHub) -> None:
    made = new_hub(batch=2)
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(20)))
    made.memo.answer = lambda one: None if int(one.fields["text"][5:]) % 2 else Unavailable()
    made.run()
    assert (standing(made), made.states()) == ("ok", {"delivered": 10, "retry": 10})


def test_resuming_closes_the_breaker(new_hub: NewHub) -> None:
    made = broken(new_hub)
    made.memo.raises = None
    made.hub.store.connections.resume("memo", now=made.clock())
    assert deliver(made.hub, "memo") == 2
    assert made.hub.store.connections.pauses(now=made.clock()) == []


class Silent:
    """A look-up that is never answered."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, *_: object) -> None:
        self.asked += 1
        raise Unavailable("nobody there")


def test_a_look_up_that_nobody_answers_is_not_repeated_for_the_whole_batch(new_hub: NewHub) -> None:
    made = new_hub(idempotency=Lookup(timedelta(seconds=1)))
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(10)))
    process(made.hub)
    made.memo.raises = Uncertain("timed out", code="timeout")
    deliver_batch(made.hub, "memo")
    made.memo.lookup = silent = Silent()  # type: ignore[method-assign,assignment]  # a fake of the fake
    for _ in range(FAILURES - 1):
        made.clock.pass_(seconds=31)
        deliver_batch(made.hub, "memo")
    assert (silent.asked, made.states(), standing(made)) == (FAILURES - 1, {"uncertain": 10}, "open")


def test_refused_calls_lose_nothing_and_burn_nothing(new_hub: NewHub) -> None:
    made = new_hub(batch=10)
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(40)))
    process(made.hub)
    made.memo.raises = RateLimited("slow down", retry_after=60)
    for _ in range(50):  # three days of nothing but refusals
        deliver(made.hub, "memo")
        made.clock.pass_(minutes=90)
    assert made.states().keys() <= {"parked", "pending"}
    made.memo.raises = None
    made.run()
    assert made.states() == {"delivered": 40}
    assert {row["attempts"] for row in made.hub.store.outbox.recent()} == {1}


def test_a_refused_call_keeps_the_other_batches_away_until_its_time(new_hub: NewHub) -> None:
    made = new_hub(batch=1)
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(3)))
    process(made.hub)
    made.memo.raises = RateLimited("slow down", retry_after=10)
    assert deliver(made.hub, "memo") == 1
    made.clock.pass_(seconds=9)
    assert deliver(made.hub, "memo") == 0
    made.memo.raises = None
    made.clock.pass_(seconds=3)
    assert deliver(made.hub, "memo") == 3


@pytest.mark.parametrize(
    "asked",
    [
        RateLimited(retry_after=float("nan")),
        RateLimited(retry_after=1e12),
        QuotaExhausted(until=NOON - timedelta(hours=1)),
    ],
)
def test_a_wait_that_makes_no_sense_neither_stops_a_connection_for_ever_nor_lets_it_ask_without_end(
    new_hub: NewHub, asked: ConnectorError
) -> None:
    made = new_hub(batch=1)
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    made.memo.raises = asked
    assert deliver(made.hub, "memo") == 1
    assert deliver(made.hub, "memo") == 0
    made.memo.raises = None
    made.clock.pass_(hours=27)
    made.run()
    assert made.states() == {"delivered": 1}


class Slow(Pace):
    """A pace whose next slot is far away."""

    def reserve(self, longest: float) -> Slot:
        return Slot(40.0, kept=False)

    def ahead(self) -> float:
        return 40.0

    def tell(self, status: int, headers: Mapping[str, str]) -> None: ...


def test_nothing_is_claimed_while_the_pace_lets_nothing_out(new_hub: NewHub) -> None:
    made = new_hub()
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    made.hub.destination_context("memo").http.pace = Slow()  # type: ignore[attr-defined]  # a Guard
    assert deliver(made.hub, "memo") == 0
    (row,) = made.hub.store.outbox.recent()
    assert (row["state"], row["attempts"]) == ("pending", 0)
    assert made.hub.store.connections.paused(now=made.clock()) == {"memo": "its pace: next in 40 s"}


def test_after_resuming_the_count_of_failures_starts_anew(new_hub: NewHub) -> None:
    made = broken(new_hub, records=9)
    made.hub.store.connections.resume("memo", now=made.clock())
    while deliver_batch(made.hub, "memo"):
        pass
    assert (standing(made), made.hub.store.connections.standing("memo").failures) == ("ok", 4)
