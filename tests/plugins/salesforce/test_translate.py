"""Salesforce's words and ours."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import ConnectorError, FieldInfo, QuotaExhausted, RateLimited, Rejected, Retryable, Unauthorised, Unavailable
from hub.sdk.records import rows_of
from hub.testkit.fakes import START
from plugins.salesforce.translate import (
    Complaint,
    erasure,
    error_of,
    faults,
    field_info,
    hints,
    jitter_of,
    object_info,
    record,
    refusals,
)
from tests.material import shared
from tests.plugins.salesforce.given import delivery


def error(code: str, message: str = "no", *fields: str, status: int = 200) -> ConnectorError:
    return error_of([Complaint(code, message, fields)], START, status=status)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("UNABLE_TO_LOCK_ROW", 200, Retryable),
        ("SERVER_UNAVAILABLE", 503, Unavailable),
        ("UNKNOWN_EXCEPTION", 500, Unavailable),
        ("UNKNOWN_EXCEPTION", 200, Unavailable),
        ("", 502, Unavailable),
        ("REQUEST_LIMIT_EXCEEDED", 403, QuotaExhausted),
        ("STORAGE_LIMIT_EXCEEDED", 200, QuotaExhausted),
        ("", 429, RateLimited),
        ("INVALID_SESSION_ID", 401, Unauthorised),
        ("", 401, Unauthorised),
        ("API_DISABLED_FOR_ORG", 403, Unauthorised),
        ("DUPLICATE_VALUE", 200, Rejected),
        ("DUPLICATE_EXTERNAL_ID", 200, Rejected),
        ("DUPLICATES_DETECTED", 200, Rejected),
        ("REQUIRED_FIELD_MISSING", 200, Rejected),
        ("STRING_TOO_LONG", 200, Rejected),
        ("INVALID_FIELD", 400, Rejected),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", 200, Rejected),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", 200, Rejected),
        ("INSUFFICIENT_ACCESS_OR_READONLY", 200, Rejected),
        ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", 200, Rejected),
        ("PROCESSING_HALTED", 200, Retryable),
        ("ALL_OR_NONE_OPERATION_ROLLED_BACK", 200, Retryable),
        ("SOMETHING_NEW", 200, Rejected),
    ],
)
def test_each_code_tells_the_engine_what_to_do(code: str, status: int, kind: type[ConnectorError]) -> None:
    assert type(error(code, status=status)) is kind


def test_a_row_that_only_fell_with_others_is_marked_as_collateral() -> None:
    assert error("PROCESSING_HALTED").details["collateral"] is True


def test_too_many_at_once_waits_seconds_not_for_the_day() -> None:
    found = error("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded", status=403)
    assert isinstance(found, RateLimited)
    assert found.retry_after == 20


def test_a_spent_day_names_the_time_to_try_again() -> None:
    found = error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
    assert isinstance(found, QuotaExhausted)
    assert found.until == START + timedelta(minutes=15)


@pytest.mark.parametrize(("code", "status"), [("DUPLICATE_EXTERNAL_ID", 200), ("", 300)])
def test_a_key_that_fits_two_records_asks_for_a_unique_field(code: str, status: int) -> None:
    assert "must be unique" in str(error(code, "2 records found", status=status))


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"statusCode": "STRING_TOO_LONG", "message": "Text: too large", "fields": ["Text__c"]}, "Text__c"),
        ({"statusCode": "INVALID_FIELD", "message": "No such column 'Foo__c' on sobject of type Lead"}, "Foo__c"),
        ({"errorCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [Name, X__c]"}, "Name"),
    ],
)
def test_a_rejection_names_the_field(item: dict[str, object], field: str) -> None:
    found = error_of(faults([item]), START)
    assert isinstance(found, Rejected)
    assert found.field == field


def test_a_missing_parent_is_said_so() -> None:
    found = error("INVALID_FIELD", "Foreign key external ID: x not found for field Author_Key__c in entity Y")
    assert "does not exist there" in str(found)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([{"errorCode": "NOT_FOUND", "message": "gone"}], "NOT_FOUND"),
        ({"error": "invalid_grant", "error_description": "expired"}, "invalid_grant"),
        ("<html>Bad gateway</html>", ""),
        ("", ""),
        (None, ""),
        ([], ""),
        ([1, "x", None], ""),
        ([{"errorCode": None, "message": None, "fields": None}], ""),
        (7, ""),
    ],
)
def test_an_error_body_of_any_shape_is_read(content: object, code: str) -> None:
    assert faults(content)[0].code == code


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_a_hostile_error_body_never_breaks_us(content: object) -> None:
    assert isinstance(error_of(faults(content), START), ConnectorError)


# ------------------------------------------------------------------------------------------------------------- records

rows = st.lists(
    st.tuples(st.text(max_size=3), st.integers(1, 9), st.dictionaries(st.sampled_from("ABC"), st.integers()))
)


@given(rows)
def test_gathering_keeps_every_delivery_and_no_key_twice(given_rows: list[tuple[str, int, dict[str, int]]]) -> None:
    batch = [delivery(i, record_key=key, seq=seq, fields=f) for i, (key, seq, f) in enumerate(given_rows)]
    found = rows_of(batch)
    assert len({row.key for row in found}) == len(found)
    assert sorted(one.id for row in found for one in row.deliveries) == list(range(len(batch)))


def test_of_a_key_given_twice_the_later_change_wins_whatever_the_order() -> None:
    newer = delivery(2, record_key="k", seq=2, fields={"Name": "new"})
    older = delivery(1, record_key="k", seq=1, fields={"Name": "old", "Handle__c": "h"})
    assert rows_of([newer, older])[0].fields == {"Name": "new", "Handle__c": "h"}


def test_no_mapped_field_can_take_the_place_of_the_key_or_the_type() -> None:
    [row] = rows_of([delivery(1, fields={"Key__c": "other", "attributes": {"type": "User"}})])
    assert record("X__c", "Key__c", row) == {"Key__c": "mastodon:1", "attributes": {"type": "X__c"}}


def test_an_erasure_blanks_the_words_and_keeps_the_row() -> None:
    found = erasure("Social_Signal__c", "a01", ["Text__c", "Title__c", "State__c", "Signal_Key__c"])
    assert (found["Text__c"], found["Title__c"], found["State__c"]) == (None, None, "deleted")
    assert "Signal_Key__c" not in found


def test_an_erasure_leaves_what_people_wrote_on_a_lead() -> None:
    assert set(erasure("Lead", "00Q", ["LastName", "Title", "Description", "Social_Handle__c"])) == {
        "attributes",
        "Id",
        "Description",
        "Social_Handle__c",
    }


def test_rows_that_fought_for_a_lock_come_back_at_different_times() -> None:
    waits = {jitter_of(delivery(number)) for number in range(50)}
    assert len(waits) > 25
    assert all(0 <= wait <= 1 for wait in waits)


# ------------------------------------------------------------------------------------------------------------ describe


def lead() -> dict[str, object]:
    found = json.loads(shared("contracts/salesforce/describe.Lead.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_a_real_describe_gives_lengths_requirements_and_picklists() -> None:
    fields = object_info("Lead", {"Lead": lead()}).fields
    assert fields["LastName"] == FieldInfo("LastName", "string", max_length=80, required=True)
    assert fields["OwnerId"].required is False
    assert fields["Description"].max_length == 32000
    assert fields["SystemModstamp"].writable is False
    assert "Pending" in fields["CleanStatus"].values


def test_an_open_picklist_takes_any_value() -> None:
    found = field_info({"name": "S", "type": "picklist", "picklistValues": [{"value": "Web", "active": True}]})
    assert (found.type, found.values) == ("picklist", ())


def test_a_value_that_was_retired_is_not_offered() -> None:
    picks = [{"value": "Old", "active": False}, {"value": "New", "active": True}]
    assert field_info({"name": "S", "restrictedPicklist": True, "picklistValues": picks}).values == ("New",)


GOOD = {
    "createable": True,
    "updateable": True,
    "fields": [{"name": "Key__c", "externalId": True, "unique": True, "caseSensitive": True}],
}


@pytest.mark.parametrize(
    ("describe", "reason"),
    [
        (None, "missing, or hidden"),
        (GOOD | {"fields": []}, "X__c.Key__c: missing"),
        (GOOD | {"fields": [{"name": "Key__c", "unique": True}]}, "not an external id"),
        (GOOD | {"fields": [{"name": "Key__c", "externalId": True}]}, "must be unique"),
        (GOOD | {"updateable": False}, "no right to update"),
    ],
)
def test_an_object_we_cannot_upsert_into_is_named_with_the_reason(describe: dict[str, object], reason: str) -> None:
    assert reason in "; ".join(refusals("X__c", "Key__c", describe))


def test_a_sound_object_has_nothing_to_say_about() -> None:
    assert refusals("X__c", "Key__c", GOOD) == []
    assert hints("X__c", "Key__c", GOOD) == []


def test_a_key_that_ignores_case_and_history_of_texts_are_hinted_at() -> None:
    weak = {"fields": [{"name": "Key__c"}], "childRelationships": [{"childSObject": "X__History"}]}
    found = "; ".join(hints("X__c", "Key__c", weak))
    assert "case-sensitive" in found
    assert "field history" in found
