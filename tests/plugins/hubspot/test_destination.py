"""The destination against its sandbox, over real HTTP and the real guard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from hub import (
    ConnectorError,
    Delivery,
    QuotaExhausted,
    RateLimited,
    Rejected,
    RemoteRef,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.sdk.connectors import Outcome
from tests.plugins.hubspot.conftest import Account, signal, signals

UPSERT = "/social_signal/batch/upsert$"
LINK = "/batch/associate/default$"


def errors(outcomes: list[Outcome]) -> dict[int, ConnectorError]:
    """The errors by delivery."""
    return {item.delivery_id: item.error for item in outcomes if item.error is not None}


def deliver_author(account: Account, key: str = "author-1") -> RemoteRef:
    """An author that signals may belong to."""
    fields = {"name": "Anna", "network": "mastodon"}
    author = signal(900, object="social_author", record_key=key, key_field="hub_author_key", fields=fields)
    (outcome,) = account.destination.deliver(account.ctx, [author])
    assert outcome.ref is not None
    return outcome.ref


def test_a_thousand_signals_cost_ten_upserts_and_one_call_for_their_authors(account: Account) -> None:
    author = deliver_author(account)
    outcomes = account.destination.deliver(account.ctx, signals(1000, parents={"author": author}))
    assert len({item.delivery_id for item in outcomes if item.ref}) == 1000
    assert (account.calls("social_signal"), account.calls("association")) == (10, 1)
    assert account.sandbox.store.count("social_signal") == len(account.links()) == 1000


def test_a_batch_of_any_size_is_cut_to_a_hundred(account: Account) -> None:
    assert len(account.destination.deliver(account.ctx, signals(250))) == 250
    assert account.calls("social_signal") == 3


def test_sending_again_changes_nothing(account: Account) -> None:
    first, second = (account.destination.deliver(account.ctx, signals(5)) for _ in range(2))
    assert {item.delivery_id: item.ref for item in first} == {item.delivery_id: item.ref for item in second}
    assert account.sandbox.store.count("social_signal") == 5


def test_results_are_matched_by_trace_whatever_their_order(account: Account) -> None:
    for outcome in account.destination.deliver(account.ctx, signals(10)):
        assert outcome.ref is not None
        held = account.properties("social_signal", outcome.ref.id)
        assert held["hub_signal_key"] == f"key-{outcome.delivery_id - 1}"


def test_a_partial_failure_fails_its_own_records_only(account: Account) -> None:
    account.sandbox.faults.set([{"match": {"path": UPSERT}, "partial": [3]}])
    outcomes = account.destination.deliver(account.ctx, signals(100))
    assert list(errors(outcomes)) == [4]
    assert isinstance(errors(outcomes)[4], Rejected)
    assert sum(item.ref is not None for item in outcomes) == 99


def test_a_bad_value_names_its_field_and_reason(account: Account) -> None:
    batch = [signal(0), signal(1, fields={"sentiment": "furious"}), signal(2, fields={"nothing_like_it": "x"})]
    failed = errors(account.destination.deliver(account.ctx, batch))
    assert {id_: getattr(error, "field", None) for id_, error in failed.items()} == {
        2: "sentiment",
        3: "nothing_like_it",
    }
    assert "furious was not one of the allowed options" in str(failed[2])


def test_two_deliveries_of_one_key_go_as_one_input_and_the_last_wins(account: Account) -> None:
    batch = [signal(0, fields={"name": "old"}), signal(1, record_key="key-0", seq=2, fields={"name": "new"})]
    outcomes = account.destination.deliver(account.ctx, batch)
    assert [item.error for item in outcomes] == [None, None]
    assert outcomes[0].ref == outcomes[1].ref
    assert [record["properties"]["name"] for _, record in account.sandbox.store.all("social_signal")] == ["new"]


def test_unknown_values_are_left_out_and_numbers_become_text(account: Account) -> None:
    fields = {"name": "a", "excerpt": None, "sentiment_score": -0.8, "likes": 3, "topics": ["acme", "app"]}
    (outcome,) = account.destination.deliver(account.ctx, [signal(0, fields=fields)])
    assert outcome.ref is not None
    held = account.properties("social_signal", outcome.ref.id)
    assert (held["sentiment_score"], held["likes"], held["topics"]) == ("-0.8", "3", "acme;app")
    assert "excerpt" not in held


def test_an_unknown_value_does_not_wipe_what_is_there(account: Account) -> None:
    account.destination.deliver(account.ctx, [signal(0, fields={"excerpt": "kept"})])
    (outcome,) = account.destination.deliver(account.ctx, [signal(0, seq=2, fields={"excerpt": None, "name": "b"})])
    assert outcome.ref is not None
    assert account.properties("social_signal", outcome.ref.id)["excerpt"] == "kept"


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"key_field": ""}, None), ({"fields": {"author": {"name": "x"}}}, "author"), ({"operation": "comment"}, None)],
)
def test_what_hubspot_cannot_take_is_rejected_and_its_neighbours_are_not(
    account: Account, changes: dict[str, object], field: str | None
) -> None:
    outcomes = {
        item.delivery_id: item for item in account.destination.deliver(account.ctx, [signal(0), signal(1, **changes)])
    }
    error = outcomes[2].error
    assert isinstance(error, Rejected)
    assert error.field == field
    assert outcomes[1].ref is not None


# ------------------------------------------------------------------------------------------------------- whole batches


def test_one_bad_record_does_not_fail_ninety_nine(open_account: Callable[..., Account]) -> None:
    account = open_account(strict_batches=True)
    batch = signals(100)
    batch[42] = signal(42, fields={"sentiment": "furious"})
    outcomes = account.destination.deliver(account.ctx, batch)
    assert list(errors(outcomes)) == [43]
    assert account.sandbox.store.count("social_signal") == 99
    assert account.calls("social_signal") <= 15


def test_a_batch_that_is_bad_all_through_costs_a_bounded_number_of_calls(open_account: Callable[..., Account]) -> None:
    account = open_account(strict_batches=True)
    failed = errors(account.destination.deliver(account.ctx, signals(100, fields={"sentiment": "furious"})))
    assert len(failed) == 100
    assert account.calls("social_signal") <= 31
    assert {type(error) for error in failed.values()} == {Rejected, Retryable}


def test_an_object_that_does_not_exist_is_rejected(account: Account) -> None:
    (error,) = errors(account.destination.deliver(account.ctx, [signal(0, object="social_nothing")])).values()
    assert isinstance(error, Rejected)
    assert "Unable to infer object type" in str(error)


# -------------------------------------------------------------------------------------------------------- associations


def test_a_signal_is_associated_with_its_author(account: Account) -> None:
    author = deliver_author(account)
    (outcome,) = account.destination.deliver(account.ctx, [signal(0, parents={"author": author})])
    assert outcome.ref is not None
    assert account.links() == [(outcome.ref.id, author.id)]


def test_a_known_record_is_not_associated_again(account: Account) -> None:
    author = deliver_author(account)
    (first,) = account.destination.deliver(account.ctx, [signal(0, parents={"author": author})])
    account.destination.deliver(account.ctx, [signal(0, seq=2, ref=first.ref, parents={"author": author})])
    assert account.calls("association") == 1


def test_a_crash_between_record_and_association_leaves_no_gap(account: Account) -> None:
    author = deliver_author(account)
    account.sandbox.faults.set([{"match": {"path": LINK}, "reset_before": True, "times": 1}])
    (failed,) = account.destination.deliver(account.ctx, [signal(0, parents={"author": author})])
    assert isinstance(failed.error, Uncertain)
    (again,) = account.destination.deliver(account.ctx, [signal(0, attempt=2, parents={"author": author})])
    assert again.ref is not None
    assert account.links() == [(again.ref.id, author.id)]


def test_an_author_that_is_gone_fails_only_its_own_signal(account: Account) -> None:
    author = deliver_author(account)
    gone = RemoteRef("999", author.url)
    batch = [signal(0, parents={"author": gone}), signal(1, parents={"author": author})]
    failed = errors(account.destination.deliver(account.ctx, batch))
    assert list(failed) == [1]


def test_a_parent_that_is_a_contact_is_associated_as_a_contact(account: Account) -> None:
    contact = signal(0, object="contacts", key_field="hub_contact_key", fields={"firstname": "Bo"})
    (made,) = account.destination.deliver(account.ctx, [contact])
    assert made.ref is not None
    account.destination.deliver(account.ctx, [signal(1, parents={"author": made.ref})])
    ((_, link),) = account.sandbox.store.all("_associations")
    assert link["to"] == ["contacts", made.ref.id]


# -------------------------------------------------------------------------------------------------------------- errors


def test_a_daily_limit_parks_until_midnight_of_the_accounts_zone(account: Account) -> None:
    account.destination.check(account.ctx)
    daily = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY"}
    account.sandbox.faults.set([{"match": {"path": UPSERT}, "status": 429, "body": daily}])
    (error,) = errors(account.destination.deliver(account.ctx, [signal(0)])).values()
    assert isinstance(error, QuotaExhausted)
    assert error.until == datetime(2026, 1, 2, 23, 0, tzinfo=UTC)  # Berlin is an hour ahead


def test_the_rolling_limit_is_retried_after_its_window(open_account: Callable[..., Account]) -> None:
    account = open_account(calls_per_10s=1)
    destination = account.open(portal_id="1", app_url="http://127.0.0.1:1")
    account.destination = destination
    destination.deliver(account.ctx, [signal(0, object="contacts", key_field="hub_contact_key", fields={})])
    limited = [signal(1, object="contacts", key_field="hub_contact_key", fields={})]
    (error,) = errors(destination.deliver(account.ctx, limited)).values()
    assert isinstance(error, RateLimited)
    assert error.retry_after == 10.0
    account.clock.advance(10)
    assert errors(destination.deliver(account.ctx, limited)) == {}


def test_an_expired_token_stops_the_connection(account: Account) -> None:
    account.sandbox.faults.set([{"expired_token": True}])
    failed = errors(account.destination.deliver(account.ctx, signals(3)))
    assert [type(error) for error in failed.values()] == [Unauthorised] * 3


@pytest.mark.parametrize("status", [423, 477, 500, 521, 524])
def test_passing_troubles_may_be_retried(account: Account, status: int) -> None:
    account.sandbox.faults.set([{"match": {"path": UPSERT}, "status": status, "body": "<html>"}])
    (error,) = errors(account.destination.deliver(account.ctx, [signal(0)])).values()
    assert isinstance(error, Unavailable)


def test_a_lost_answer_is_uncertain_and_resending_makes_no_second_record(account: Account) -> None:
    account.sandbox.faults.set([{"match": {"path": UPSERT}, "reset_after": True, "times": 1}])
    failed = errors(account.destination.deliver(account.ctx, signals(3)))
    assert [type(error) for error in failed.values()] == [Uncertain] * 3
    assert errors(account.destination.deliver(account.ctx, signals(3))) == {}
    assert account.sandbox.store.count("social_signal") == 3


def test_a_stalled_server_times_out(account: Account) -> None:
    account.sandbox.faults.set([{"match": {"path": UPSERT}, "latency_ms": 3000}])
    destination = account.open(timeout=0.3)
    (error,) = errors(destination.deliver(account.ctx, [signal(0)])).values()
    assert isinstance(error, Uncertain)


def test_fifty_calls_share_a_connection(account: Account) -> None:
    for index in range(50):
        account.destination.deliver(account.ctx, [signal(index)])
    assert account.sandbox.connections <= 2


# ---------------------------------------------------------------------------------------- what is there, what is known


def test_a_lagging_search_never_makes_a_second_record(account: Account) -> None:
    account.destination.deliver(account.ctx, [signal(0)])
    account.destination.deliver(account.ctx, [signal(0, seq=2)])
    assert account.sandbox.store.count("social_signal") == 1
    assert not [call for call in account.sandbox.journal.calls if call.path.endswith("/search")]


def test_what_a_person_typed_stays(account: Account) -> None:
    contact = {"object": "contacts", "key_field": "hub_contact_key"}
    (made,) = account.destination.deliver(account.ctx, [signal(0, fields={"firstname": "anna_87"}, **contact)])
    assert made.ref is not None
    headers = {"Authorization": f"Bearer {account.sandbox.options.token}"}
    path = f"{account.running.url}/crm/v3/objects/contacts/{made.ref.id}"
    httpx.patch(path, json={"properties": {"firstname": "Anna"}}, headers=headers).raise_for_status()
    later = signal(0, seq=2, ref=made.ref, fields={"hub_latest_sentiment": "positive"}, **contact)
    account.destination.deliver(account.ctx, [later])
    held = account.properties("contacts", made.ref.id)
    assert (held["firstname"], held["hub_latest_sentiment"]) == ("Anna", "positive")


def test_the_link_of_a_record_leads_to_its_page(account: Account) -> None:
    (outcome,) = account.destination.deliver(account.ctx, [signal(0)])
    assert outcome.ref is not None
    assert outcome.ref.url == f"{account.running.url}/contacts/1/record/2-102/{outcome.ref.id}"
    assert "text 0" in httpx.get(outcome.ref.url).text


def test_links_are_left_out_where_the_account_cannot_be_asked(account: Account) -> None:
    account.sandbox.faults.set([{"match": {"path": "account-info"}, "status": 403}])
    (outcome,) = account.destination.deliver(account.ctx, [signal(0)])
    assert outcome.ref is not None
    assert outcome.ref.url is None


def test_account_and_type_ids_are_asked_for_once(account: Account) -> None:
    for index in range(5):
        account.destination.deliver(account.ctx, [signal(index)])
    paths = [call.path for call in account.sandbox.journal.calls if call.kind == "read"]
    assert paths == ["/account-info/v3/details", "/crm-object-schemas/v3/schemas/social_signal"]


def test_type_ids_and_a_dated_version_may_be_configured(account: Account) -> None:
    options = {
        "object_types": {"social_signal": "2-102"},
        "api_version": "2026-03",
        "portal_id": "7",
        "app_url": "https://x",
    }
    author = deliver_author(account)
    (outcome,) = account.open(**options).deliver(account.ctx, [signal(0, parents={"author": author})])
    assert outcome.ref is not None
    assert outcome.ref.url == f"https://x/contacts/7/record/2-102/{outcome.ref.id}"
    paths = [call.path for call in account.sandbox.journal.calls[-2:]]
    assert paths == [
        "/crm/objects/2026-03/2-102/batch/upsert",
        "/crm/associations/2026-03/2-102/2-101/batch/associate/default",
    ]


def test_lookup_finds_a_record_by_its_key(account: Account) -> None:
    (outcome,) = account.destination.deliver(account.ctx, [signal(0)])
    assert account.destination.lookup(account.ctx, signal(0)) == outcome.ref
    assert account.destination.lookup(account.ctx, signal(1)) is None


def test_a_deleted_record_leaves_no_byte_of_its_text(account: Account) -> None:
    (made,) = account.destination.deliver(account.ctx, [signal(0, fields={"excerpt": "a secret"})])
    account.destination.deliver(account.ctx, [signal(1)])
    gone = [signal(0, operation="tombstone", fields={}, ref=made.ref), signal(1, operation="tombstone", fields={})]
    assert errors(account.destination.deliver(account.ctx, gone)) == {}
    assert errors(account.destination.deliver(account.ctx, gone)) == {}
    assert account.sandbox.store.count("social_signal") == 0


def test_a_contact_is_never_deleted(account: Account) -> None:
    contact = {"object": "contacts", "key_field": "hub_contact_key"}
    account.destination.deliver(account.ctx, [signal(0, fields={"firstname": "Bo"}, **contact)])
    (outcome,) = account.destination.deliver(account.ctx, [signal(0, operation="tombstone", **contact)])
    assert isinstance(outcome.error, Rejected)
    assert account.sandbox.store.count("contacts") == 1


def test_describe_tells_types_values_and_keys(account: Account) -> None:
    found = account.destination.describe(account.ctx)
    assert set(found) == {"social_author", "social_signal", "contacts", "companies"}
    fields = found["social_signal"].fields
    assert fields["hub_signal_key"].unique
    assert fields["sentiment"].values == ("positive", "neutral", "negative")
    assert (fields["excerpt"].type, fields["excerpt"].max_length, fields["published_at"].type) == (
        "text",
        65_536,
        "datetime",
    )


def test_an_account_without_custom_objects_still_describes_contacts(account: Account) -> None:
    account.sandbox.faults.set([{"match": {"path": "social"}, "status": 404, "body": {"category": "OBJECT_NOT_FOUND"}}])
    assert set(account.destination.describe(account.ctx)) == {"contacts", "companies"}


def test_check_says_which_account_it_is(account: Account) -> None:
    assert account.destination.check(account.ctx) == "account 1 (SANDBOX, Europe/Berlin)"


def test_check_with_a_wrong_token_is_refused(account: Account) -> None:
    with pytest.raises(Unauthorised):
        account.open(token="another").check(account.ctx)


def test_every_delivery_gets_exactly_one_outcome(account: Account) -> None:
    batch: list[Delivery] = [
        *signals(3),
        signal(3, key_field=""),
        signal(4, record_key="key-0"),
        signal(5, operation="create"),
    ]
    outcomes = account.destination.deliver(account.ctx, batch)
    assert sorted(item.delivery_id for item in outcomes) == [1, 2, 3, 4, 5, 6]
