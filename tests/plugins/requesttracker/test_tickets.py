"""Conversations as tickets: the requestor, the marks, doubts, and what RT drops in silence."""

from __future__ import annotations

import logging

import msgspec
import pytest

from hub import Rejected, RemoteRef, Unauthorised, Uncertain
from tests.plugins.requesttracker.conftest import TICKET, MakeStand, Stand, delivery

WRITE = {"method": "POST", "path": "/ticket$"}


def test_a_conversation_becomes_a_ticket_with_its_author_as_requestor(stand: Stand) -> None:
    (outcome,) = stand.deliver(delivery(1))
    ticket = stand.ticket()
    assert outcome.ref == RemoteRef("1", f"{stand.url}/Ticket/Display.html?id=1")
    assert (ticket["Subject"], ticket["Priority"], ticket["Key"]) == (TICKET["Subject"], "100", "mastodon:k1")
    assert ticket["Requestor"] == ["mastodon-ann"]
    assert stand.words() == ["it broke"]


def test_a_requestor_has_no_address_and_no_rights(desk: Stand) -> None:
    _, user = desk.sandbox.store.find("user", "Name", "mastodon-ann")
    assert user["RealName"] == "Ann (ann@example.social)"
    assert user["Privileged"] == 0
    assert "EmailAddress" not in user


def test_an_author_who_is_known_is_left_as_he_is(desk: Stand) -> None:
    renamed = {**TICKET, "Requestor": {"Name": "mastodon:ann", "RealName": "Somebody else"}}
    (outcome,) = desk.deliver(delivery(2, fields=renamed))
    assert outcome.error is None
    assert desk.sandbox.store.find("user", "Name", "mastodon-ann")[1]["RealName"] == "Ann (ann@example.social)"


def test_a_user_that_we_may_not_make_is_refused_with_the_way_out(stand: Stand) -> None:
    fault = {"match": {"method": "POST", "path": "/user$"}, "status": 400, "body": {"message": "Permission Denied"}}
    stand.sandbox.faults.set([fault])
    (outcome,) = stand.deliver(delivery(1))
    assert isinstance(outcome.error, Rejected)
    assert "AdminUsers" in str(outcome.error)
    assert stand.sandbox.store.count("ticket") == 0


def test_a_doubt_about_the_user_is_none_about_the_ticket(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": {"path": "/user$"}, "times": 1, "reset_after": True}])
    first, second = stand.deliver(delivery(1))[0], stand.deliver(delivery(1))[0]
    assert not isinstance(first.error, Uncertain)
    assert second.ref is not None
    assert stand.sandbox.store.count("ticket") == 1


def test_a_mapping_without_a_requestor_makes_no_user(stand: Stand) -> None:
    stand.deliver(delivery(1, fields={"Subject": "x", "Content": "it broke"}))
    assert stand.ticket()["Requestor"] == []
    assert [entry.kind for entry in stand.sandbox.journal.entries] == ["ticket"]


def test_a_conversation_with_a_ticket_gets_no_second_one(desk: Stand) -> None:
    (outcome,) = desk.deliver(delivery(1, ref=RemoteRef("1")))
    assert outcome.ref == RemoteRef("1")
    assert desk.sandbox.store.count("ticket") == 1


def test_a_ticket_without_words_is_refused_before_rt_makes_an_empty_one(stand: Stand) -> None:
    (outcome,) = stand.deliver(delivery(1, fields={"Subject": "x", "Content": " \n"}))
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.field == "Content"


def test_a_ticket_whose_answer_was_lost_is_found_by_its_key(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": WRITE, "times": 1, "reset_after": True}])
    (lost,) = stand.deliver(delivery(1))
    assert isinstance(lost.error, Uncertain)
    assert stand.destination.lookup(stand.ctx, delivery(1)).id == "1"


def test_a_ticket_that_was_never_made_is_not_found(stand: Stand) -> None:
    assert stand.destination.lookup(stand.ctx, delivery(1)) is None


def test_a_ticket_that_was_merged_is_found_as_its_winner(desk: Stand) -> None:
    desk.deliver(delivery(2))
    desk.act("PUT", "ticket/1", {"MergeInto": "2"})
    assert desk.destination.lookup(desk.ctx, delivery(1)).id == "2"


def test_marks_that_rt_drops_are_noticed_at_the_first_ticket(
    make_stand: MakeStand, caplog: pytest.LogCaptureFixture
) -> None:
    stand = make_stand({"drops_fields": True})
    with caplog.at_level(logging.WARNING):
        (outcome,) = stand.deliver(delivery(1))
    assert outcome.error is None
    assert "keeps no marks" in caplog.text


def test_where_marks_are_lost_nobody_can_tell_what_became_of_a_ticket(make_stand: MakeStand) -> None:
    stand = make_stand({"drops_fields": True})
    stand.deliver(delivery(1))
    with pytest.raises(Uncertain):
        stand.destination.lookup(stand.ctx, delivery(1))


def test_marks_that_were_seen_once_are_not_looked_for_again(desk: Stand) -> None:
    before = len(desk.sandbox.journal.calls)
    desk.deliver(delivery(2))
    assert [call.method for call in desk.sandbox.journal.calls[before:]] == ["POST", "GET", "POST"]


def test_a_queue_that_is_closed_to_us_pauses_the_connection(make_stand: MakeStand) -> None:
    stand = make_stand(queue="Sales")
    first, second = stand.deliver(delivery(1), delivery(2))
    assert isinstance(first.error, Unauthorised)
    assert isinstance(second.error, Unauthorised)


def test_a_mappings_own_queue_that_is_closed_to_us_is_that_records_trouble(stand: Stand) -> None:
    first, second = stand.deliver(delivery(1, fields={**TICKET, "Queue": "Sales"}), delivery(2))
    assert isinstance(first.error, Rejected)
    assert second.error is None


def test_a_subject_is_cut_and_made_one_line_by_us_not_by_rt(stand: Stand) -> None:
    stand.deliver(delivery(1, fields={**TICKET, "Subject": "two\nlines " + "x" * 300}))
    assert stand.ticket()["Subject"].startswith("two lines x")
    assert len(stand.ticket()["Subject"]) == 200


def test_an_operation_that_rt_cannot_do_is_refused(stand: Stand) -> None:
    assert "tombstone" not in stand.destination.capabilities
    (outcome,) = stand.deliver(msgspec.structs.replace(delivery(1), operation="tombstone"))
    assert isinstance(outcome.error, Rejected)
