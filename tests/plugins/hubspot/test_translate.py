"""What HubSpot is told and what it answers, without a network."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import ConnectorError, QuotaExhausted, RateLimited, Rejected, Retryable, Unauthorised, Unavailable, Uncertain
from hub.sdk.connectors import Outcome
from hub.sdk.doc import Doc
from hub.sdk.records import Landed
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.hubspot.client import HubSpotClient
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.destination import HubSpotDestination
from plugins.hubspot.translate import (
    culprits_of,
    failed_links,
    ids_by_key,
    inputs_of,
    object_info,
    property_text,
    results_of,
    rows_and_refusals,
    type_in_url,
)
from tests.material import shared
from tests.plugins.hubspot.conftest import signal, signals

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["results", "errors", "context", "message", "category", "id", "properties", "name", "options", "type"]
)
ROWS, _ = rows_and_refusals(signals(2))


def error_of(status: int, headers: dict[str, str], body: Any) -> ConnectorError:
    """What a refused read raises."""
    options = HubSpotOptions.model_validate({"token": "t"})
    with pytest.raises(ConnectorError) as caught:
        HubSpotClient(options, context(FakeHttp([answer(status, body, headers=headers)]))).get("/x")
    return caught.value


SHAPED = st.recursive(JSON, lambda inner: st.dictionaries(NAMES, inner, max_size=5) | st.lists(inner, max_size=3))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        ("Zürich", "Zürich"),
        ("half \ud83d", "half ?"),
        (True, "true"),
        (0, "0"),
        (-0.8, "-0.8"),
        (1e-07, "0.0000001"),
        (float("nan"), None),
        (["a", None, 2], "a;2"),
        ((), ""),
    ],
)
def test_a_value_becomes_text(value: Any, text: str | None) -> None:
    assert property_text("x", value) == text


@given(
    st.dictionaries(
        st.text(min_size=1), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())
    )
)
def test_only_text_and_never_null_is_sent(fields: dict[str, Any]) -> None:
    rows, _ = rows_and_refusals([signal(0, fields=fields)])
    (made,) = inputs_of(rows)["inputs"]
    assert all(isinstance(value, str) for value in made["properties"].values())
    json.dumps(made, ensure_ascii=False).encode()


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=30))
def test_no_key_stands_twice_in_a_batch_and_no_delivery_is_lost(keys: list[str]) -> None:
    batch = [signal(index, record_key=key) for index, key in enumerate(keys)]
    rows, errors = rows_and_refusals(batch)
    assert len({row.key for row in rows}) == len(rows)
    assert sorted(item.id for row in rows for item in row.deliveries) == [item.id for item in batch]
    assert errors == {}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"category": "VALIDATION_ERROR", "message": "no"}, Rejected),
        (401, {"category": "INVALID_AUTHENTICATION"}, Unauthorised),
        (403, {"category": "MISSING_SCOPES", "message": "no"}, Unauthorised),
        (403, {"message": "You do not have permissions to view object type CONTACT"}, Unauthorised),
        (403, {"category": "LIMIT_EXCEEDED", "message": "too many custom objects"}, Rejected),
        (404, None, Rejected),
        (409, {"category": "CONFLICT"}, Retryable),
        (423, {}, Unavailable),
        (429, {"policyName": "DAILY"}, QuotaExhausted),
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}, RateLimited),
        (429, None, RateLimited),
        (477, {}, Unavailable),
        (502, "<html>", Unavailable),
        (524, [], Unavailable),
    ],
)
def test_a_status_is_named_by_what_the_engine_must_do(status: int, body: Any, kind: type[ConnectorError]) -> None:
    assert type(error_of(status, {}, body)) is kind


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (429, {"retry-after": "3"}, {"policyName": "TEN_SECONDLY_ROLLING"}, 3.0),
        (429, {}, {"policyName": "TEN_SECONDLY_ROLLING"}, 10.0),
        (429, {"retry-after": "soon"}, {"policyName": "SECONDLY"}, 1.0),
        (423, {}, {}, 2.0),
        (477, {"retry-after": "3600"}, {}, 3600.0),
        (503, {}, {}, None),
    ],
)
def test_the_wait_that_hubspot_asks_for_is_kept(
    status: int, headers: dict[str, str], body: Any, seconds: float | None
) -> None:
    error = error_of(status, headers, body)
    assert isinstance(error, Unavailable | RateLimited)
    assert error.retry_after == seconds


def test_the_field_and_reason_are_found_in_the_message() -> None:
    reason = [{"isValid": False, "message": "x was not one of the options", "error": "INVALID_OPTION", "name": "stage"}]
    body = {"category": "VALIDATION_ERROR", "message": f"Property values were not valid: {json.dumps(reason)}"}
    error = error_of(400, {}, body)
    assert isinstance(error, Rejected)
    assert (error.field, str(error)) == ("stage", "x was not one of the options")


def test_the_field_is_found_in_a_details_context() -> None:
    detail = {"message": "not valid", "context": {"propertyName": ["email"]}, "code": "INVALID_EMAIL"}
    error = error_of(400, {}, {"message": "Invalid input", "errors": [detail]})
    assert isinstance(error, Rejected)
    assert error.field == "email"


def test_missing_scopes_are_named() -> None:
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredScopes": ["tickets"]},
    }
    assert "tickets" in str(error_of(403, {}, {"message": "no scope", "errors": [detail]}))


# ------------------------------------------------------------------------------------------------------------- answers


def test_a_result_without_trace_is_found_by_its_key() -> None:
    results = [
        {"id": 7, "properties": {"hub_signal_key": "key-1"}},
        {"id": "8", "properties": {"hub_signal_key": "key-0"}},
    ]
    read = results_of(Doc({"results": results}), ROWS)
    assert read == {"1": Landed("8"), "2": Landed("7")}


def test_an_error_without_trace_is_found_by_its_key() -> None:
    error = {"category": "VALIDATION_ERROR", "message": "no", "context": {"ids": ["key-1"]}}
    assert list(culprits_of({"errors": [error]}, ROWS)) == ["2"]


def test_a_record_that_the_answer_forgot_is_in_doubt_and_its_neighbour_landed() -> None:
    good = {"id": "7", "new": True, "objectWriteTraceId": "1", "properties": {}}
    _, outcomes = scripted(answer(200, {"results": [good]}))
    assert [type(one.error) for one in outcomes] == [type(None), Uncertain, Uncertain]


@pytest.mark.parametrize("category", ["RATE_LIMITS", "CONFLICT", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"])
def test_a_record_may_fail_for_the_time_being(category: str) -> None:
    error = {"category": category, "message": "later", "context": {"objectWriteTraceId": ["1"]}}
    assert isinstance(results_of(Doc({"errors": [error]}), ROWS)["1"], Unavailable)


@given(SHAPED)
def test_no_answer_can_make_us_fail(body: Any) -> None:
    assert set(results_of(Doc(body), ROWS)) <= {"1", "2"}
    culprits_of(body, ROWS)
    failed_links(Doc(body))
    ids_by_key(Doc(body), "key")
    object_info("x", Doc(body))
    for status in (400, 403, 429, 500):
        assert isinstance(error_of(status, {}, body), ConnectorError)


@pytest.mark.parametrize(
    ("url", "type_"),
    [
        ("https://app.hubspot.com/contacts/1/record/2-102/77", "2-102"),
        ("https://app.hubspot.com/contacts/1/record/0-1/77?x=1", "0-1"),
        ("https://app.hubspot.com/contacts/1", None),
        (None, None),
    ],
)
def test_the_type_of_a_record_stands_in_its_link(url: str | None, type_: str | None) -> None:
    assert type_in_url(url) == type_


# -------------------------------------------------------------------------------------------- scripted and recorded HTTP


def scripted(*answers: Any) -> tuple[FakeHttp, list[Outcome]]:
    """Three signals delivered to a server that gives these answers."""
    http = FakeHttp(list(answers))
    options = {"token": "t", "portal_id": "1", "app_url": "https://x", "object_types": {"social_signal": "2-1"}}
    destination = HubSpotDestination(HubSpotOptions.model_validate(options))
    return http, destination.deliver(context(http), signals(3))


def test_a_refusal_that_names_its_culprit_costs_one_further_call() -> None:
    detail = {"message": "bad", "context": {"objectWriteTraceId": ["2"], "propertyName": ["sentiment"]}}
    refusal = answer(400, {"category": "VALIDATION_ERROR", "message": "Invalid input", "errors": [detail]})
    good = [{"id": trace, "new": True, "objectWriteTraceId": trace, "properties": {}} for trace in ("3", "1")]
    http, outcomes = scripted(refusal, answer(200, {"results": good}))
    assert len(http.requests) == 2
    assert [item["objectWriteTraceId"] for item in http.requests[1].json()["inputs"]] == ["1", "3"]
    failed = {item.delivery_id: item.error for item in outcomes if item.error}
    assert [(id_, getattr(error, "field", None)) for id_, error in failed.items()] == [(2, "sentiment")]


@pytest.mark.parametrize("content", [b"<html>ok</html>", b"", b"\xff\xfe", b"[]"])
def test_a_good_status_without_json_leaves_it_open(content: bytes) -> None:
    _, outcomes = scripted(answer(200, content=content))
    assert {type(item.error) for item in outcomes} == {Uncertain}


def test_an_error_body_that_is_not_utf8_is_read_all_the_same() -> None:
    _, outcomes = scripted(answer(500, content=b'{"message": "\xff"}'))
    assert {type(item.error) for item in outcomes} == {Unavailable}


def test_the_guards_own_error_passes_through_the_client() -> None:
    _, outcomes = scripted(Rejected("egress forbids it"))
    assert {str(item.error) for item in outcomes} == {"egress forbids it"}


def test_the_token_is_sent_and_never_shown() -> None:
    http, _ = scripted(answer(401, {"message": "no"}))
    assert http.requests[0].headers["authorization"] == "Bearer t"
    assert "SecretStr('t')" not in repr(HubSpotOptions.model_validate({"token": "t"}))


def recorded() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """All recorded exchanges with HubSpot: (recording, request, response)."""
    with lzma.open(shared("recordings/hubspot.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            for item in document["interactions"]:
                yield document["name"], item["request"], item["response"]


def test_recorded_refusals_are_missing_rights() -> None:
    refusals = [(name, response) for name, _, response in recorded() if response["status"] >= 400]
    assert len(refusals) == 3
    for _, response in refusals:
        error = error_of(response["status"], {}, json.loads(response["body"]))
        assert isinstance(error, Unauthorised)
        assert error.details["correlation_id"]


def test_recorded_batches_are_read() -> None:
    bodies = [
        json.loads(response["body"]) for _, request, response in recorded() if request["uri"].endswith("/batch/create")
    ]
    for body in bodies:
        batch = [
            signal(n, record_key=item["properties"]["email"], key_field="email")
            for n, item in enumerate(body["results"])
        ]
        read = results_of(Doc(body), rows_and_refusals(batch)[0])
        assert [item.id for item in read.values() if isinstance(item, Landed)] == [
            item["id"] for item in body["results"]
        ]
    assert bodies
