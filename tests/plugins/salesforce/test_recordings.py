"""Answers that real orgs gave, through the same code."""

from __future__ import annotations

import json
import lzma
from typing import Any

import pytest

from hub import Rejected, Unauthorised, Unavailable
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.salesforce.client import Org, auth_of
from plugins.salesforce.translate import error_of, faults
from tests.material import shared
from tests.plugins.salesforce.given import client_credentials, delivery, destination, options


def exchanges(method: str, path: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Recorded requests and answers whose URL holds `path`."""
    with lzma.open(shared("recordings/salesforce.jsonl.xz"), "rt", encoding="utf-8") as lines:
        cassettes = [json.loads(line) for line in lines]
    found = [(one["request"], one["response"]) for cassette in cassettes for one in cassette["interactions"]]
    return [pair for pair in found if pair[0]["method"] == method and path in pair[0]["uri"]]


def body(name: str) -> str:
    """A collected body by name."""
    lines = shared("recordings/payloads/salesforce_rest.jsonl").read_text("utf-8").splitlines()
    [text] = [one["text"] for one in map(json.loads, lines) if one["name"] == name]
    return str(text)


def test_recorded_upserts_by_external_id_are_paired_with_their_records() -> None:
    """The real service answers in the order of the records, with `created` for each."""
    recorded = [pair for pair in exchanges("PATCH", "/composite/sobjects/Contact/Email") if json.loads(pair[0]["body"])]
    assert len(recorded) == 2
    for request, response in recorded:
        records = json.loads(request["body"])["records"]
        batch = [
            delivery(i, object="Contact", key_field="Email", record_key=one["Email"], fields={})
            for i, one in enumerate(records)
        ]
        http = FakeHttp([answer(200, content=response["body"].encode())])
        outcomes = destination(objects={"Contact": "Email"}).deliver(context(http), batch)
        assert [one.ref.id for one in outcomes if one.ref] == [one["id"] for one in json.loads(response["body"])]


def test_our_request_has_the_form_of_the_recorded_one() -> None:
    request, response = exchanges("PATCH", "/composite/sobjects/Contact/Email")[0]
    recorded = json.loads(request["body"])
    batch = [
        delivery(i, object="Contact", key_field="Email", record_key=one["Email"], fields={"LastName": one["LastName"]})
        for i, one in enumerate(recorded["records"])
    ]
    http = FakeHttp([answer(200, content=response["body"].encode())])
    destination().deliver(context(http), batch)
    sent = http.requests[0].json()
    assert set(sent) == set(recorded)
    assert [one["attributes"] for one in sent["records"]] == [one["attributes"] for one in recorded["records"]]


def test_recorded_updates_and_creates_are_understood() -> None:
    """Plain collections answer without `created`."""
    recorded = [*exchanges("PATCH", "/composite/sobjects"), *exchanges("POST", "/composite/sobjects")]
    assert len(recorded) > 10
    for request, response in recorded:
        http = FakeHttp([answer(200, content=response["body"].encode())])
        results = Org(options(), auth_of(options()), context(http)).update(json.loads(request["body"])["records"])
        assert all(one["success"] is True for one in results)


def test_a_recorded_composite_error_is_read() -> None:
    [(_, response)] = [pair for pair in exchanges("POST", "/composite") if "NOT_FOUND" in pair[1]["body"]]
    http = FakeHttp([answer(200, content=response["body"].encode())])
    with pytest.raises(Rejected, match="NOT_FOUND: The requested resource does not exist"):
        Org(options(), auth_of(options()), context(http)).query(["SELECT Id FROM Foo"])


def test_a_recorded_500_without_a_body_is_tried_again() -> None:
    [(_, response)] = [pair for pair in exchanges("POST", "/composite") if pair[1]["status"] == 500]
    http = FakeHttp([answer(500, content=response["body"].encode())])
    with pytest.raises(Unavailable):
        Org(options(), auth_of(options()), context(http)).query(["SELECT Id FROM Account"])


@pytest.mark.parametrize("name", ["auth_error_response.json", "refresh_error_response.json"])
def test_collected_token_refusals_pause_the_connection(name: str) -> None:
    given = client_credentials()
    http = FakeHttp([answer(400, content=body(name).encode())])
    with pytest.raises(Unauthorised, match="invalid_grant"):
        Org(given, auth_of(given), context(http)).call("GET", "limits")


@pytest.mark.parametrize(
    ("name", "code", "field"),
    [
        ("write_error_response.json", "INVALID_FIELD", "foo"),
        ("upsert_error_response.json", "NOT_FOUND", None),
        ("delete_error_response.json", "NOT_FOUND", None),
        ("query_error_response.json", "INVALID_FIELD", None),
    ],
)
def test_collected_errors_are_rejections_with_code_and_field(name: str, code: str, field: str | None) -> None:
    found = error_of(faults(json.loads(body(name))), context().now(), status=400)
    assert isinstance(found, Rejected)
    assert (found.code, found.field) == (code, field)
