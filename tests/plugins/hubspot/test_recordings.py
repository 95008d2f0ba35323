"""Answers that a real account gave, through the same code; and what the vendor's client would do by itself."""

from __future__ import annotations

import json
import lzma
from typing import Any

import pytest

from hub import RateLimited, RemoteRef, Unauthorised
from hub.sdk.doc import Doc
from hub.sdk.records import Landed
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.hubspot.client import HubSpotClient
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.translate import results_of, rows_and_refusals
from tests.material import shared
from tests.plugins.hubspot.conftest import signal


def recorded(method: str, path: str, name: str = "hubspot.jsonl.xz") -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Recorded requests and answers whose URL holds `path`."""
    with lzma.open(shared(f"recordings/{name}"), "rt", encoding="utf-8") as lines:
        found = [(one["request"], one["response"]) for line in lines for one in json.loads(line)["interactions"]]
    return [pair for pair in found if pair[0]["method"] == method and path in pair[0]["uri"]]


def client(http: FakeHttp) -> HubSpotClient:
    return HubSpotClient(HubSpotOptions.model_validate({"token": "t", "object_types": {}}), context(http))


def test_a_recorded_batch_without_traces_is_matched_by_its_ids() -> None:
    [(_, response)] = recorded("POST", "/contacts/batch/create")
    body = json.loads(response["body"])
    ids = [one["id"] for one in body["results"]]
    batch = [signal(index, object="contacts", ref=RemoteRef(id_)) for index, id_ in enumerate(reversed(ids))]
    rows, _ = rows_and_refusals(batch)
    assert results_of(Doc(body), rows) == {str(one.id): Landed(one.ref.id) for one in batch if one.ref}


def test_a_recorded_search_gives_its_first_hit() -> None:
    searches = [Doc(json.loads(response["body"])) for _, response in recorded("POST", "/contacts/search")]
    assert [one.id("results.0.id") for one in searches] == ["73183578361", "73183578356"]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_recorded_lack_of_rights_pauses_the_connection(index: int) -> None:
    refused = [pair for pair in recorded("GET", "/crm/v3/") if pair[1]["status"] == 403]
    http = FakeHttp([answer(403, content=refused[index][1]["body"].encode())])
    with pytest.raises(Unauthorised):
        client(http).get("/crm/v3/objects/contacts/1")


def test_a_refused_read_is_asked_once() -> None:
    """The client's own pool would try a GET four times, and sleep as long as the server says."""
    http = FakeHttp([answer(429, {"policyName": "TEN_SECONDLY_ROLLING"}, headers={"Retry-After": "1"})])
    with pytest.raises(RateLimited):
        client(http).get("/crm/v3/objects/contacts/1")
    assert len(http.requests) == 1


def test_every_call_has_a_time_out() -> None:
    http = FakeHttp([answer(200, {})])
    client(http).get("/crm/v3/objects/contacts/1")
    assert http.requests[0].timeout == 30.0
