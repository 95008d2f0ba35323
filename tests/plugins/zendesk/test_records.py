"""Authors and signals as custom object records, by jobs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hub import Outcome, RateLimited, Rejected, Unavailable, Uncertain, Upsert
from plugins.zendesk.sandbox.account import invalid
from tests.plugins.zendesk.conftest import MakeStand, Stand, delivery


def many(count: int) -> list:
    return [delivery(number) for number in range(count)]


def test_1000_records_need_ten_write_calls_and_few_reads(stand: Stand) -> None:
    outcomes = stand.deliver(*many(1000))
    calls = stand.sandbox.journal.counts()["calls"]
    assert all(outcome.ref for outcome in outcomes)
    assert stand.sandbox.store.count("social_signal") == 1000
    assert calls["write"] == 10
    assert calls["read"] <= 3


def test_of_a_completed_job_only_the_failed_item_fails(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": {"path": "/jobs$"}, "partial": [3]}])
    outcomes = stand.deliver(*many(10))
    failed = [outcome for outcome in outcomes if outcome.error]
    assert [outcome.delivery_id for outcome in failed] == [3]
    assert isinstance(failed[0].error, Rejected)
    assert stand.sandbox.store.count("social_signal") == 9


def test_an_item_with_an_unknown_field_is_rejected_by_name(stand: Stand) -> None:
    outcomes = stand.deliver(delivery(1), delivery(2, fields={"name": "x", "shoe_size": "9"}))
    assert outcomes[0].ref
    assert isinstance(outcomes[1].error, Rejected)
    assert outcomes[1].error.field == "shoe_size"


@pytest.mark.parametrize(("open_jobs", "records"), [(1, 300), (4, 900), (30, 3200)])
def test_there_are_never_more_jobs_open_than_allowed(make_stand: MakeStand, open_jobs: int, records: int) -> None:
    stand = make_stand(open_jobs=open_jobs)
    most, queue = [], stand.sandbox.queue

    def counted(*job):
        made = queue(*job)
        most.append(len(stand.sandbox.open_jobs()))
        return made

    stand.sandbox.queue = counted  # type: ignore[method-assign]  # the one place where jobs begin
    assert all(outcome.ref for outcome in stand.deliver(*many(records)))
    assert max(most) == open_jobs


def test_thirty_jobs_of_others_give_a_rate_limit_and_lose_nothing(stand: Stand) -> None:
    stand.sandbox.open_jobs = lambda: ["another's job"] * 30  # type: ignore[method-assign]
    (outcome,) = stand.deliver(delivery(1))
    assert isinstance(outcome.error, RateLimited)
    assert outcome.error.retry_after == 5


def test_a_job_that_does_not_end_is_uncertain_and_names_the_job(make_stand: MakeStand) -> None:
    stand = make_stand({"job_looks": 10_000}, job_wait=5.0)
    stand.sandbox.is_open = lambda job: True  # type: ignore[method-assign]  # a job that hangs
    (outcome,) = stand.deliver(delivery(1))
    assert isinstance(outcome.error, Uncertain)
    assert outcome.error.details["job"].startswith("V3-")
    assert sum(stand.clock.slept) < 10


def test_after_a_lost_poll_the_same_batch_again_makes_no_second_record(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": {"path": "job_statuses"}, "status": 403, "times": 1}])
    (lost,) = stand.deliver(delivery(1))
    (again,) = stand.deliver(delivery(1))
    assert isinstance(lost.error, Uncertain)
    assert again.ref
    assert stand.sandbox.store.count("social_signal") == 1


def test_a_poll_that_is_rate_limited_waits_as_asked_and_goes_on(stand: Stand) -> None:
    limit = {"match": {"path": "job_statuses"}, "status": 429, "headers": {"Retry-After": "7"}, "times": 1}
    stand.sandbox.faults.set([limit])
    (outcome,) = stand.deliver(delivery(1))
    assert outcome.ref
    assert 7 in stand.clock.slept


def test_a_rate_limit_halfway_keeps_what_was_written_before(stand: Stand) -> None:
    stand.sandbox.faults.set(
        [{"match": {"path": "/jobs$"}, "after": 2, "status": 429, "headers": {"Retry-After": "9"}}]
    )
    outcomes = stand.deliver(*many(400))
    assert [bool(outcome.ref) for outcome in outcomes] == [True] * 200 + [False] * 200
    assert {type(outcome.error) for outcome in outcomes[200:]} == {RateLimited}
    assert stand.calls("POST", "/jobs") == 3


def test_a_job_whose_answer_is_lost_leaves_only_its_own_items_in_doubt(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": {"path": "/jobs$"}, "after": 1, "times": 1, "reset_after": True}])
    outcomes = stand.deliver(*many(300))
    assert [outcome.delivery_id for outcome in outcomes if isinstance(outcome.error, Uncertain)] == list(
        range(100, 200)
    )
    assert all(outcome.ref for outcome in stand.deliver(*many(300)))
    assert stand.sandbox.store.count("social_signal") == 300


def test_a_job_refused_as_a_whole_is_halved_until_the_bad_record_stands_alone(stand: Stand) -> None:
    run_job = stand.sandbox.run_job
    refuse = lambda call: invalid("name", "is poison") if b"poison" in call.body else run_job(call)  # noqa: E731 - one use
    stand.sandbox.run_job = refuse  # type: ignore[method-assign]  # a Zendesk that checks before it queues
    outcomes = stand.deliver(*[delivery(n, fields={"name": "poison" if n == 5 else "fine"}) for n in range(10)])
    assert [outcome.delivery_id for outcome in outcomes if outcome.error] == [5]


def test_an_update_merges_and_keeps_the_record(stand: Stand) -> None:
    (first,) = stand.deliver(delivery(1, fields={"name": "a", "text": "one"}))
    (second,) = stand.deliver(delivery(1, fields={"name": "b"}, seq=2))
    assert first.ref == second.ref
    assert stand.sandbox.store.get("social_signal", first.ref.id)["custom_object_fields"] == {"text": "one"}


def test_a_key_twice_in_a_batch_is_one_item_and_the_later_payload_wins(stand: Stand) -> None:
    late = delivery(2, record_key="mastodon:k1", fields={"name": "late"}, seq=2)
    early = delivery(1, fields={"name": "early", "text": "kept"})
    outcomes: list[Outcome] = stand.deliver(late, early)
    assert outcomes[0].ref == outcomes[1].ref
    record = stand.sandbox.store.get("social_signal", outcomes[0].ref.id)
    assert (record["name"], record["custom_object_fields"]["text"]) == ("late", "kept")


def test_a_signal_is_hung_on_its_author_by_the_lookup_field(stand: Stand) -> None:
    (author,) = stand.deliver(delivery(1, object="social_author", fields={"name": "Ann"}))
    (signal,) = stand.deliver(delivery(2, parents={"author": author.ref}))
    held = stand.sandbox.store.get("social_signal", signal.ref.id)
    assert held["custom_object_fields"]["author"] == author.ref.id


def test_results_without_ids_are_read_back_by_external_id(stand: Stand) -> None:
    save = stand.sandbox.save
    stand.sandbox.save = lambda *args: {"status": save(*args)["status"]}  # type: ignore[method-assign]  # a terse Zendesk
    outcomes = stand.deliver(*many(3))
    ids = {id_ for id_, _ in stand.sandbox.store.all("social_signal")}
    assert {outcome.ref.id for outcome in outcomes} == ids
    assert stand.calls("GET", "/records") == 1


def test_an_object_of_another_key_in_the_account_is_reached_by_the_options(make_stand: MakeStand) -> None:
    stand = make_stand({"objects": {"fans": {"handle": "text"}}}, objects={"social_author": "fans"})
    (outcome,) = stand.deliver(delivery(1, object="social_author", fields={"name": "Ann", "handle": "ann"}))
    assert stand.sandbox.store.get("fans", outcome.ref.id)["name"] == "Ann"


def test_an_object_that_the_account_lacks_rejects_its_records(make_stand: MakeStand) -> None:
    stand = make_stand(objects={"social_signal": "no_such"})
    (outcome,) = stand.deliver(delivery(1))
    assert isinstance(outcome.error, Rejected)
    assert stand.calls("POST", "/jobs") == 1


def test_lookup_finds_a_record_by_its_key(stand: Stand) -> None:
    (outcome,) = stand.deliver(delivery(1))
    assert stand.destination.lookup(stand.ctx, delivery(1)) == outcome.ref
    assert stand.destination.lookup(stand.ctx, delivery(2)) is None


def test_records_are_upserts_a_thousand_at_a_time(stand: Stand) -> None:
    assert stand.destination.idempotency_of("social_signal", "upsert") == Upsert()
    assert stand.destination.batch_size_of("social_signal", "upsert") == 1000


def test_a_server_error_on_a_job_is_retryable_for_all_that_was_not_sent(stand: Stand) -> None:
    stand.sandbox.faults.set([{"match": {"path": "/jobs$"}, "status": 503, "headers": {"Retry-After": "30"}}])
    outcomes = stand.deliver(*many(250))
    assert {type(outcome.error) for outcome in outcomes} == {Unavailable}
    assert stand.calls("POST", "/jobs") == 1


def test_an_unknown_operation_is_rejected_item_by_item(stand: Stand) -> None:
    outcomes = stand.deliver(*[replace(delivery(number), operation="explode") for number in range(2)])
    assert {type(outcome.error) for outcome in outcomes} == {Rejected}


def test_no_batch_no_call(stand: Stand) -> None:
    assert stand.deliver() == []
    assert stand.sandbox.journal.calls == []
