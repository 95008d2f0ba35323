"""The poll: what people did, nothing twice, nothing lost, and not what the hub did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub import Unavailable
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.salesforce.inbound import latest, poll_of, stamps_of
from plugins.salesforce.sandbox.people import INTEGRATION, PERSON
from tests.plugins.salesforce.given import Office, again, delivery, destination, erasure, office, person


def begun(at: Office) -> Any:
    """The cursor of a poll that begins now."""
    changes, cursor = at.poll(None)
    assert changes == []
    at.clock.advance(30)
    return cursor


def told(changes: list[Any]) -> list[tuple[str, str, Any]]:
    return [(one.kind, one.remote_id, one.value) for one in changes]


def test_a_status_and_an_owner_that_a_person_set_come_back() -> None:
    with office() as at:
        ref = at.deliver(person(1))
        cursor = begun(at)
        at.org.edit_by_hand("Lead", ref.id, {"Status": "Working - Contacted", "OwnerId": PERSON})
        changes, _ = at.poll(cursor)
    assert told(changes) == [("status", ref.id, "Working - Contacted"), ("assignee", ref.id, PERSON)]
    assert {(one.object, one.actor_id) for one in changes} == {("Lead", PERSON)}


def test_what_we_wrote_ourselves_does_not_come_back() -> None:
    """The echo of our own write."""
    with office() as at:
        cursor = begun(at)
        ref = at.deliver(person(1))
        at.deliver(delivery(2))
        changes, cursor = at.poll(cursor)
        assert changes == []
        at.clock.advance(60)
        at.deliver(again(1, ref))
        changes, _ = at.poll(cursor)
    assert {one.kind for one in changes} <= {"status"}


def test_a_status_set_just_before_our_own_write_is_not_lost() -> None:
    with office() as at:
        ref = at.deliver(person(1))
        cursor = begun(at)
        at.org.edit_by_hand("Lead", ref.id, {"Status": "Working - Contacted"})
        at.clock.advance(1)
        at.deliver(again(1, ref))
        changes, _ = at.poll(cursor)
    assert told(changes) == [("status", ref.id, "Working - Contacted")]
    assert changes[0].actor_id == ""


def test_our_own_writes_tell_a_status_once_a_day() -> None:
    with office() as at:
        ref, seen = at.deliver(person(1)), set()
        cursor = begun(at)
        for seq in range(5):
            at.clock.advance(60)
            at.deliver(again(1, ref, seq=seq + 2))
            changes, cursor = at.poll(cursor)
            seen |= {one.event_id for one in changes}
    assert len(seen) == 1


def test_deletions_and_merges_come_back() -> None:
    with office() as at:
        loser, winner, gone = (at.deliver(person(number, "Contact")) for number in range(3))
        signal = at.deliver(delivery(7))
        cursor = begun(at)
        at.org.merge_by_hand("Contact", winner.id, loser.id)
        at.org.delete_by_hand("Contact", gone.id)
        at.org.delete_by_hand("Social_Author__c", signal.id)
        changes, _ = at.poll(cursor)
    found = told(changes)
    assert ("merged", loser.id, winner.id) in found
    assert {one[1] for one in found if one[0] == "deleted"} == {gone.id, signal.id}


def test_our_own_tombstone_is_no_deletion() -> None:
    with office() as at:
        ref = at.deliver(delivery(1))
        cursor = begun(at)
        assert at.crm.deliver(at.ctx, [erasure(1, ref)])[0].error is None
        assert at.poll(cursor)[0] == []


def test_a_row_that_was_committed_late_is_still_seen() -> None:
    """The stamp is set before the commit."""
    with office() as at:
        early, late = at.deliver(person(1)), at.deliver(person(2))
        cursor = begun(at)
        at.org.edit_by_hand("Lead", early.id, {"Status": "Working - Contacted"})
        _, cursor = at.poll(cursor)
        at.clock.at -= timedelta(seconds=90)
        at.org.edit_by_hand("Lead", late.id, {"Status": "Closed - Not Converted"})
        at.clock.at += timedelta(seconds=100)
        changes, _ = at.poll(cursor)
    assert ("status", late.id, "Closed - Not Converted") in told(changes)


def test_what_the_overlap_shows_again_has_the_same_ids() -> None:
    """A duplicate has one effect."""
    with office() as at:
        ref = at.deliver(person(1))
        cursor = begun(at)
        at.org.edit_by_hand("Lead", ref.id, {"Status": "Working - Contacted"})
        first, cursor = at.poll(cursor)
        again_, _ = at.poll(cursor)
        at.clock.advance(5)
        at.org.edit_by_hand("Lead", ref.id, {"Status": "Open - Not Contacted"})
        at.clock.advance(5)
        at.org.edit_by_hand("Lead", ref.id, {"Status": "Working - Contacted"})
        later, _ = at.poll(cursor)
    assert [one.event_id for one in first] == [one.event_id for one in again_]
    assert {one.event_id for one in later}.isdisjoint(one.event_id for one in first)


def test_a_tick_costs_one_call_and_the_own_id_is_asked_once() -> None:
    with office() as at:
        cursor = begun(at)
        at.poll(cursor)
        at.org.journal.clear()
        at.poll(cursor)
        assert len(at.org.journal.calls) == 1
        assert at.ctx.state.get("user_id") == INTEGRATION


def test_pages_are_followed_and_each_has_its_cursor() -> None:
    with office(page_size=2) as at:
        refs = [at.deliver(person(number)) for number in range(5)]
        cursor = begun(at)
        for ref in refs:
            at.clock.advance(1)
            at.org.edit_by_hand("Lead", ref.id, {"Status": "Working - Contacted"})
        pages = [page for page in at.crm.changes(at.ctx, cursor) if page.changes]
    assert [len({one.remote_id for one in page.changes}) for page in pages] == [2, 2, 1]
    stamps = [page.cursor["Lead"] for page in pages]
    assert stamps == sorted(set(stamps))


def test_a_crash_between_two_pages_loses_nothing() -> None:
    with office(page_size=2) as at:
        refs = [at.deliver(person(number)) for number in range(5)]
        cursor = begun(at)
        for ref in refs:
            at.clock.advance(1)
            at.org.edit_by_hand("Lead", ref.id, {"Status": "Working - Contacted"})
        first = next(page for page in at.crm.changes(at.ctx, cursor) if page.changes)
        rest, _ = at.poll(first.cursor)
    assert {one.remote_id for one in (*first.changes, *rest)} == {ref.id for ref in refs}


def test_nothing_is_asked_while_the_org_is_parked_or_polls_are_off() -> None:
    cursor = {"Lead": "2026-01-02T03:04:05+00:00"}
    ctx = context(FakeHttp())
    ctx.state.set("parked_until", "2026-01-02T04:00:00+00:00")
    assert list(destination().changes(ctx, cursor)) == []
    assert list(destination(poll=False).changes(context(FakeHttp()), cursor)) == []


def test_an_object_that_the_org_lacks_does_not_stop_the_others() -> None:
    missing = {"httpStatusCode": 400, "body": [{"errorCode": "INVALID_TYPE", "message": "not supported"}]}
    found = {"httpStatusCode": 200, "body": {"done": True, "records": [{"Id": "003A", "OwnerId": PERSON}]}}
    http = FakeHttp(
        [answer(200, {}), answer(200, {"user_id": INTEGRATION}), answer(200, {"compositeResponse": [missing, found]})]
    )
    crm = destination(objects={"Lead": "K__c", "Contact": "K__c"})
    (page,) = crm.changes(context(http), {})
    assert told(list(page.changes)) == [("assignee", "003A", PERSON)]


def test_an_outage_is_told_and_moves_no_cursor() -> None:
    http = FakeHttp([answer(200, {}), answer(200, {"user_id": INTEGRATION}), answer(503)])
    with pytest.raises(Unavailable):
        list(destination().changes(context(http), {}))


def test_the_query_has_the_overlap_and_an_order_and_a_short_url() -> None:
    query = poll_of("Lead", "2026-01-02T03:04:05+00:00")
    assert "WHERE SystemModstamp >= 2026-01-02T03:02:05Z ORDER BY SystemModstamp, Id" in query
    assert len(query) < 500
    assert "AND IsDeleted = true" in poll_of("Social_Signal__c", "")


@pytest.mark.parametrize("cursor", [None, 7, [], {"Lead": 3}, {"Lead": "yesterday"}, {"Else": "2026-01-01T00:00:00Z"}])
def test_a_cursor_of_any_shape_begins_now_at_worst(cursor: Any) -> None:
    now = context().now()
    assert stamps_of(cursor, ["Lead"], now) == {"Lead": now.isoformat()}


def test_salesforces_own_form_of_a_time_moves_the_cursor() -> None:
    rows = [{"SystemModstamp": "2026-01-02T03:04:05.000+0000"}, {"SystemModstamp": None}, {}]
    assert latest(rows, "2026-01-01T00:00:00+00:00") == "2026-01-02T03:04:05+00:00"


def test_who_we_are_is_asked_anew_when_the_hub_asks() -> None:
    ctx = context(FakeHttp([answer(200, {}), answer(200, {"user_id": INTEGRATION})]))
    ctx.state.set("user_id", "of credentials that are no longer ours")
    assert destination().whoami(ctx) == INTEGRATION
    assert ctx.state.get("user_id") == INTEGRATION


def test_an_outage_does_not_make_us_nobody_for_ever() -> None:
    ctx = context(FakeHttp([answer(200, {}), answer(503)]))
    with pytest.raises(Unavailable):
        destination().whoami(ctx)
    assert ctx.state.get("user_id") is None
