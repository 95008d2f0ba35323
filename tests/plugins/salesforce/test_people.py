"""What people do in an org: the hub overwrites nothing that they typed, and follows what they merge."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hub import Rejected, Retryable
from plugins.salesforce.config import OBJECTS as KEYS
from plugins.salesforce.sandbox.people import PERSON
from tests.plugins.salesforce.given import again, destination, office, person

OBJECTS = pytest.mark.parametrize("object_", ["Lead", "Contact", "Account"])
PERSONS: dict[str, Any] = {
    "LastName": "Example",
    "FirstName": "Bo",
    "Title": "Head of Finance",
    "Email": "bo@example.org",
    "LeadSource": "Web",
}
COMPANYS: dict[str, Any] = {
    "Name": "Example Ltd",
    "Website": "https://example.org",
    "Phone": "+49 30 1",
    "Industry": "Retail",
    "AccountSource": "Web",
}
TYPED = {"Lead": PERSONS | {"Company": "Bakery"}, "Contact": PERSONS, "Account": COMPANYS}


@OBJECTS
def test_nothing_that_a_person_typed_is_overwritten(object_: str) -> None:
    with office() as at:
        ref = at.deliver(person(1, object_))
        at.org.edit_by_hand(object_, ref.id, TYPED[object_])
        at.deliver(again(1, ref, object_))
        held = at.held(object_, ref)
    assert {name: held[name] for name in TYPED[object_]} == TYPED[object_]
    assert held["Social_Sentiment__c"] == "positive"


@OBJECTS
def test_a_record_that_was_there_before_is_filled_only_where_it_is_empty(object_: str) -> None:
    """A person gave a record the author's key: the hub's first write finds it."""
    with office() as at:
        ref = at.deliver(person(1, object_))
        source, name = ("AccountSource", "Name") if object_ == "Account" else ("LeadSource", "LastName")
        at.org.edit_by_hand(object_, ref.id, {**TYPED[object_], source: None, "Social_Sentiment__c": None})
        assert at.deliver(person(1, object_)) == ref
        held = at.held(object_, ref)
    assert (held[name], held[source], held["Social_Sentiment__c"]) == (TYPED[object_][name], "Social", "negative")


def test_looking_at_what_is_filled_costs_one_call_for_a_thousand_new_leads() -> None:
    with office() as at:
        at.crm.deliver(at.ctx, [person(number) for number in range(200)])
        paths = [call.path.rpartition("/v67.0/")[2] for call in at.org.journal.calls]
    assert paths == ["composite", "composite/sobjects/Lead/Social_Author_Key__c"]


def test_two_hundred_known_leads_cost_one_call() -> None:
    with office() as at:
        first = at.crm.deliver(at.ctx, [person(number) for number in range(200)])
        at.org.journal.clear()
        known = [again(one.delivery_id, one.ref) for one in first if one.ref]
        assert [one.error for one in at.crm.deliver(at.ctx, known)] == [None] * 200
        assert len(at.org.journal.calls) == 1


@OBJECTS
def test_a_merged_record_is_followed_to_its_winner(object_: str) -> None:
    with office() as at:
        loser, winner = at.deliver(person(1, object_)), at.deliver(person(2, object_))
        at.org.edit_by_hand(object_, winner.id, TYPED[object_])
        at.org.merge_by_hand(object_, winner.id, loser.id)
        assert at.deliver(again(1, loser, object_)) == winner
        held = at.held(object_, winner)
        assert at.org.store.count(object_) == 1
    assert {name: held[name] for name in TYPED[object_]} == TYPED[object_]
    assert held[KEYS[object_]] == "mastodon:2"


@OBJECTS
def test_a_time_and_a_link_that_are_gone_are_emptied(object_: str) -> None:
    """What the hub sends once the last signal was erased: an empty text, also for a time."""
    last = {"Social_Last_Signal__c": "2026-01-02T03:04:05Z", "Social_Last_Url__c": "https://bsky.example/bo/1"}
    with office() as at:
        ref = at.deliver(person(1, object_))
        at.deliver(again(1, ref, object_, fields=last))
        at.deliver(again(1, ref, object_, fields=dict.fromkeys(last, ""), seq=3))
        held = at.held(object_, ref)
    assert [held[name] for name in last] == [None, None]


def test_two_authors_that_became_one_lead_are_written_one_after_the_other() -> None:
    with office() as at:
        ref = at.deliver(person(1))
        outcomes = at.crm.deliver(at.ctx, [again(1, ref), again(2, ref, fields={"Social_Sentiment__c": "mixed"})])
        assert [one.ref for one in outcomes] == [ref, ref]
        assert at.held("Lead", ref)["Social_Sentiment__c"] == "mixed"


def test_merges_of_merges_are_followed_a_few_times() -> None:
    with office() as at:
        refs = [at.deliver(person(number)) for number in range(3)]
        for loser, winner in ((0, 1), (1, 2)):
            at.org.merge_by_hand("Lead", refs[winner].id, refs[loser].id)
        assert at.deliver(again(0, refs[0])) == refs[2]


def test_a_deleted_lead_waits_until_the_hub_has_noticed() -> None:
    with office() as at:
        ref = at.deliver(person(1))
        at.org.delete_by_hand("Lead", ref.id)
        (first,) = at.crm.deliver(at.ctx, [again(1, ref)])
        made = at.deliver(person(1, seq=3))
    assert isinstance(first.error, Retryable)
    assert made != ref


def test_without_a_poll_a_deleted_lead_is_a_dead_letter_that_names_what_is_missing() -> None:
    with office() as at:
        ref = at.deliver(person(1))
        at.org.delete_by_hand("Lead", ref.id)
        crm = destination(instance_url=at.running.url, access_token="sandbox-token", poll=False)
        (outcome,) = crm.deliver(at.ctx, [again(1, ref)])
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.details["fields"] == ["LastName", "Company"]


# ------------------------------------------------------------------------------------------------------------ the page


def test_a_person_changes_a_lead_on_its_page() -> None:
    with office() as at:
        ref = at.deliver(person(1))
        page = httpx.get(ref.url or "").text
        httpx.post(ref.url or "", data={"do": "edit", "field.LastName": "Example", "field.SystemModstamp": "1970"})
        held = at.held("Lead", ref)
    assert "name='field.LastName' value='handle1'" in page
    assert "name='field.SystemModstamp'" not in page
    assert (held["LastName"], held["LastModifiedById"], held["SystemModstamp"][:4]) == ("Example", PERSON, "2026")


def test_a_person_merges_and_deletes_on_the_page() -> None:
    with office() as at:
        loser, winner = at.deliver(person(1)), at.deliver(person(2))
        httpx.post(loser.url or "", data={"do": "merge", "into": winner.id})
        httpx.post(winner.url or "", data={"do": "delete"})
        gone = {id_: record["MasterRecordId"] for id_, record in at.org.deleted("Lead")}
    assert gone == {loser.id: winner.id, winner.id: None}
