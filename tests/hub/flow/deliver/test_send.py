"""Deliveries: states, doubts, order, pauses; on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from operator import itemgetter

import pytest

from hub.core.errors import (
    ConnectorError,
    LeaseLost,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.core.keys import signal_key
from hub.core.model import Delivery, RemoteRef
from hub.core.retry import ConnectionStanding
from hub.flow.decide.batch import process
from hub.flow.deliver.outlets import close_claim
from hub.flow.deliver.send import deliver, deliver_batch
from hub.sdk.connectors import Idempotency, Lookup, Native, NoIdempotency, Outcome, Upsert
from hub.sdk.context import Context
from hub.store.ledger.deliveries import Settlement
from tests.hubs import NOON, Made, Memo
from tests.logs import captured

NewHub = Callable[..., Made]


def started(new_hub: NewHub, **wanted: object) -> Made:
    made = new_hub(**wanted)
    made.say({"id": "1", "text": "acme"})
    process(made.hub)
    return made


def test_a_batch_that_was_sent_is_one_line_and_its_records_are_for_who_asks_for_more(new_hub: NewHub) -> None:
    made = new_hub()
    made.say(*({"id": str(number), "text": "acme"} for number in range(3)))
    process(made.hub)
    with captured() as lines:
        deliver(made.hub, "memo")
    assert [line for line in lines if line["log_level"] != "debug"] == [
        {"event": "a batch was sent", "log_level": "info", "destination": "memo", "delivered": 3}
    ]
    assert sum(line["log_level"] == "debug" for line in lines) == 3


@pytest.mark.parametrize(
    ("error", "state", "burnt"),
    [
        (Unavailable(), "retry", 1),
        (RateLimited(retry_after=5), "parked", 0),
        (QuotaExhausted(), "parked", 0),
        (Unauthorised(), "blocked", 0),
        (Rejected("no such field", field="x"), "dead", 1),
        (Uncertain(), "uncertain", 1),
    ],
)
def test_an_error_leads_to_its_state(new_hub: NewHub, error: ConnectorError, state: str, burnt: int) -> None:
    made = started(new_hub)
    made.memo.raises = error
    deliver_batch(made.hub, "memo")
    (row,) = made.hub.store.outbox.recent()
    assert (row["state"], row["attempts"]) == (state, burnt)


def broken(*_: object) -> int:
    raise KeyError("note")


@pytest.mark.parametrize("size", [broken, lambda *_: 0], ids=["a bug", "none at once"])
def test_a_destination_that_cannot_tell_its_batch_size_is_sent_one_at_a_time(
    new_hub: NewHub, size: Callable[..., int]
) -> None:
    made = started(new_hub)
    made.memo.batch_size_of = size  # type: ignore[method-assign, assignment]  # a plugin's bug
    made.say({"id": "2", "text": "acme"})
    made.run()
    assert [len(batch) for batch in made.memo.got] == [1, 1]


def test_a_doubt_about_a_destination_that_cannot_tell_its_idempotency_is_a_persons(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.raises = Uncertain()
    made.memo.idempotency_of = broken  # type: ignore[method-assign, assignment]  # a plugin's bug
    made.run()
    assert (len(made.memo.got), made.states()) == (1, {"review": 1})


def test_an_outcome_with_an_error_that_is_none_of_the_engines_is_a_bug(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.deliver = lambda _self, _ctx, batch: [Outcome(one.id, error=ValueError("odd")) for one in batch]  # type: ignore[method-assign, assignment, misc, arg-type]  # a plugin's bug
    deliver_batch(made.hub, "memo")
    (row,) = made.hub.store.outbox.recent()
    assert (row["state"], row["error"]["message"]) == ("uncertain", "a bug of the connector: ValueError: odd")


def test_a_retry_comes_after_its_wait_and_lands(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.raises = Unavailable()
    deliver(made.hub, "memo")
    made.memo.raises = None
    assert deliver(made.hub, "memo") == 0
    made.clock.pass_(seconds=5)
    assert deliver(made.hub, "memo") == 1
    assert made.states() == {"delivered": 1}


def test_what_is_logged_of_a_delivery_names_it_and_its_signal(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.raises = Unavailable("down")
    with captured() as lines:
        deliver(made.hub, "memo")
        made.memo.raises = None
        made.clock.pass_(seconds=6)
        deliver(made.hub, "memo")
    (row,) = made.hub.store.outbox.recent()
    named = [(line["event"], line["delivery"], line["signal"]) for line in lines if "delivery" in line]
    assert named == [(event, row["id"], signal_key("lines", "1")) for event in ("not delivered", "delivered")]


def test_the_schedule_ends_in_a_dead_letter(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.raises = Unavailable("down")
    for _ in range(8):
        deliver(made.hub, "memo")
        made.clock.pass_(hours=11)
    assert made.states() == {"dead": 1}


def test_a_refused_record_does_not_hold_up_its_neighbours(new_hub: NewHub) -> None:
    made = new_hub()
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(5)))
    made.memo.answer = lambda one: Rejected("too long", field="text") if one.fields["text"] == "acme 3" else None
    made.run()
    assert made.states() == {"delivered": 4, "dead": 1}


def test_a_dead_letter_keeps_reason_and_field_and_lands_after_a_retry(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.raises = Rejected("too long", field="text", code="STRING_TOO_LONG")
    deliver(made.hub, "memo")
    (row,) = made.hub.store.outbox.recent()
    assert row["error"] == {"class": "Rejected", "code": "STRING_TOO_LONG", "message": "too long", "field": "text"}
    key = made.memo.got[0][0].key
    made.memo.raises = None
    assert made.hub.store.outbox.retry([row["id"]], now=made.clock()) == 1
    deliver(made.hub, "memo")
    assert made.memo.got[-1][0].key == key
    assert made.states() == {"delivered": 1}


def test_a_bug_that_comes_again_is_left_to_a_person_with_what_it_said(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.raises = ZeroDivisionError("oops")
    deliver(made.hub, "memo")
    (row,) = made.hub.store.outbox.recent()
    assert row["state"] == "review"
    assert "ZeroDivisionError: oops" in row["error"]["message"]
    assert len(made.memo.got) == 2  # once with the others, once by itself


POISON = "acme 3"


def poisoned(made: Made, written: Counter[str]) -> None:
    """Let the destination write record after record, and raise at one of them: what it wrote before has no outcome."""

    def deliver(_self: Memo, _ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        outcomes = []
        for one in batch:
            if one.fields["text"] == POISON:
                raise KeyError("poison")
            if one.key not in made.memo.found:
                made.memo.found[one.key] = RemoteRef(one.fields["text"])
            written[one.fields["text"]] += 1
            outcomes.append(Outcome.delivered(one, made.memo.found[one.key]))
        return outcomes

    made.memo.deliver = deliver  # type: ignore[method-assign]  # a plugin's bug


@pytest.mark.parametrize(
    "kind", [Upsert(), Native(timedelta(days=1)), Lookup(timedelta(0))], ids=lambda kind: type(kind).__name__
)
def test_the_record_that_raises_is_set_aside_and_the_others_land(new_hub: NewHub, kind: Idempotency) -> None:
    made, written = new_hub(), Counter[str]()
    made.memo.idempotency = kind
    poisoned(made, written)
    made.say(*({"id": str(number), "text": f"acme {number}"} for number in range(1, 6)))
    made.run()
    made.clock.pass_(minutes=2)
    made.run()
    rows = sorted(made.hub.store.outbox.recent(), key=itemgetter("id"))
    assert [row["state"] for row in rows] == ["delivered", "delivered", "review", "delivered", "delivered"]
    assert "KeyError: 'poison'" in rows[2]["error"]["message"]
    if isinstance(kind, Lookup):
        assert set(written.values()) == {1}  # what landed before the bug was found, not written again


class Panic(BaseException):
    """As what a library in another language raises."""


class Own(Rejected):
    """A plugin's own class, which does not call the constructor above."""

    def __init__(self) -> None:
        pass


class Mute(Exception):
    """Its text is one more bug."""

    def __str__(self) -> str:
        raise RuntimeError


MISFITS: dict[str, Callable[[Delivery], object]] = {
    "nothing": lambda _: None,
    "no outcome": lambda _: "ok",
    "an id that is no number": lambda one: Outcome([one.id]),  # type: ignore[arg-type]
    "a reference that is a text": lambda one: Outcome(one.id, ref="77"),  # type: ignore[arg-type]
    "a reference with a number": lambda one: Outcome(one.id, ref=RemoteRef(77)),  # type: ignore[arg-type]
    "a reference without an id": lambda one: Outcome(one.id, ref=RemoteRef(None)),  # type: ignore[arg-type]
    "a link that is none": lambda one: Outcome(one.id, ref=RemoteRef("77", url=7)),  # type: ignore[arg-type]
    "an error that is a text": lambda one: Outcome(one.id, error="no"),  # type: ignore[arg-type]
    "an error that is a class": lambda one: Outcome(one.id, error=Rejected),  # type: ignore[arg-type]
    "an error that says nothing": lambda one: Outcome(one.id, error=ConnectorError("odd")),
    "an exit": lambda one: Outcome(one.id, error=SystemExit(1)),  # type: ignore[arg-type]
    "what is left in numbers": lambda one: Outcome(one.id, left=(1,)),  # type: ignore[arg-type]
    "what is left in one text": lambda one: Outcome(one.id, left="it"),  # type: ignore[arg-type]
    "what has moved as a list": lambda one: Outcome(one.id, moved=[1]),  # type: ignore[arg-type]
    "what has moved to a text": lambda one: Outcome(one.id, moved={"author": "7"}),  # type: ignore[dict-item]
    "an exit that is raised": lambda _: raise_(SystemExit(3)),
    "an end that is raised": lambda _: raise_(GeneratorExit()),
    "a panic that is raised": lambda _: raise_(Panic()),
    "an error without a text": lambda _: raise_(Mute()),
    "an error without a meaning": lambda _: raise_(ConnectorError("odd")),
}
"""What a plugin answers for one record of three."""


def raise_(error: BaseException) -> object:
    raise error


def answering_for_the_second(made: Made, answer: Callable[[Delivery], object]) -> None:
    def deliver(_self: Memo, _ctx: Context, batch: Sequence[Delivery]) -> list[object]:
        fine = Outcome.delivered
        return [answer(one) if one.fields["text"] == "acme 2" else fine(one, RemoteRef("r")) for one in batch]

    made.memo.deliver = deliver  # type: ignore[method-assign, assignment]  # a plugin's bug
    made.say(*({"id": str(number), "text": f"acme {number}"} for number in (1, 2, 3)))
    made.run()
    made.clock.pass_(minutes=2)
    made.run()


def states_in_order(made: Made) -> list[str]:
    return [row["state"] for row in sorted(made.hub.store.outbox.recent(), key=itemgetter("id"))]


@pytest.mark.parametrize("case", MISFITS)
def test_an_answer_that_is_not_as_its_contract_says_is_a_bug_of_its_record_only(new_hub: NewHub, case: str) -> None:
    made = new_hub()
    answering_for_the_second(made, MISFITS[case])
    assert states_in_order(made) == ["delivered", "review", "delivered"]


ODDLY_MADE: dict[str, tuple[ConnectorError, str]] = {
    "seconds as a text": (RateLimited(retry_after="120"), "parked"),  # type: ignore[arg-type]
    "seconds as a time": (RateLimited(retry_after=NOON), "parked"),  # type: ignore[arg-type]
    "a time without a zone": (QuotaExhausted(until=NOON.replace(tzinfo=None)), "parked"),
    "a time as a text": (QuotaExhausted(until="tomorrow"), "parked"),  # type: ignore[arg-type]
    "a code that is a number": (Rejected(code=400), "dead"),  # type: ignore[arg-type]
    "a field that is a list": (Rejected(field=["a"]), "dead"),  # type: ignore[arg-type]
    "details that are no JSON": (Rejected(details={"a": object()}), "dead"),
    "details that are a text": (Rejected(details="no"), "dead"),  # type: ignore[arg-type]
    "an own class": (Own(), "dead"),
}


@pytest.mark.parametrize("case", ODDLY_MADE)
def test_an_error_that_is_oddly_made_keeps_its_meaning(new_hub: NewHub, case: str) -> None:
    made = new_hub()
    error, state = ODDLY_MADE[case]
    answering_for_the_second(made, lambda one: Outcome.failed(one, error))
    assert states_in_order(made) == ["delivered", state, "delivered"]


def test_two_outcomes_that_differ_leave_their_record_to_a_person(new_hub: NewHub) -> None:
    made = started(new_hub)
    both = [Outcome.delivered, lambda one: Outcome.failed(one, Rejected("no"))]
    made.memo.deliver = lambda _self, _ctx, batch: [each(one) for one in batch for each in both]  # type: ignore[method-assign, assignment, misc]  # a plugin's bug
    made.run()
    assert made.states() == {"review": 1}


def test_an_outcome_of_another_delivery_pauses_nothing(new_hub: NewHub) -> None:
    made = started(new_hub)
    stranger = Outcome(99, error=Unauthorised("no"))
    made.memo.deliver = lambda _self, _ctx, batch: [*map(Outcome.delivered, batch), stranger]  # type: ignore[method-assign, assignment, misc]  # a plugin's bug
    made.run()
    assert (made.states(), made.hub.store.connections.standing("memo").state) == ({"delivered": 1}, "ok")


@pytest.mark.parametrize("found", ["77", RemoteRef(77)], ids=["a text", "a number"])  # type: ignore[arg-type]
def test_a_look_up_that_finds_something_else_than_a_reference_is_a_persons(new_hub: NewHub, found: object) -> None:
    made = started(new_hub, idempotency=Lookup(timedelta(0)))
    made.memo.raises = Uncertain()
    made.memo.lookup = lambda *_: found  # type: ignore[method-assign, assignment]  # a plugin's bug
    made.run()
    assert made.states() == {"review": 1}


def test_a_bug_at_a_destination_that_recognises_nothing_leaves_the_batch_to_a_person(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.idempotency = NoIdempotency()
    poisoned(made, Counter())
    made.say(*({"id": str(number), "text": f"acme {number}"} for number in range(1, 6)))
    made.run()
    assert made.states() == {"review": 5}


def test_a_bug_says_nothing_of_the_other_side(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.raises = ZeroDivisionError("oops")
    deliver(made.hub, "memo")
    assert made.hub.store.connections.standing("memo") == ConnectionStanding()


def test_refused_credentials_pause_the_connection(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.say({"id": "2", "text": "acme 2"})
    made.memo.raises = Unauthorised("token expired")
    made.run()
    assert made.hub.store.connections.paused(now=made.clock()) == {"memo": "token expired"}
    made.say({"id": "3", "text": "acme 3"})
    process(made.hub)
    assert deliver(made.hub, "memo") == 0
    made.memo.raises = None
    made.clock.pass_(minutes=6)
    while deliver(made.hub, "memo"):
        pass
    assert made.states() == {"delivered": 3}


def test_a_doubt_about_an_upsert_is_sent_again_under_the_same_key(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.memo.raises = Uncertain()
    deliver_batch(made.hub, "memo")
    made.memo.raises = None
    deliver(made.hub, "memo")
    assert made.memo.got[0][0].key == made.memo.got[1][0].key
    assert made.states() == {"delivered": 1}


def test_a_doubt_that_can_be_looked_up_is_not_sent_again_when_found(new_hub: NewHub) -> None:
    made = started(new_hub, idempotency=Lookup(timedelta(seconds=30)))
    made.memo.raises = Uncertain()
    deliver_batch(made.hub, "memo")
    made.memo.raises = None
    made.memo.found[made.memo.got[0][0].key] = RemoteRef("there")
    deliver(made.hub, "memo")
    assert made.states() == {"uncertain": 1}
    made.clock.pass_(seconds=31)
    deliver(made.hub, "memo")
    assert (made.states(), len(made.memo.got)) == ({"delivered": 1}, 1)
    assert made.hub.store.outbox.recent()[0]["remote_id"] == "there"


def test_a_doubt_that_is_not_found_is_sent(new_hub: NewHub) -> None:
    made = started(new_hub, idempotency=Lookup(timedelta(seconds=30)))
    made.memo.raises = Uncertain()
    deliver_batch(made.hub, "memo")
    made.memo.raises = None
    made.clock.pass_(seconds=31)
    deliver(made.hub, "memo")
    assert (made.states(), len(made.memo.got)) == ({"delivered": 1}, 2)


def test_inside_a_native_window_a_doubt_is_sent_again_and_after_it_looked_up(new_hub: NewHub) -> None:
    made = started(new_hub, idempotency=Native(timedelta(hours=2)))
    made.memo.raises = Uncertain()
    deliver_batch(made.hub, "memo")
    deliver_batch(made.hub, "memo")
    assert len(made.memo.got) == 2
    made.clock.pass_(hours=3)
    made.memo.found[made.memo.got[0][0].key] = RemoteRef("there")
    deliver_batch(made.hub, "memo")
    assert (len(made.memo.got), made.states()) == (2, {"delivered": 1})


def test_where_nobody_can_tell_a_person_decides(new_hub: NewHub) -> None:
    made = started(new_hub, idempotency=NoIdempotency())
    made.memo.raises = Uncertain()
    deliver_batch(made.hub, "memo")
    deliver(made.hub, "memo")
    assert (made.states(), len(made.memo.got)) == ({"review": 1}, 1)
    (row,) = made.hub.store.outbox.recent()
    assert made.hub.store.outbox.discard([row["id"]], note="seen there", now=made.clock()) == 1
    assert made.states() == {"discarded": 1}


def test_a_lost_lease_leaves_a_doubt(new_hub: NewHub) -> None:
    made = started(new_hub)
    made.hub.store.deliveries.claim("memo", size=lambda *_: 10, now=made.clock())
    made.clock.pass_(seconds=60)
    assert made.hub.store.deliveries.expire(now=made.clock()) == 1
    assert made.states() == {"uncertain": 1}


def test_the_author_lands_before_the_signal(new_hub: NewHub) -> None:
    made = new_hub(mapping="said")
    made.say({"id": "1", "text": "acme", "by": "ana"}, {"id": "2", "text": "acme too", "by": "bo"})
    made.run()
    assert [[one.object for one in batch] for batch in made.memo.got] == [["person", "person"], ["said", "said"]]
    assert all(one.parents["author"].id for one in made.memo.got[1])


def test_a_signal_waits_while_its_author_cannot_land(new_hub: NewHub) -> None:
    made = new_hub(mapping="said")
    made.say({"id": "1", "text": "acme", "by": "ana"}, {"id": "2", "text": "acme too", "by": "bo"})
    made.memo.answer = lambda one: Rejected("no") if one.fields.get("handle") == "bo" else None
    made.run()
    assert made.states() == {"delivered": 2, "dead": 1, "pending": 1}
    made.memo.answer = None
    made.hub.store.outbox.retry(None, now=made.clock(), state="dead")
    made.run()
    assert made.states() == {"delivered": 4}


def test_comments_wait_for_their_ticket_and_know_it(new_hub: NewHub) -> None:
    made = new_hub(mapping="ticket")
    made.say({"id": "1", "text": "acme"}, {"id": "2", "text": "acme?", "re": "1"})
    made.memo.raises = Unavailable()
    made.run()
    assert [one.object for batch in made.memo.got for one in batch] == ["ticket"]
    made.memo.raises = None
    made.clock.pass_(minutes=1)
    made.run()
    assert made.memo.got[-1][0].parents["conversation"] == RemoteRef(
        made.memo.got[-2][0].record_key[-6:].join(["r-", ""])
    )


def test_an_unchanged_author_is_sent_once(new_hub: NewHub) -> None:
    made = new_hub(mapping="said")
    made.say({"id": "1", "text": "acme 1"})
    made.run()
    made.say({"id": "2", "text": "acme 2"})
    made.run()
    assert [one.object for batch in made.memo.got for one in batch] == ["person", "said", "said"]


def test_a_thousand_records_of_one_kind_go_in_full_batches(new_hub: NewHub) -> None:
    made = new_hub(batch=200)
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(1000)))
    made.run()
    assert [len(batch) for batch in made.memo.got] == [200] * 5


def test_two_workers_never_get_the_same_row(new_hub: NewHub) -> None:
    made = new_hub(batch=3)
    made.say(*({"id": str(n), "text": f"acme {n}"} for n in range(9)))
    process(made.hub)
    claims = [made.hub.store.deliveries.claim("memo", size=lambda *_: 3, now=made.clock()) for _ in range(4)]
    ids = [one.id for claim in claims if claim for one in claim.deliveries]
    assert len(ids) == len(set(ids)) == 9
    assert claims[3] is None


def test_settling_after_the_lease_was_lost_changes_nothing(new_hub: NewHub) -> None:
    made = started(new_hub)
    claim = made.hub.store.deliveries.claim("memo", size=lambda *_: 3, now=made.clock())
    made.clock.pass_(minutes=5)
    made.hub.store.deliveries.expire(now=made.clock())
    assert claim is not None
    with pytest.raises(LeaseLost):
        close_claim(made.hub, claim, [Settlement(claim.deliveries[0].id, "delivered")])
    assert made.states() == {"uncertain": 1}
