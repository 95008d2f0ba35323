"""Requesters: found, made one by one, or made in bulk where the account allows it."""

from __future__ import annotations

from typing import Any

import pytest

from hub import Delivery, RateLimited, Rejected, Retryable
from tests.plugins.zendesk.conftest import TICKET, MakeStand, Stand, delivery


def by(number: int, **requester: Any) -> Delivery:
    who = {"external_id": f"mastodon:u{number}", "name": f"User {number}", **requester}
    return delivery(number, "create", fields={**TICKET, "requester": who})


def test_bulk_users_refused_once_are_not_asked_again(stand: Stand) -> None:
    first = stand.deliver(*map(by, range(4)))
    second = stand.deliver(*map(by, range(10, 14)))
    assert all(outcome.ref for outcome in (*first, *second))
    assert stand.calls("POST", "create_or_update_many") == 1
    assert stand.calls("POST", "/create_or_update") == 1 + 8


def test_after_a_week_bulk_users_are_tried_again(make_stand: MakeStand) -> None:
    stand = make_stand({"bulk_users": False})
    stand.deliver(*map(by, range(2)))
    stand.clock.advance(8 * 86400)
    stand.deliver(*map(by, range(10, 12)))
    assert stand.calls("POST", "create_or_update_many") == 2


def test_bulk_users_are_one_call_where_the_account_allows_it(make_stand: MakeStand) -> None:
    stand = make_stand({"bulk_users": True})
    outcomes = stand.deliver(*map(by, range(20)))
    names = {stand.sandbox.user(str(one["requester_id"]))["name"] for _, one in stand.sandbox.store.all("ticket")}
    assert all(outcome.ref for outcome in outcomes)
    assert names == {f"User {number}" for number in range(20)}
    assert stand.calls("POST", "/users/") == 1


def test_a_user_who_exists_is_read_and_not_written(stand: Stand) -> None:
    stand.deliver(by(1))
    stand.deliver(delivery(2, "create", fields=by(1, name="Another name").fields))
    assert stand.calls("POST", "/users/") == 1


def test_one_user_is_made_once_for_many_tickets(stand: Stand) -> None:
    stand.deliver(*[delivery(number, "create", fields=by(7).fields) for number in range(5)])
    assert stand.calls("POST", "/users/") == 1
    assert stand.authors() == 1


def test_a_refused_user_rejects_only_its_own_tickets(stand: Stand) -> None:
    stand.sandbox.save_user({"external_id": "other", "name": "Other", "email": "taken@example.com"})
    outcomes = stand.deliver(by(1), by(2, email="taken@example.com"), by(3))
    assert isinstance(outcomes[1].error, Rejected)
    assert outcomes[1].error.field == "email"
    assert stand.sandbox.store.count("ticket") == 2


def test_a_user_of_whom_nobody_knows_is_retried_before_the_ticket_goes(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": {"path": "create_or_update$"}, "times": 1, "reset_after": True}])
    (lost,) = stand.deliver(by(1))
    (again,) = stand.deliver(by(1))
    assert type(lost.error) is Retryable
    assert again.ref
    assert (stand.authors(), stand.sandbox.store.count("ticket")) == (1, 1)


def test_a_rate_limit_among_the_users_sends_no_ticket(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": {"path": "show_many"}, "status": 429, "headers": {"Retry-After": "4"}}])
    with pytest.raises(RateLimited) as caught:
        stand.deliver(by(1), by(2))
    assert caught.value.retry_after == 4
    assert stand.sandbox.store.count("ticket") == 0


def test_a_ticket_without_a_requester_is_the_integrations_own(stand: Stand) -> None:
    (outcome,) = stand.deliver(delivery(1, "create", fields={"subject": "x", "comment": {"body": "y"}}))
    assert outcome.ref
    assert stand.calls("GET", "/users/") == 0
