"""Further signals as comments: in order, once, and in a follow-up where the ticket is closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub import Lookup, Rejected, RemoteRef, Retryable, Uncertain
from tests.plugins.zendesk.conftest import Stand, delivery


@pytest.fixture
def open_ticket(stand: Stand) -> Stand:
    """A stand with ticket 1."""
    stand.deliver(delivery(1, "create"))
    return stand


def words(stand: Stand, ticket: str = "1") -> list[str]:
    return [one["body"] for _, one in stand.sandbox.store.all("comment") if str(one["ticket_id"]) == ticket]


def test_comments_keep_their_order_and_are_the_authors_own_words(open_ticket: Stand) -> None:
    outcomes = open_ticket.deliver(*[delivery(number, "comment") for number in (2, 3, 4)])
    last = open_ticket.sandbox.store.get("comment", outcomes[2].ref.id)
    assert words(open_ticket) == ["it broke", "word 2", "word 3", "word 4"]
    assert last["public"] is True
    assert open_ticket.sandbox.name_of(last["author_id"]) == "Ann"
    assert outcomes[2].ref.url == f"{open_ticket.url}/agent/tickets/1"


def test_a_mapping_may_make_comments_internal_notes(open_ticket: Stand) -> None:
    (outcome,) = open_ticket.deliver(delivery(2, "comment", fields={"comment": {"body": "note", "public": False}}))
    assert open_ticket.sandbox.store.get("comment", outcome.ref.id)["public"] is False


def test_a_comment_whose_answer_was_lost_is_found_by_its_key_in_the_audits(open_ticket: Stand) -> None:
    open_ticket.sandbox.faults.set([{"match": {"method": "PUT"}, "times": 1, "reset_after": True}])
    (lost,) = open_ticket.deliver(delivery(2, "comment"))
    found = open_ticket.destination.lookup(open_ticket.ctx, delivery(2, "comment"))
    assert isinstance(lost.error, Uncertain)
    assert open_ticket.sandbox.store.get("comment", found.id)["body"] == "word 2"


def test_a_comment_that_never_came_is_not_found(open_ticket: Stand) -> None:
    open_ticket.sandbox.faults.set([{"match": {"method": "PUT"}, "times": 1, "reset_before": True}])
    open_ticket.deliver(delivery(2, "comment"))
    assert open_ticket.destination.lookup(open_ticket.ctx, delivery(2, "comment")) is None


@pytest.mark.parametrize(("status", "kind"), [(500, Uncertain), (502, Uncertain), (504, Uncertain), (409, Retryable)])
def test_a_server_error_on_a_comment_is_a_doubt_and_a_conflict_none(
    open_ticket: Stand, status: int, kind: type
) -> None:
    open_ticket.sandbox.faults.set([{"match": {"method": "PUT"}, "status": status}])
    (outcome,) = open_ticket.deliver(delivery(2, "comment"))
    assert type(outcome.error) is kind


def test_a_comment_waits_for_an_earlier_one_that_may_come_again(open_ticket: Stand) -> None:
    open_ticket.deliver(delivery(9, "create"))
    open_ticket.sandbox.faults.set([{"match": {"method": "PUT"}, "times": 1, "reset_after": True}])
    other = delivery(4, "comment", parents={"conversation": RemoteRef("2")})
    outcomes = open_ticket.deliver(delivery(2, "comment"), delivery(3, "comment"), other)
    assert [type(outcome.error) for outcome in outcomes] == [Uncertain, Retryable, type(None)]
    assert "word 3" not in words(open_ticket)
    assert words(open_ticket, "2")[-1] == "word 4"


def test_a_rejected_comment_lets_the_next_one_through(open_ticket: Stand) -> None:
    empty = delivery(2, "comment", fields={"status": "open"})
    outcomes = open_ticket.deliver(empty, delivery(3, "comment"))
    assert isinstance(outcomes[0].error, Rejected)
    assert outcomes[1].ref


def test_thirty_updates_of_one_ticket_hold_that_ticket_only(open_ticket: Stand) -> None:
    open_ticket.deliver(delivery(99, "create"))
    for first in (100, 120):
        open_ticket.deliver(*[delivery(number, "comment") for number in range(first, first + 15)])
    other = delivery(51, "comment", parents={"conversation": RemoteRef("2")})
    outcomes = open_ticket.deliver(delivery(50, "comment"), other)
    assert type(outcomes[0].error) is Retryable  # RateLimited would pause the whole connection
    assert outcomes[0].error.retry_after > 500
    assert outcomes[1].ref


def test_a_closed_ticket_goes_on_in_one_follow_up(open_ticket: Stand) -> None:
    open_ticket.close_ticket("1")
    outcomes = open_ticket.deliver(*[delivery(number, "comment") for number in (2, 3)])
    follow_up = open_ticket.sandbox.store.get("ticket", "2")
    assert [outcome.ref.url for outcome in outcomes] == [f"{open_ticket.url}/agent/tickets/2"] * 2
    assert follow_up["via_followup_source_id"] == 1
    assert (follow_up["subject"], follow_up["external_id"]) == ("Re: Ann on Mastodon", "mastodon:k1")
    assert words(open_ticket, "2") == ["word 2", "word 3"]
    assert open_ticket.sandbox.store.count("ticket") == 2


def test_a_follow_up_whose_answer_was_lost_is_opened_once(open_ticket: Stand) -> None:
    open_ticket.close_ticket("1")
    open_ticket.sandbox.faults.set(
        [{"match": {"method": "POST", "path": "/tickets$"}, "times": 1, "reset_after": True}]
    )
    (lost,) = open_ticket.deliver(delivery(2, "comment"))
    found = open_ticket.destination.lookup(open_ticket.ctx, delivery(2, "comment"))
    (again,) = open_ticket.deliver(delivery(2, "comment"))
    assert isinstance(lost.error, Uncertain)
    assert found == again.ref
    assert words(open_ticket, "2") == ["word 2"]


def test_two_workers_at_once_open_one_follow_up(open_ticket: Stand) -> None:
    open_ticket.close_ticket("1")
    show = open_ticket.sandbox.show_ticket
    first = delivery(2, "comment")
    open_ticket.deliver(first)
    blind = lambda call: _without_follow_ups(show(call))  # noqa: E731 - what the other worker read a moment before
    open_ticket.sandbox.show_ticket = blind  # type: ignore[method-assign]
    (late,) = open_ticket.deliver(delivery(3, "comment"))
    open_ticket.sandbox.show_ticket = show  # type: ignore[method-assign]
    (again,) = open_ticket.deliver(delivery(3, "comment"))
    assert type(late.error) is Retryable
    assert again.ref
    assert open_ticket.sandbox.store.count("ticket") == 2


def _without_follow_ups(shown):
    shown.body["ticket"]["followup_ids"] = []
    return shown


def test_a_follow_up_that_is_closed_too_has_its_own_follow_up(open_ticket: Stand) -> None:
    open_ticket.close_ticket("1")
    open_ticket.deliver(delivery(2, "comment"))
    open_ticket.close_ticket("2")
    (outcome,) = open_ticket.deliver(delivery(3, "comment"))
    assert outcome.ref.url.endswith("/agent/tickets/3")
    assert open_ticket.destination.lookup(open_ticket.ctx, delivery(3, "comment")) == outcome.ref


def test_a_comment_without_its_ticket_is_rejected(stand: Stand) -> None:
    (outcome,) = stand.deliver(delivery(2, "comment", parents={}))
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.field == "conversation"


def test_a_comment_on_a_deleted_ticket_is_rejected(stand: Stand) -> None:
    (outcome,) = stand.deliver(delivery(2, "comment"))
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.code == "RecordNotFound"


def test_tags_in_a_comment_are_refused_because_they_would_replace_the_tickets(open_ticket: Stand) -> None:
    (outcome,) = open_ticket.deliver(delivery(2, "comment", fields={"comment": {"body": "x"}, "tags": "a b"}))
    assert outcome.error.field == "tags"
    assert open_ticket.sandbox.store.get("ticket", "1")["tags"] == ["hubbub", "mastodon"]


def test_a_comment_far_back_in_the_audits_is_found_page_by_page(open_ticket: Stand) -> None:
    (wanted,) = open_ticket.deliver(delivery(2, "comment"))
    for number in range(250):
        open_ticket.sandbox.audit("1", {"priority": "low", "metadata": {"other": str(number)}}, "Change", before={})
    assert open_ticket.destination.lookup(open_ticket.ctx, delivery(2, "comment")) == wanted.ref
    assert open_ticket.destination.lookup(open_ticket.ctx, delivery(3, "comment")) is None
    assert open_ticket.calls("GET", "/audits") == 1 + 3


def test_comments_are_looked_up_after_a_doubt_and_go_few_at_a_time(stand: Stand) -> None:
    assert stand.destination.idempotency_of("ticket", "comment") == Lookup(timedelta(seconds=30))
    assert stand.destination.batch_size_of("ticket", "comment") == 20
