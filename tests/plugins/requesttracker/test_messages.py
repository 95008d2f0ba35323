"""Further signals as correspondence, notes as comments: in order, once, and in a new ticket where the old one is long closed."""

from __future__ import annotations

import pytest

from hub import Rejected, RemoteRef, Retryable, Uncertain
from tests.plugins.requesttracker.conftest import MakeStand, Stand, delivery

WRITE = {"method": "POST", "path": "/correspond$"}


def test_messages_keep_their_order(desk: Stand) -> None:
    outcomes = desk.deliver(*[delivery(number, "comment") for number in (2, 3, 4)])
    assert desk.words() == ["it broke", "word 2", "word 3", "word 4"]
    assert [one.moved for one in outcomes] == [{}, {}, {}]


def test_a_message_is_named_apart_from_tickets(desk: Stand) -> None:
    (outcome,) = desk.deliver(delivery(2, "comment"))
    kind, _, number = outcome.ref.id.partition("/")
    assert kind == "transaction"
    assert outcome.ref.url == f"{desk.url}/Ticket/Display.html?id=1#txn-{number}"


def test_a_note_is_a_comment_that_reopens_nothing(desk: Stand) -> None:
    desk.resolve()
    (outcome,) = desk.deliver(delivery(2, "note"))
    types = [row["Type"] for _, row in desk.sandbox.store.all("_transaction")]
    assert outcome.error is None
    assert desk.words() == ["it broke", "Posted"]
    assert (types[-1], desk.ticket()["Status"]) == ("Comment", "resolved")


@pytest.mark.parametrize("operation", ["comment", "note"])
def test_a_message_whose_answer_was_lost_is_found_by_its_mark(desk: Stand, operation: str) -> None:
    desk.sandbox.faults.set([{"match": {"path": "/co(mment|rrespond)$"}, "times": 1, "reset_after": True}])
    (lost,) = desk.deliver(delivery(2, operation))
    found = desk.destination.lookup(desk.ctx, delivery(2, operation))
    assert isinstance(lost.error, Uncertain)
    assert desk.sandbox.store.get("_transaction", found.id.partition("/")[2])["ObjectId"] == "1"


def test_a_message_that_never_came_is_not_found(desk: Stand) -> None:
    desk.sandbox.faults.set([{"match": WRITE, "times": 1, "reset_before": True}])
    desk.deliver(delivery(2, "comment"))
    assert desk.destination.lookup(desk.ctx, delivery(2, "comment")) is None


def test_an_empty_list_of_a_ticket_that_is_not_there_is_no_proof(desk: Stand) -> None:
    lost = delivery(2, "comment", parents={"conversation": RemoteRef("99")})
    with pytest.raises(Uncertain):
        desk.destination.lookup(desk.ctx, lost)


def test_the_word_0_arrives(desk: Stand) -> None:
    desk.deliver(delivery(2, "comment", fields={"Content": "0"}))
    assert desk.words() == ["it broke", "0\n"]


def test_a_message_without_its_ticket_is_refused(desk: Stand) -> None:
    (outcome,) = desk.deliver(delivery(2, "comment", parents={}))
    assert isinstance(outcome.error, Rejected)


def test_a_message_does_not_overtake_one_that_may_come_again(desk: Stand) -> None:
    desk.sandbox.faults.set([{"match": WRITE, "times": 1, "status": 500}])
    first, second = desk.deliver(delivery(2, "comment"), delivery(3, "comment"))
    assert isinstance(first.error, Uncertain)
    assert type(second.error) is Retryable
    assert desk.words() == ["it broke"]


def test_a_message_reopens_a_ticket_that_was_closed_lately(desk: Stand) -> None:
    desk.resolve(days=29)
    (outcome,) = desk.deliver(delivery(2, "comment"))
    assert outcome.moved == {}
    assert desk.ticket()["Status"] == "open"


def test_after_some_days_a_new_ticket_refers_to_the_closed_one(desk: Stand) -> None:
    desk.resolve(days=31)
    (outcome,) = desk.deliver(delivery(2, "comment"))
    new = desk.ticket("2")
    assert outcome.moved == {"conversation": RemoteRef("2", f"{desk.url}/Ticket/Display.html?id=2")}
    assert (new["RefersTo"], new["Subject"]) == ("1", "Re: Ann on Mastodon: it broke")
    assert (desk.words("2"), new["Requestor"]) == (["word 2"], ["mastodon-ann"])
    assert desk.ticket()["Status"] == "resolved"


def test_messages_of_one_batch_go_into_one_new_ticket(desk: Stand) -> None:
    desk.resolve(days=31)
    outcomes = desk.deliver(delivery(2, "comment"), delivery(3, "comment"))
    assert desk.words("2") == ["word 2", "word 3"]
    assert {one.moved["conversation"].id for one in outcomes} == {"2"}


def test_a_new_ticket_whose_answer_was_lost_is_found_with_its_message(desk: Stand) -> None:
    desk.resolve(days=31)
    desk.sandbox.faults.set([{"match": {"path": "/ticket$"}, "times": 1, "reset_after": True}])
    (lost,) = desk.deliver(delivery(2, "comment"))
    found = desk.destination.lookup(desk.ctx, delivery(2, "comment"))
    assert isinstance(lost.error, Uncertain)
    assert found.url.startswith(f"{desk.url}/Ticket/Display.html?id=2#txn-")


def test_a_new_ticket_that_cannot_be_read_at_once_is_delivered_all_the_same(desk: Stand) -> None:
    desk.resolve(days=31)
    desk.sandbox.faults.set([{"match": {"path": "/ticket/2$"}, "status": 503}])
    (outcome,) = desk.deliver(delivery(2, "comment"))
    assert outcome.error is None
    assert outcome.ref.id == "ticket/2"


def test_a_requestor_stays_with_the_new_ticket_where_the_mapping_names_none(desk: Stand) -> None:
    desk.resolve(days=31)
    desk.deliver(delivery(2, "comment", fields={"Content": "again"}))
    assert desk.ticket("2")["Requestor"] == ["mastodon-ann"]


def test_a_deleted_ticket_is_never_reopened(desk: Stand) -> None:
    desk.resolve(status="deleted")
    (outcome,) = desk.deliver(delivery(2, "comment"))
    assert outcome.moved["conversation"].id == "2"
    assert desk.ticket()["Status"] == "deleted"


def test_without_a_number_of_days_every_closed_ticket_is_reopened(make_stand: MakeStand) -> None:
    stand = make_stand(reopen_days=None)
    stand.deliver(delivery(1))
    stand.resolve(days=3_000)
    stand.deliver(delivery(2, "comment"))
    assert stand.ticket()["Status"] == "open"


def test_a_ticket_that_is_open_takes_messages_however_old_it_is(desk: Stand) -> None:
    desk.clock.advance(400 * 86_400)
    assert desk.deliver(delivery(2, "comment"))[0].moved == {}


def test_a_message_follows_a_merge(desk: Stand) -> None:
    desk.deliver(delivery(5))
    desk.act("PUT", "ticket/1", {"MergeInto": "2"})
    (outcome,) = desk.deliver(delivery(2, "comment"))
    assert outcome.moved["conversation"].id == "2"
    assert desk.destination.lookup(desk.ctx, delivery(2, "comment")) == outcome.ref
