"""Where a conversation goes on: reopened, followed up, merged; and notes, which wake nobody."""

from __future__ import annotations

import pytest

from hub import Rejected, RemoteRef, Uncertain
from plugins.zendesk.sandbox.account import PERSON
from tests.plugins.zendesk.conftest import MakeStand, Stand, delivery

DAY = 24 * 3600


@pytest.fixture
def open_ticket(stand: Stand) -> Stand:
    """A stand with ticket 1."""
    stand.deliver(delivery(1, "create"))
    return stand


def status(stand: Stand, ticket: str = "1") -> str:
    return stand.sandbox.held(ticket)["status"]


def note(number: int, text: str = "Posted on Mastodon", ticket: str = "1"):
    parents = {"conversation": RemoteRef(ticket)}
    return delivery(number, "note", object="ticket", fields={"text": text}, parents=parents)


@pytest.mark.parametrize("before", ["solved", "pending"])
def test_a_new_post_opens_a_sleeping_ticket(open_ticket: Stand, before: str) -> None:
    open_ticket.sandbox.change("1", {"status": before}, PERSON)
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert (outcome.error, outcome.moved) == (None, {})
    assert status(open_ticket) == "open"


@pytest.mark.parametrize("before", ["new", "open", "hold"])
def test_a_ticket_that_is_awake_stays_as_it_is(open_ticket: Stand, before: str) -> None:
    open_ticket.sandbox.change("1", {"status": before}, PERSON)
    open_ticket.deliver(delivery(2, "comment"))
    assert status(open_ticket) == before


def test_the_mappings_own_status_wins(open_ticket: Stand) -> None:
    open_ticket.sandbox.change("1", {"status": "solved"}, PERSON)
    open_ticket.deliver(delivery(2, "comment", fields={"comment": {"body": "x"}, "status": "hold"}))
    assert status(open_ticket) == "hold"


@pytest.mark.parametrize(("days", "tickets"), [(13.9, 1), (14.1, 2)])
def test_a_ticket_solved_long_ago_gets_a_follow_up(open_ticket: Stand, days: float, tickets: int) -> None:
    open_ticket.sandbox.change("1", {"status": "solved"}, PERSON)
    open_ticket.clock.advance(days * DAY)
    outcomes = open_ticket.deliver(delivery(2, "comment"), delivery(3, "comment"))
    assert [one.error for one in outcomes] == [None, None]
    assert open_ticket.sandbox.store.count("ticket") == tickets
    assert status(open_ticket) == ("open" if tickets == 1 else "closed")


def test_how_long_a_ticket_may_be_reopened_is_an_option(make_stand: MakeStand) -> None:
    stand = make_stand(reopen_days=0)
    stand.deliver(delivery(1, "create"))
    stand.sandbox.change("1", {"status": "solved"}, PERSON)
    stand.clock.advance(60)
    (outcome,) = stand.deliver(delivery(2, "comment"))
    assert outcome.moved["conversation"].id == "2"


def test_an_account_that_lets_nobody_close_reopens(open_ticket: Stand) -> None:
    open_ticket.sandbox.change("1", {"status": "solved"}, PERSON)
    open_ticket.clock.advance(20 * DAY)
    open_ticket.sandbox.faults.set([{"match": {"method": "PUT"}, "times": 1, "status": 422, "body": {"error": "x"}}])
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert outcome.moved == {}
    assert status(open_ticket) == "open"


def test_the_outcome_tells_where_the_conversation_went(open_ticket: Stand) -> None:
    open_ticket.close_ticket("1")
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert outcome.moved == {"conversation": RemoteRef("2", f"{open_ticket.url}/agent/tickets/2")}
    (later,) = open_ticket.deliver(delivery(3, "comment", parents=outcome.moved))
    assert (later.error, later.moved) == (None, {})


def test_a_ticket_closed_since_we_looked_is_followed_up_too(open_ticket: Stand) -> None:
    shown = open_ticket.sandbox.show_tickets
    stale = lambda call: _with_status(shown(call), "open")  # noqa: E731 - what we read a moment before
    open_ticket.close_ticket("1")
    open_ticket.sandbox.show_tickets = stale
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert outcome.moved["conversation"].id == "2"


def _with_status(answer, value: str):
    for ticket in answer.body["tickets"]:
        ticket["status"] = value
    return answer


def test_a_merged_tickets_comment_goes_to_the_winner(open_ticket: Stand) -> None:
    open_ticket.deliver(delivery(9, "create"))
    open_ticket.sandbox.merge("1", "2", PERSON)
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert outcome.moved["conversation"].id == "2"
    assert open_ticket.sandbox.store.count("ticket") == 2
    assert open_ticket.destination.lookup(open_ticket.ctx, delivery(2, "comment")) == outcome.ref


def test_a_merge_into_a_ticket_that_was_merged_is_followed_to_the_end(open_ticket: Stand) -> None:
    open_ticket.deliver(delivery(8, "create"), delivery(9, "create"))
    open_ticket.sandbox.merge("1", "2", PERSON)
    open_ticket.sandbox.merge("2", "3", PERSON)
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert outcome.moved["conversation"].id == "3"


def test_a_merge_that_names_no_winner_is_followed_up(open_ticket: Stand) -> None:
    open_ticket.sandbox.change("1", {"status": "closed", "tags": ["closed_by_merge"]}, PERSON)
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert open_ticket.sandbox.held("2")["via_followup_source_id"] == 1
    assert outcome.moved["conversation"].id == "2"


def test_a_circle_of_merges_ends(open_ticket: Stand) -> None:
    open_ticket.deliver(delivery(9, "create"))
    for one, other in (("1", "2"), ("2", "1")):
        said = {"comment": {"body": f"merged into request #{other}", "public": False}}
        open_ticket.sandbox.change(one, {**said, "status": "closed", "tags": ["closed_by_merge"]}, PERSON)
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert isinstance(outcome.error, Rejected)
    with pytest.raises(Uncertain):
        open_ticket.destination.lookup(open_ticket.ctx, delivery(2, "comment"))


def test_a_note_wakes_nobody(open_ticket: Stand) -> None:
    open_ticket.sandbox.change("1", {"status": "solved"}, PERSON)
    open_ticket.clock.advance(20 * DAY)
    (outcome,) = open_ticket.deliver(note(2))
    assert open_ticket.sandbox.store.get("comment", outcome.ref.id)["public"] is False
    assert status(open_ticket) == "solved"


def test_a_note_goes_where_the_conversation_went_and_opens_nothing(open_ticket: Stand) -> None:
    open_ticket.close_ticket("1")
    (alone,) = open_ticket.deliver(note(2))
    open_ticket.deliver(delivery(3, "comment"))
    (there,) = open_ticket.deliver(note(2))
    assert isinstance(alone.error, Rejected)
    assert alone.error.code == "closed"
    assert there.moved["conversation"].id == "2"


def test_a_note_carries_our_mark_and_is_found_by_it(open_ticket: Stand) -> None:
    (outcome,) = open_ticket.deliver(note(2))
    assert open_ticket.destination.lookup(open_ticket.ctx, note(2)) == outcome.ref
    assert open_ticket.destination.lookup(open_ticket.ctx, note(3)) is None


def test_a_note_without_words_is_rejected(open_ticket: Stand) -> None:
    (outcome,) = open_ticket.deliver(note(2, " "))
    assert outcome.error.field == "text"


def test_a_note_of_any_length_fits(open_ticket: Stand) -> None:
    (outcome,) = open_ticket.deliver(note(2, "😀" * 100_000))
    assert len(open_ticket.sandbox.store.get("comment", outcome.ref.id)["body"].encode()) <= 65_536
