"""Conversations as tickets: one each, whatever goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub import Native, RateLimited, Rejected, RemoteRef, Unauthorised, Unavailable, Uncertain
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination
from plugins.zendesk.sandbox.account import PERSON
from tests.plugins.zendesk.conftest import TICKET, Stand, delivery

MADE = answer(201, {"ticket": {"id": 7}, "audit": {"id": 8}})


def test_a_ticket_is_the_requesters_and_carries_our_keys(stand: Stand) -> None:
    (outcome,) = stand.deliver(delivery(1, "create"))
    ticket = stand.sandbox.store.get("ticket", outcome.ref.id)
    user = stand.sandbox.user(str(ticket["requester_id"]))
    assert (ticket["external_id"], ticket["tags"]) == ("mastodon:k1", ["hubbub", "mastodon"])
    assert (user["external_id"], user["name"]) == ("mastodon:abc", "Ann")
    assert outcome.ref.url == f"{stand.url}/agent/tickets/{outcome.ref.id}"


def test_the_golden_body_of_a_ticket_holds_whole_times(zendesk_body) -> None:
    fields = {
        "subject": "Late",
        "comment": {"body": "where is it?"},
        "due_at": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        "tags": "Hubbub,very bad!",
        "priority": "high",
        "custom_fields": {"360001": "mastodon"},
    }
    assert zendesk_body(delivery(1, "create", fields=fields)) == {
        "ticket": {
            "subject": "Late",
            "due_at": "2024-05-06T07:08:09Z",
            "priority": "high",
            "external_id": "mastodon:k1",
            "metadata": {"hubbub_delivery": "delivery1"},
            "comment": {"body": "where is it?", "public": True},
            "tags": ["hubbub", "very", "bad"],
            "custom_fields": [{"id": 360001, "value": "mastodon"}],
        }
    }


@pytest.fixture
def zendesk_body():
    """Send a ticket to a fake and give the body that arrived."""

    def send(one):
        http = FakeHttp([MADE])
        options = ZendeskOptions(subdomain="acme", token="secret")
        ZendeskDestination(options).deliver(context(http), [one])
        return http.requests[0].json()

    return send


def test_the_idempotency_key_goes_only_with_the_ticket(stand: Stand) -> None:
    seen = {}
    handle = stand.sandbox.handle
    stand.sandbox.handle = lambda call: (seen.setdefault(call.path, call.headers.get("idempotency-key")), handle(call))[
        1
    ]
    stand.deliver(delivery(1, "create"))
    stand.deliver(delivery(2, "comment"))
    stand.deliver(delivery(3))
    assert {path for path, key in seen.items() if key} == {"/api/v2/tickets"}
    assert seen["/api/v2/tickets"] == "delivery1"


def test_a_ticket_whose_answer_was_lost_is_not_made_twice(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": {"method": "POST", "path": "/tickets$"}, "times": 1, "reset_after": True}])
    (lost,) = stand.deliver(delivery(1, "create"))
    (again,) = stand.deliver(delivery(1, "create", attempt=2, first_sent_at=stand.clock()))
    assert isinstance(lost.error, Uncertain)
    assert again.ref == stand.destination.lookup(stand.ctx, delivery(1, "create"))
    assert stand.sandbox.store.count("ticket") == 1


@pytest.mark.parametrize("hours", [1.9, 3, 24 * 30])
def test_after_the_keys_life_the_ticket_is_looked_for_first(stand: Stand, hours: float) -> None:
    sent = stand.clock()
    (first,) = stand.deliver(delivery(1, "create"))
    stand.clock.advance(hours * 3600)
    (again,) = stand.deliver(delivery(1, "create", attempt=2, first_sent_at=sent))
    assert again.ref == first.ref
    assert stand.sandbox.store.count("ticket") == 1


def test_after_the_keys_life_a_ticket_that_never_was_is_made(stand: Stand) -> None:
    sent = stand.clock() - timedelta(hours=3)
    (outcome,) = stand.deliver(delivery(1, "create", attempt=2, first_sent_at=sent))
    assert outcome.ref
    assert stand.sandbox.store.count("ticket") == 1


def test_a_key_used_with_another_body_leads_to_the_ticket_that_it_made(stand: Stand) -> None:
    (first,) = stand.deliver(delivery(1, "create"))
    (second,) = stand.deliver(delivery(1, "create", fields={**TICKET, "subject": "changed"}))
    assert second.ref == first.ref
    assert stand.sandbox.store.count("ticket") == 1


def test_a_conversation_with_a_ticket_never_gets_a_second_one(stand: Stand) -> None:
    (outcome,) = stand.deliver(delivery(1, "create", ref=RemoteRef("77"), seq=2))
    assert outcome.ref == RemoteRef("77")
    assert stand.calls("POST", "/tickets") == 0


def test_lookup_gives_the_oldest_of_tickets_with_one_external_id(stand: Stand) -> None:
    (first,) = stand.deliver(delivery(1, "create"))
    stand.sandbox.make_ticket({"external_id": "mastodon:k1", "comment": {"body": "again"}})
    assert stand.destination.lookup(stand.ctx, delivery(1, "create")).id == first.ref.id
    assert stand.destination.lookup(stand.ctx, delivery(2, "create")) is None


def test_one_refused_ticket_does_not_hold_the_others(stand: Stand) -> None:
    bad = delivery(2, "create", fields={**TICKET, "custom_fields": {"colour": "red"}})
    outcomes = stand.deliver(delivery(1, "create"), bad, delivery(3, "create"))
    assert isinstance(outcomes[1].error, Rejected)
    assert outcomes[1].error.field == "custom_fields.colour"
    assert stand.sandbox.store.count("ticket") == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimited), (503, Unavailable), (500, Unavailable), (401, Unauthorised)]
)
def test_trouble_with_the_account_ends_the_batch_and_keeps_what_was_done(stand: Stand, status: int, kind: type) -> None:
    trouble = {"match": {"method": "POST", "path": "/tickets$"}, "after": 1, "status": status}
    stand.sandbox.faults.set([{**trouble, "headers": {"Retry-After": "3"}}])
    outcomes = stand.deliver(*[delivery(number, "create") for number in range(4)])
    assert outcomes[0].ref
    assert {type(outcome.error) for outcome in outcomes[1:]} == {kind}
    assert stand.calls("POST", "/tickets") == 2


def test_tickets_are_native_for_two_hours(stand: Stand) -> None:
    assert stand.destination.idempotency_of("ticket", "create") == Native(timedelta(hours=2))
    assert stand.destination.batch_size_of("ticket", "create") == 20


def test_an_answer_that_names_no_ticket_is_uncertain() -> None:
    fields = {"subject": "x", "comment": {"body": "y"}}
    http = FakeHttp([answer(201, {"ticket": {}})])
    destination = ZendeskDestination(ZendeskOptions(subdomain="acme", token="secret"))
    (outcome,) = destination.deliver(context(http), [delivery(1, "create", fields=fields)])
    assert isinstance(outcome.error, Uncertain)


@pytest.mark.parametrize(
    ("named", "assignee"),
    [
        ({"assignee_email": "bea@example.com"}, PERSON),
        ({"assignee_id": str(PERSON)}, PERSON),
        ({"assignee_email": "gone@example.com"}, None),
    ],
)
def test_a_ticket_is_its_assignees_and_without_one_where_zendesk_knows_none(
    stand: Stand, named: dict[str, str], assignee: int | None
) -> None:
    (outcome,) = stand.deliver(delivery(1, "create", fields={**TICKET, **named}))
    assert (outcome.error, stand.sandbox.held("1")["assignee_id"]) == (None, assignee)


def test_a_note_bears_the_hubs_name_and_a_post_its_authors(stand: Stand) -> None:
    stand.deliver(delivery(1, "create"))
    stand.deliver(delivery(2, "note", fields={"text": "Posted on Mastodon."}, parents={"conversation": RemoteRef("1")}))
    said = [stand.sandbox.name_of(one["author_id"]) for _, one in stand.sandbox.said_in("1")]
    assert said == ["Ann", "Hubbub"]
