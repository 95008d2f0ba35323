"""The look-alike behaves as HubSpot does where it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.hubspot.sandbox import build
from tests.plugins.hubspot.conftest import Account

UPSERT = "/crm/v3/objects/social_signal/batch/upsert"


@pytest.fixture
def http(account: Account) -> Iterator[httpx.Client]:
    """A client with the right token."""
    with open_http(account.running.url) as client:
        yield client


def open_http(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": "Bearer sandbox-token"})


def upsert(*keys: str, **properties: str) -> dict[str, Any]:
    """A batch upsert's body."""
    return {
        "inputs": [
            {"id": key, "idProperty": "hub_signal_key", "objectWriteTraceId": key, "properties": properties}
            for key in keys
        ]
    }


def test_more_than_a_hundred_inputs_are_refused(http: httpx.Client) -> None:
    refused = http.post(UPSERT, json=upsert(*map(str, range(101))))
    assert (refused.status_code, refused.json()["category"]) == (400, "VALIDATION_ERROR")


def test_a_key_that_stands_twice_fails_the_whole_batch(http: httpx.Client, account: Account) -> None:
    assert http.post(UPSERT, json=upsert("a", "b", "a")).status_code == 400
    assert account.sandbox.store.count("social_signal") == 0


def test_without_trace_ids_a_bad_record_fails_the_whole_batch(http: httpx.Client, account: Account) -> None:
    body = upsert("a", "b", sentiment="furious")
    body["inputs"][0].pop("objectWriteTraceId")
    assert http.post(UPSERT, json=body).status_code == 400
    assert account.sandbox.store.count("social_signal") == 0


def test_an_object_is_known_by_name_type_id_and_full_name(http: httpx.Client) -> None:
    http.post(UPSERT, json=upsert("a"))
    for name in ("social_signal", "2-102", "p1_social_signal"):
        answer = http.get(f"/crm/v3/objects/{name}/a", params={"idProperty": "hub_signal_key"})
        assert answer.json()["properties"]["hub_signal_key"] == "a"


def test_null_breaks_the_contract_and_is_refused(account: Account, http: httpx.Client) -> None:
    body = upsert("a")
    body["inputs"][0]["properties"] = {"name": None}
    answer = http.post(UPSERT, json=body)
    # With the contract at hand it is refused by its schema, without it by the property's type.
    assert answer.status_code in {207, 400}
    assert account.sandbox.store.count("social_signal") == 0
    account.sandbox.violations.clear()


def test_the_rolling_limit_opens_again(open_account: Callable[..., Account]) -> None:
    account = open_account(calls_per_10s=2)
    with open_http(account.running.url) as http:
        answers = [http.post(UPSERT, json=upsert("a")) for _ in range(3)]
        assert [item.status_code for item in answers] == [200, 200, 429]
        assert answers[2].json()["policyName"] == "TEN_SECONDLY_ROLLING"
        account.clock.advance(10)
        assert http.post(UPSERT, json=upsert("a")).status_code == 200


def test_the_search_lags(account: Account, http: httpx.Client) -> None:
    http.post(UPSERT, json=upsert("a", name="Anna"))
    equal = {"propertyName": "hub_signal_key", "operator": "EQ", "value": "a"}
    wanted = {"filterGroups": [{"filters": [equal]}], "limit": 5}
    totals = []
    for _ in range(2):
        totals.append(http.post("/crm/v3/objects/social_signal/search", json=wanted).json()["total"])
        account.clock.advance(11)
    assert totals == [0, 1]


def test_a_record_can_be_made_read_and_archived_by_hand(http: httpx.Client) -> None:
    made = http.post("/crm/v3/objects/contacts", json={"properties": {"email": "bo@example.org"}})
    assert made.status_code == 201
    id_ = made.json()["id"]
    assert http.post("/crm/v3/objects/contacts", json={"properties": {"email": "bo@example.org"}}).status_code == 409
    http.post("/crm/v3/objects/contacts/batch/archive", json={"inputs": [{"id": id_}]})
    assert http.get(f"/crm/v3/objects/contacts/{id_}").status_code == 404


def test_a_new_unique_property_serves_as_key_at_once(http: httpx.Client) -> None:
    property_ = {"name": "my_key", "label": "My key", "type": "string", "fieldType": "text", "groupName": "social"}
    assert http.post("/crm/v3/properties/contacts", json={**property_, "hasUniqueValue": True}).status_code == 201
    body = {"inputs": [{"id": "a", "idProperty": "my_key", "properties": {}, "objectWriteTraceId": "1"}]}
    assert [
        http.post("/crm/v3/objects/contacts/batch/upsert", json=body).json()["results"][0]["new"] for _ in "ab"
    ] == [True, False]


def test_associations_can_be_read_back(http: httpx.Client) -> None:
    signal = http.post(UPSERT, json=upsert("a")).json()["results"][0]["id"]
    author = http.post("/crm/v3/objects/social_author", json={"properties": {"name": "Anna"}}).json()["id"]
    pair = {"inputs": [{"from": {"id": signal}, "to": {"id": author}}]}
    for _ in range(2):
        path = "/crm/v4/associations/social_signal/social_author/batch/associate/default"
        assert http.post(path, json=pair).status_code == 200
    found = http.get(f"/crm/v4/objects/social_signal/{signal}/associations/social_author").json()["results"]
    assert [row["toObjectId"] for row in found] == [author]


def test_a_restarted_account_still_finds_records_by_key(tmp_path: Path) -> None:
    new = []
    for _ in range(2):
        with (
            serve(build(SandboxOptions(folder=tmp_path, clock=FakeClock()))) as running,
            open_http(running.url) as http,
        ):
            new.append(http.post(UPSERT, json=upsert("a")).json()["results"][0]["new"])
    assert new == [True, False]
