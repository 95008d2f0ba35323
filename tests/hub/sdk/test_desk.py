"""A conversation is a ticket: opened once, looked up after a doubt, spoken in, followed up, noted in private."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.errors import Rejected, Retryable, Uncertain
from hub.core.model import Delivery, RemoteRef
from hub.sdk.connectors import Outcome
from hub.sdk.desk import STEPS, follow_up_key
from hub.testkit.fakes import FakeClock, FakeHttp, context
from tests.hub.sdk.parlour import Parlour, ParlourDestination, ParlourOptions

DAY = 86_400


class Room:
    """The connector in front of the vendor, with ticket 1 open."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.vendor = Parlour(self.clock)
        self.http = FakeHttp(self.vendor)
        self.destination = ParlourDestination(ParlourOptions())
        self.ctx = context(self.http, clock=self.clock)
        self.deliver(delivery(1, "create"))

    def deliver(self, *batch: Delivery) -> list[Outcome]:
        return self.destination.deliver(self.ctx, batch)

    def lookup(self, one: Delivery) -> RemoteRef | None:
        return self.destination.lookup(self.ctx, one)

    def solve(self, days: int) -> None:
        self.vendor.put("1", state="solved", solved_at=self.clock().isoformat())
        self.clock.advance(days * DAY)


def delivery(number: int, operation: str = "comment", **changes: Any) -> Delivery:
    parents = {} if operation == "create" else {"conversation": RemoteRef("1")}
    given: dict[str, Any] = {
        "id": number,
        "destination": "desk",
        "object": "ticket",
        "record_key": f"k{number}",
        "seq": 1,
    }
    given |= {"operation": operation, "key": f"d{number}", "fields": {"text": f"word {number}"}, "parents": parents}
    return Delivery(**{**given, **changes})


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_conversation_is_opened_once(room: Room) -> None:
    (again,) = room.deliver(delivery(1, "create", ref=RemoteRef("1")))
    assert again.ref == RemoteRef("1")
    assert list(room.vendor.tickets) == ["1"]


@pytest.mark.parametrize("operation", ["create", "comment", "note"])
def test_what_a_lost_answer_did_is_found_by_its_mark(room: Room, operation: str) -> None:
    assert room.lookup(delivery(2, operation)) is None
    room.vendor.lose = 1
    (lost,) = room.deliver(delivery(2, operation))
    assert isinstance(lost.error, Uncertain)
    assert room.lookup(delivery(2, operation)) == (
        room.destination.desk(room.ctx).ref("2") if operation == "create" else RemoteRef("1-2")
    )


def test_messages_keep_their_order_and_none_overtakes_a_doubt(room: Room) -> None:
    room.vendor.lose = 1
    first, second = room.deliver(delivery(2), delivery(3))
    assert isinstance(first.error, Uncertain)
    assert type(second.error) is Retryable
    assert room.vendor.words("1") == ["word 1", "word 2"]


def test_a_message_opens_a_solved_ticket_again_and_a_note_does_not(room: Room) -> None:
    room.solve(29)
    room.deliver(delivery(2, "note"))
    assert room.vendor.tickets["1"]["state"] == "solved"
    assert room.vendor.tickets["1"]["messages"][-1]["private"] is True
    room.deliver(delivery(3))
    assert room.vendor.tickets["1"]["state"] == "open"


@pytest.mark.parametrize("how", ["closed", "solved too long ago"])
def test_a_closed_ticket_is_followed_up_once(room: Room, how: str) -> None:
    room.solve(31)
    if how == "closed":
        room.vendor.put("1", state="closed")
    outcomes = room.deliver(delivery(2), delivery(3))
    assert [one.moved["conversation"].id for one in outcomes] == ["2", "2"]
    assert room.vendor.words("2") == ["word 2", "word 3"]
    assert room.vendor.tickets["2"]["mark"] == follow_up_key("1")


def test_a_ticket_whose_time_of_solving_is_not_known_is_opened_again(room: Room) -> None:
    room.vendor.put("1", state="solved")
    room.clock.advance(400 * DAY)
    assert room.deliver(delivery(2))[0].moved == {}


def test_a_ticket_that_closes_while_we_write_is_followed_up(room: Room) -> None:
    room.vendor.deaf = True
    (outcome,) = room.deliver(delivery(2))
    assert outcome.moved["conversation"] == RemoteRef("2", "https://parlour.example/t/2")


def test_a_message_that_was_said_further_on_is_not_said_again(room: Room) -> None:
    room.vendor.put("1", state="closed")
    room.vendor.lose = 1
    (lost,) = room.deliver(delivery(2))
    assert isinstance(lost.error, Uncertain)
    assert room.lookup(delivery(2)) == RemoteRef("2-1")
    (again,) = room.deliver(delivery(2, attempt=2))
    assert (again.ref, room.vendor.words("2")) == (RemoteRef("2-1"), ["word 2"])


def test_a_note_opens_no_ticket(room: Room) -> None:
    room.vendor.put("1", state="closed")
    (outcome,) = room.deliver(delivery(2, "note"))
    assert isinstance(outcome.error, Rejected)
    assert list(room.vendor.tickets) == ["1"]


def test_a_message_follows_a_merge_to_the_winner(room: Room) -> None:
    room.deliver(delivery(5, "create"))
    room.vendor.put("1", merged="2")
    (outcome,) = room.deliver(delivery(2))
    assert outcome.moved["conversation"].id == "2"
    assert room.lookup(delivery(2)) == outcome.ref


def test_an_endless_chain_is_left(room: Room) -> None:
    for number in range(1, STEPS + 2):
        ticket = {"id": str(number), "state": "closed", "mark": follow_up_key(str(number - 1)), "messages": []}
        room.vendor.tickets[str(number)] = ticket
    (outcome,) = room.deliver(delivery(2))
    assert isinstance(outcome.error, Rejected)
    with pytest.raises(Uncertain):
        room.lookup(delivery(2))


@pytest.mark.parametrize("parents", [{}, {"conversation": RemoteRef("../1")}])
def test_a_message_without_its_ticket_is_refused(room: Room, parents: dict[str, RemoteRef]) -> None:
    (outcome,) = room.deliver(delivery(2, parents=parents))
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.field == "conversation"


def test_another_operation_is_refused_and_nothing_is_no_work(room: Room) -> None:
    assert isinstance(room.deliver(delivery(2, "tombstone"))[0].error, Rejected)
    assert room.deliver() == []
    assert room.destination.calls_of("ticket", "create", 7) == 7
