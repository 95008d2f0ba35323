"""Deliveries to Salesforce: outcomes row by row, the traps, the quota."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import (
    Delivery,
    HttpResponse,
    QuotaExhausted,
    RateLimited,
    Rejected,
    RemoteRef,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
    Upsert,
)
from hub.testkit.fakes import FakeClock, FakeHttp, MemoryState, answer, context
from plugins.salesforce.destination import SalesforceDestination
from tests.plugins.salesforce.given import (
    AUTHOR,
    AUTHOR_KEY,
    URL,
    client_credentials,
    delivery,
    destination,
    done,
    echo,
    erasure,
    failed,
    refused,
    results,
    running,
    written,
)

LIMIT = refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def deliver(answers: Any, *deliveries: Delivery) -> tuple[dict[int, Any], FakeHttp]:
    """What became of each delivery: its reference or its error."""
    http = FakeHttp(answers)
    outcomes = destination().deliver(context(http), deliveries)
    assert sorted(one.delivery_id for one in outcomes) == sorted(one.id for one in deliveries)
    return {one.delivery_id: one.error or one.ref for one in outcomes}, http


# --------------------------------------------------------------------------------------------------------------- calls


def test_a_batch_is_one_upsert_by_external_id_with_the_key_in_the_body() -> None:
    _, http = deliver([results(done(1), done(2))], delivery(1), delivery(2))
    sent = http.requests[0]
    assert (sent.method, sent.url) == ("PATCH", f"{URL}/services/data/v67.0/composite/sobjects/{AUTHOR}/{AUTHOR_KEY}")
    record = {"attributes": {"type": AUTHOR}, "Name": "Author 1", AUTHOR_KEY: "mastodon:1"}
    assert sent.json()["allOrNone"] is False
    assert sent.json()["records"][0] == record


def test_a_delivered_row_knows_its_id_and_its_page() -> None:
    found, _ = deliver([results(done(7))], delivery(1))
    id_ = "a00000000000000007"
    assert found[1] == RemoteRef(id_, f"{URL}/lightning/r/{AUTHOR}/{id_}/view")


def test_the_outcome_says_whether_the_record_was_made() -> None:
    http = FakeHttp([results(done(1, created=False))])
    assert destination().deliver(context(http), [delivery(1)])[0].response == {"created": False}


@given(st.lists(st.text(max_size=4), max_size=60))
def test_any_keys_are_all_answered_once_and_never_reach_the_path(keys: list[str]) -> None:
    """Keys with "/", "..", space or "+"."""
    deliveries = [delivery(number, record_key=key) for number, key in enumerate(keys)]
    found, http = deliver(echo(lambda _: done(1)), *deliveries)
    assert len(found) == len(keys)
    assert {sent.url for sent in http.requests} <= {
        f"{URL}/services/data/v67.0/composite/sobjects/{AUTHOR}/{AUTHOR_KEY}"
    }
    assert sorted(key for call in written(http) for key in call) == sorted(set(keys))


@given(st.integers(0, 650))
def test_no_call_holds_more_than_200_records(count: int) -> None:
    _, http = deliver(echo(lambda _: done(1)), *(delivery(number) for number in range(count)))
    assert all(0 < len(keys) <= 200 for keys in written(http))
    assert len(http.requests) == -(-count // 200)


def test_a_thousand_records_of_one_kind_cost_five_calls() -> None:
    with running() as (sandbox, ctx, crm):
        outcomes = crm.deliver(ctx, [delivery(number) for number in range(1000)])
        assert all(one.error is None for one in outcomes)
        assert sandbox.sandbox.journal.counts()["calls"] == {"read": 0, "write": 5}


def test_a_key_given_twice_is_sent_once_and_both_learn_the_outcome() -> None:
    one, two = delivery(1, record_key="k"), delivery(2, record_key="k", seq=2, fields={"Name": "newer"})
    found, http = deliver([results(done(1))], one, two)
    assert (
        found[1] == found[2] == RemoteRef("a00000000000000001", f"{URL}/lightning/r/{AUTHOR}/a00000000000000001/view")
    )
    assert [record["Name"] for record in http.requests[0].json()["records"]] == ["newer"]


def test_upserts_may_be_sent_again_after_a_doubt() -> None:
    assert SalesforceDestination.idempotency == Upsert()
    with running() as (sandbox, ctx, crm):
        sandbox.sandbox.faults.set([{"match": {"method": "PATCH"}, "times": 1, "reset_after": True}])
        assert isinstance(crm.deliver(ctx, [delivery(1)])[0].error, Uncertain)
        assert crm.deliver(ctx, [delivery(1)])[0].error is None
        assert sandbox.sandbox.store.count(AUTHOR) == 1


@pytest.mark.parametrize(
    "changes", [{"operation": "create"}, {"key_field": ""}, {"key_field": "a/b"}, {"object": "../Account"}]
)
def test_a_mapping_that_cannot_be_upserted_sends_nothing(changes: dict[str, str]) -> None:
    found, http = deliver([], delivery(1, **changes))
    assert isinstance(found[1], Rejected)
    assert http.requests == []


# --------------------------------------------------------------------------------------------------------------- traps


def test_a_200_answer_is_judged_row_by_row() -> None:
    """Rows 3 and 7 failed inside an HTTP 200."""
    rows = [failed("UNKNOWN_EXCEPTION") if number in {3, 7} else done(number) for number in range(10)]
    found, _ = deliver([results(*rows)], *(delivery(number) for number in range(10)))
    assert {number for number, one in found.items() if isinstance(one, Retryable)} == {3, 7}
    assert sum(isinstance(one, RemoteRef) for one in found.values()) == 8


def test_a_row_without_a_verdict_is_not_taken_for_a_success() -> None:
    found, _ = deliver([results({"id": "a001"})], delivery(1))
    assert isinstance(found[1], Uncertain)


def test_a_lasting_401_pauses_the_connection_after_few_calls() -> None:
    with running() as (sandbox, ctx, _):
        sandbox.sandbox.faults.set([{"match": {"path": "/composite"}, "expired_token": True}])
        crm = SalesforceDestination(client_credentials(instance_url=sandbox.url))
        outcomes = crm.deliver(ctx, [delivery(number) for number in range(600)])
        assert all(isinstance(one.error, Unauthorised) for one in outcomes)
        calls = [call.path for call in sandbox.sandbox.journal.calls]
        assert sum("token" in path for path in calls) == 2
        assert len(calls) <= 6


def test_a_key_that_raced_is_sent_again_alone_and_lands() -> None:
    """Two workers upsert one new key."""
    answers = [results(done(1), failed("DUPLICATE_VALUE")), results(done(2, created=False))]
    found, http = deliver(answers, delivery(1), delivery(2))
    assert isinstance(found[2], RemoteRef)
    assert written(http) == [["mastodon:1", "mastodon:2"], ["mastodon:2"]]


def test_a_value_that_stays_a_duplicate_is_a_dead_letter_after_one_more_try() -> None:
    found, http = deliver(echo(lambda _: failed("DUPLICATE_VALUE", "duplicate value found")), delivery(1))
    assert isinstance(found[1], Rejected)
    assert len(http.requests) == 2


def test_a_locked_row_alone_is_tried_again_and_not_all_at_one_time() -> None:
    rows = [failed("UNABLE_TO_LOCK_ROW") if number < 9 else done(number) for number in range(10)]
    found, _ = deliver([results(*rows)], *(delivery(number) for number in range(10)))
    waits = {one.retry_after for one in found.values() if isinstance(one, Retryable)}
    assert len(waits) > 5
    assert all(1 <= wait <= 10 for wait in waits)
    assert isinstance(found[9], RemoteRef)


def test_a_spent_day_parks_and_nothing_is_sent_until_the_clock_moves() -> None:
    """403 REQUEST_LIMIT_EXCEEDED is no lack of rights."""
    clock, state, crm = FakeClock(), MemoryState(), destination()
    first = crm.deliver(context(FakeHttp([LIMIT]), clock=clock, state=state), [delivery(1)])
    assert isinstance(first[0].error, QuotaExhausted)
    again = crm.deliver(context(FakeHttp([]), clock=clock, state=state), [delivery(1)])
    assert isinstance(again[0].error, QuotaExhausted)
    assert again[0].error.until == first[0].error.until
    clock.advance(15 * 60)
    later = crm.deliver(context(FakeHttp([results(done(1))]), clock=clock, state=state), [delivery(1)])
    assert later[0].error is None


def test_the_chunks_after_a_spent_day_are_not_sent() -> None:
    found, http = deliver([LIMIT], *(delivery(number) for number in range(450)))
    assert all(isinstance(one, QuotaExhausted) for one in found.values())
    assert len(http.requests) == 1


def test_above_95_percent_the_next_batch_waits() -> None:
    state, crm = MemoryState(), destination()
    near = FakeHttp([results(done(1), usage="api-usage=4751/5000")])
    assert crm.deliver(context(near, state=state), [delivery(1)])[0].error is None
    assert isinstance(crm.deliver(context(FakeHttp(), state=state), [delivery(2)])[0].error, QuotaExhausted)


def test_at_95_percent_work_goes_on() -> None:
    http = FakeHttp([results(done(1), usage="api-usage=4750/5000"), results(done(2))])
    ctx, crm = context(http), destination()
    assert [crm.deliver(ctx, [delivery(n)])[0].error for n in (1, 2)] == [None, None]


def test_too_many_at_once_is_a_matter_of_seconds_and_parks_nobody() -> None:
    state = MemoryState()
    http = FakeHttp([refused(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.")])
    assert isinstance(destination().deliver(context(http, state=state), [delivery(1)])[0].error, RateLimited)
    assert state.get("parked_until") is None


def test_the_sandbox_parks_us_when_its_day_is_spent() -> None:
    with running(daily_calls=2) as (_, ctx, crm):
        errors = [crm.deliver(ctx, [delivery(number)])[0].error for number in range(3)]
    assert errors[0] is None
    assert isinstance(errors[-1], QuotaExhausted)


def test_an_outage_of_one_call_leaves_the_other_calls_outcomes() -> None:
    answers: list[Any] = [results(*(done(n) for n in range(200))), Unavailable("down")]
    found, _ = deliver(answers, *(delivery(number) for number in range(210)))
    assert sum(isinstance(one, Unavailable) for one in found.values()) == 10


@pytest.mark.parametrize(
    ("body", "kind"),
    [(answer(500, content=b"<html>"), Unavailable), (answer(500), Unavailable), (answer(200, content=b"{"), Uncertain)],
)
def test_an_answer_that_cannot_be_read_is_tried_again(body: HttpResponse, kind: type) -> None:
    found, _ = deliver([body], delivery(1))
    assert type(found[1]) is kind


def test_one_unreadable_record_does_not_drag_199_others_down() -> None:
    with running() as (sandbox, ctx, crm):
        batch = [delivery(number) for number in range(199)]
        bad = delivery(199, object=AUTHOR, fields={"Name": "n", "Followers__c": "many"})
        outcomes = {one.delivery_id: one.error for one in crm.deliver(ctx, [*batch, bad])}
        assert [number for number, error in outcomes.items() if error] == [199]
        assert sandbox.sandbox.store.count(AUTHOR) == 199


def test_the_search_for_bad_records_ends() -> None:
    found, http = deliver(lambda *_: refused(400, "JSON_PARSER_ERROR"), *(delivery(n) for n in range(200)))
    assert {type(one) for one in found.values()} == {Rejected, Retryable}
    assert len(http.requests) < 60


def test_a_missing_external_id_field_is_not_searched_for_record_by_record() -> None:
    found, http = deliver([refused(404, "NOT_FOUND")], *(delivery(n) for n in range(50)))
    assert all(isinstance(one, Rejected) for one in found.values())
    assert len(http.requests) == 1


# ------------------------------------------------------------------------------------------------------------- erasure


def test_after_a_tombstone_no_byte_of_the_text_is_left() -> None:
    with running() as (sandbox, ctx, crm):
        fields = {
            "Text__c": "secret words",
            "Title__c": "secret title",
            "Url__c": "https://m.example/1",
            "Kind__c": "post",
        }
        signal = {"object": "Social_Signal__c", "key_field": "Signal_Key__c"}
        made = crm.deliver(ctx, [delivery(1, fields=fields, **signal)])[0].ref
        assert crm.deliver(ctx, [erasure(1, made, **signal)])[0].error is None
        [(_, left)] = sandbox.sandbox.store.all("Social_Signal__c")
        assert "secret" not in str(left)
        assert (left["State__c"], left["Kind__c"]) == ("deleted", "post")


def test_a_tombstone_without_a_reference_finds_the_record_by_its_key() -> None:
    with running() as (sandbox, ctx, crm):
        crm.deliver(ctx, [delivery(1, fields={"Name": "Anna", "Bio__c": "about me"})])
        assert crm.deliver(ctx, [erasure(1)])[0].error is None
        [(_, left)] = sandbox.sandbox.store.all(AUTHOR)
        assert (left["Name"], left["Bio__c"], left["State__c"]) == ("deleted", None, "deleted")


def test_a_tombstone_for_what_never_arrived_makes_nothing() -> None:
    with running() as (sandbox, ctx, crm):
        assert crm.deliver(ctx, [erasure(1)])[0].error is None
        assert sandbox.sandbox.store.count(AUTHOR) == 0


# ------------------------------------------------------------------------------------------------- check and describe


def test_the_check_says_where_we_are() -> None:
    with running() as (_, ctx, crm):
        assert crm.check(ctx) == "Sandbox (00D000000000001EAA) as the integration user"


def test_the_check_names_all_that_is_missing_at_once() -> None:
    wanted = {"Nope__c": "Key__c", AUTHOR: "Nope__c", "Lead": "LastName"}
    with running() as (sandbox, ctx, _):
        crm = destination(instance_url=sandbox.url, access_token="sandbox-token", objects=wanted)
        with pytest.raises(Rejected) as found:
            crm.check(ctx)
    assert len(found.value.details["problems"]) == 4


def test_the_check_refuses_a_wrong_token() -> None:
    with running() as (sandbox, ctx, _), pytest.raises(Unauthorised):
        destination(instance_url=sandbox.url, access_token="wrong").check(ctx)


def test_describe_shows_the_objects_asked_for_and_the_way_to_parents() -> None:
    with running() as (_, ctx, crm):
        found = crm.describe(ctx)
    assert set(found) == {"Social_Author__c", "Social_Signal__c", "Lead", "Contact", "Account"}
    assert found["Social_Signal__c"].fields["Text__c"].max_length == 32000
    assert "Author__r.Author_Key__c" in found["Social_Signal__c"].fields


def test_describe_leaves_out_what_is_not_there() -> None:
    with running() as (sandbox, ctx, _):
        crm = destination(instance_url=sandbox.url, access_token="sandbox-token", objects={"Nope__c": "K__c"})
        assert crm.describe(ctx) == {}


def test_a_record_is_found_again_by_its_key() -> None:
    with running() as (_, ctx, crm):
        made = crm.deliver(ctx, [delivery(1)])[0].ref
        assert crm.lookup(ctx, delivery(1)) == made
        assert crm.lookup(ctx, delivery(2)) is None
