"""The look-alike behaves as Salesforce is documented to."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from hub import HttpResponse, Rejected, Unauthorised
from hub.sdk.connectors import Context
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeClock, context
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from plugins.salesforce.destination import SalesforceDestination
from plugins.salesforce.sandbox import SalesforceSandbox
from tests.material import shared
from tests.plugins.salesforce.given import (
    AUTHOR,
    AUTHOR_KEY,
    client_credentials,
    delivery,
    destination,
    options,
    running,
)
from tests.plugins.salesforce.test_client import PEM, PUBLIC

DATA = "/services/data/v67.0"


def call(
    org: tuple[RunningSandbox, Context, SalesforceDestination], method: str, path: str, body: Any = None
) -> HttpResponse:
    headers = {"Authorization": "Bearer sandbox-token", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    return org[1].http.send(method, org[0].url + path, headers=headers, content=content)


def records(*given: dict[str, Any], object_: str = AUTHOR) -> dict[str, Any]:
    return {"allOrNone": False, "records": [{"attributes": {"type": object_}, **one} for one in given]}


UPSERT = f"{DATA}/composite/sobjects/{AUTHOR}/{AUTHOR_KEY}"


def upserted(*given: dict[str, Any]) -> list[dict[str, Any]]:
    with running() as org:
        found = call(org, "PATCH", UPSERT, records(*given)).json()
        assert isinstance(found, list)
        return found


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Nope__c": "x"}, "INVALID_FIELD"),
        ({"Id": "a00", "CreatedDate": "2026-01-02T03:04:05Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Name": "n" * 81}, "STRING_TOO_LONG"),
        ({"Network__c": "Fax"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Name": None}, "REQUIRED_FIELD_MISSING"),
        ({"Nobody__r": {"X__c": "1"}}, "INVALID_FIELD"),
    ],
)
def test_a_record_that_breaks_the_describe_is_refused_alone(fields: dict[str, Any], code: str) -> None:
    bad, good = upserted({AUTHOR_KEY: "k1", "Name": "n"} | fields, {AUTHOR_KEY: "k2", "Name": "n"})
    assert (bad["success"], bad["errors"][0]["statusCode"]) == (False, code)
    assert good["success"] is True


def test_required_fields_are_asked_for_when_a_record_is_made_only() -> None:
    with running() as org:
        first = call(org, "PATCH", UPSERT, records({AUTHOR_KEY: "k"})).json()[0]
        made = call(org, "PATCH", UPSERT, records({AUTHOR_KEY: "k", "Name": "n"})).json()[0]
        again = call(org, "PATCH", UPSERT, records({AUTHOR_KEY: "k", "Handle__c": "h"})).json()[0]
    assert first["errors"][0]["fields"] == ["Name"]
    assert (made["created"], again["created"], made["id"]) == (True, False, again["id"])


def test_a_key_twice_in_one_request_is_refused() -> None:
    twice = upserted({AUTHOR_KEY: "k", "Name": "a"}, {AUTHOR_KEY: "k", "Name": "b"})
    assert [one["errors"][0]["statusCode"] for one in twice] == ["DUPLICATE_VALUE"] * 2


def test_keys_that_differ_by_case_are_two_records() -> None:
    first, second = upserted({AUTHOR_KEY: "k", "Name": "a"}, {AUTHOR_KEY: "K", "Name": "b"})
    assert first["id"] != second["id"]


def test_a_parent_that_is_not_there_is_named() -> None:
    signal = {"Signal_Key__c": "s", "Author__r": {AUTHOR_KEY: "nobody"}}
    with running() as org:
        path = f"{DATA}/composite/sobjects/Social_Signal__c/Signal_Key__c"
        [found] = call(org, "PATCH", path, records(signal, object_="Social_Signal__c")).json()
    assert "Foreign key external ID: nobody not found" in found["errors"][0]["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (UPSERT, records(*({AUTHOR_KEY: str(n), "Name": "n"} for n in range(201))), 400, "EXCEEDED_ID_LIMIT"),
        (UPSERT, {"records": [{"Name": "n"}]}, 400, "INVALID_INPUT"),
        (UPSERT, records({AUTHOR_KEY: "k", "Name": "n", "Followers__c": "many"}), 400, "JSON_PARSER_ERROR"),
        (f"{DATA}/composite/sobjects/{AUTHOR}/Handle__c", records({"Handle__c": "h"}), 404, "NOT_FOUND"),
        (f"{DATA}/composite/sobjects/Nope__c/Key__c", records({"Key__c": "h"}), 404, "NOT_FOUND"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_whole(path: str, body: Any, status: int, code: str) -> None:
    with running() as org:
        found = call(org, "PATCH", path, body)
        assert (found.status, found.json()[0]["errorCode"]) == (status, code)
        assert org[0].sandbox.store.count(AUTHOR) == 0


@pytest.mark.parametrize("when", ["2026-01-02T03:04:05", "2026-01-02", "yesterday", 5])
def test_a_time_without_a_zone_is_refused(when: object) -> None:
    body = records({"Signal_Key__c": "s", "Published__c": when}, object_="Social_Signal__c")
    with running() as org:
        assert call(org, "PATCH", f"{DATA}/composite/sobjects/Social_Signal__c/Signal_Key__c", body).status == 400


def test_records_are_read_by_id_by_key_and_by_query() -> None:
    with running() as org:
        [made] = call(org, "PATCH", UPSERT, records({AUTHOR_KEY: "it's", "Name": "n"})).json()
        by_id = call(org, "GET", f"{DATA}/sobjects/{AUTHOR}/{made['id']}").json()
        by_key = call(org, "GET", f"{DATA}/sobjects/{AUTHOR}/{AUTHOR_KEY}/it%27s").json()
        query = f"SELECT+Id,+Name+FROM+{AUTHOR}+WHERE+{AUTHOR_KEY}+IN+('x',+'it%5C%27s')"
        found = call(org, "GET", f"{DATA}/query?q={query}").json()
    assert by_id == by_key
    assert [one["Name"] for one in found["records"]] == ["n"]


@pytest.mark.parametrize(
    ("query", "code"), [("DELETE+x", "MALFORMED_QUERY"), ("SELECT+Nope+FROM+Lead", "INVALID_FIELD")]
)
def test_a_query_that_is_none_is_refused(query: str, code: str) -> None:
    with running() as org:
        found = call(org, "GET", f"{DATA}/query?q={query}")
    assert (found.status, found.json()[0]["errorCode"]) == (400, code)


def test_a_single_upsert_takes_its_key_from_the_path() -> None:
    with running() as org:
        path = f"{DATA}/sobjects/{AUTHOR}/{AUTHOR_KEY}/k1"
        assert [call(org, "PATCH", path, {"Name": "n"}).status for _ in range(2)] == [201, 200]
        assert call(org, "PATCH", path, {"Nope__c": 1}).json()[0]["errorCode"] == "INVALID_FIELD"


def test_collections_create_and_update_by_id() -> None:
    with running() as org:
        [made] = call(org, "POST", f"{DATA}/composite/sobjects", records({AUTHOR_KEY: "k", "Name": "n"})).json()
        changes = records({"Id": made["id"], "Name": "new"}, {"Id": "a00nowhere"})
        changed, lost = call(org, "PATCH", f"{DATA}/composite/sobjects", changes).json()
        assert org[0].sandbox.store.all(AUTHOR)[0][1]["Name"] == "new"
    assert (changed["success"], lost["errors"][0]["statusCode"]) == (True, "ENTITY_IS_DELETED")


def test_a_composite_carries_each_answer() -> None:
    parts = [
        {"method": "PATCH", "url": UPSERT, "referenceId": "up", "body": records({AUTHOR_KEY: "k", "Name": "n"})},
        {"method": "GET", "url": f"{DATA}/sobjects/Nope__c/describe", "referenceId": "no"},
    ]
    with running() as org:
        found = call(org, "POST", f"{DATA}/composite", {"compositeRequest": parts}).json()["compositeResponse"]
        assert org[0].sandbox.journal.counts()["calls"]["write"] == 1
    assert [one["httpStatusCode"] for one in found] == [200, 404]


def test_more_than_five_queries_in_a_composite_are_refused() -> None:
    part = {"method": "GET", "url": f"{DATA}/query?q=SELECT+Id+FROM+Lead", "referenceId": "q"}
    with running() as org:
        assert call(org, "POST", f"{DATA}/composite", {"compositeRequest": [part] * 6}).status == 400


def test_every_data_answer_tells_the_usage() -> None:
    with running(daily_calls=10) as org:
        assert call(org, "GET", f"{DATA}/limits").headers["sforce-limit-info"] == "api-usage=1/10"
        assert call(org, "GET", f"{DATA}/limits").json()["DailyApiRequests"] == {"Max": 10, "Remaining": 8}


def test_the_journal_tells_what_was_made_and_what_was_changed() -> None:
    with running() as (sandbox, ctx, crm):
        crm.deliver(ctx, [delivery(1), delivery(2)])
        crm.deliver(ctx, [delivery(1, fields={"Handle__c": "h"})])
        assert sandbox.sandbox.journal.counts()["objects"] == {AUTHOR: {"create": 2, "update": 1}}
        assert [one.key for one in sandbox.sandbox.journal.entries] == ["mastodon:1", "mastodon:2", "mastodon:1"]


def test_a_records_link_leads_to_a_page_that_shows_it() -> None:
    with running() as (_, ctx, crm):
        ref = crm.deliver(ctx, [delivery(1, fields={"Name": "Anna <b>"})])[0].ref
        assert ref is not None
        assert "Anna &lt;b&gt;" in ctx.http.send("GET", ref.url or "").text


def test_the_sandbox_keeps_no_violation_of_its_own() -> None:
    with running() as (sandbox, ctx, crm):
        crm.check(ctx)
        crm.deliver(ctx, [delivery(number) for number in range(3)])
        assert sandbox.sandbox.violations == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"audience": "https://login.salesforce.com"}, "audience is invalid"),
        ({"client_id": "other"}, "approved this consumer"),
    ],
)
def test_an_assertion_must_be_right(changes: dict[str, str], reason: str) -> None:
    with running(public_key=PUBLIC.decode(), client_id="app") as (sandbox, ctx, _):
        given = {"access_token": None, "client_id": "app", "username": "hub@acme.example", "private_key": PEM}
        with pytest.raises(Unauthorised, match=reason):
            crm = SalesforceDestination(options(instance_url=sandbox.url, **(given | changes)))
            crm.check(Context("crm", ctx.http, sandbox.sandbox.now, ctx.state))


def test_a_signed_assertion_opens_the_door() -> None:
    with running(public_key=PUBLIC.decode(), client_id="app") as (sandbox, ctx, _):
        given = {"access_token": None, "client_id": "app", "username": "hub@acme.example", "private_key": PEM}
        crm = SalesforceDestination(options(instance_url=sandbox.url, **given))
        assert "as hub@acme.example" in crm.check(Context("crm", ctx.http, sandbox.sandbox.now, ctx.state))


def test_an_old_assertion_is_refused() -> None:
    with running() as (sandbox, ctx, _):
        given = {"access_token": None, "client_id": "app", "username": "hub@acme.example", "private_key": PEM}
        crm = SalesforceDestination(options(instance_url=sandbox.url, **given))
        with pytest.raises(Unauthorised, match="expired"):
            crm.check(Context("crm", ctx.http, FakeClock(), ctx.state))


def test_a_wrong_secret_gets_no_token() -> None:
    with running(client_secret="right") as (sandbox, ctx, _), pytest.raises(Unauthorised, match="invalid client"):
        SalesforceDestination(client_credentials(instance_url=sandbox.url)).check(ctx)


def test_the_assertion_is_checked_with_the_key_alone() -> None:
    forged = jwt.encode({"iss": "app", "sub": "x"}, "k" * 32, algorithm="HS256")
    with running(public_key=PUBLIC.decode()) as (sandbox, ctx, _):
        content = f"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={forged}".encode()
        assert ctx.http.send("POST", f"{sandbox.url}/services/oauth2/token", content=content).status == 400


def test_with_contracts_at_hand_a_lead_is_as_a_real_org_describes_it() -> None:
    contracts = shared("contracts/salesforce/describe.Lead.json").parent.parent
    fields = SalesforceSandbox(SandboxOptions(contracts=contracts)).fields("Lead")
    assert len(fields) > 55
    assert {"SystemModstamp", "Social_Author_Key__c"} <= set(fields)


def test_a_lead_needs_a_name_and_a_company() -> None:
    with running() as (_, ctx, crm):
        lead = {"object": "Lead", "key_field": "Social_Author_Key__c"}
        error = crm.deliver(ctx, [delivery(1, fields={"Social_Handle__c": "h"}, **lead)])[0].error
    assert isinstance(error, Rejected)
    assert error.details["fields"] == ["LastName", "Company"]


def test_a_lead_lands_in_an_org_as_a_real_one_describes_it() -> None:
    contracts = shared("contracts/salesforce/describe.Lead.json").parent.parent
    fields = {"LastName": "Bo", "Company": "Not provided", "LeadSource": "Social", "Social_Sentiment__c": "negative"}
    with (
        serve(SalesforceSandbox(SandboxOptions(contracts=contracts))) as sandbox,
        open_guard(allow_private=True) as http,
    ):
        crm = destination(instance_url=sandbox.url, access_token="sandbox-token")
        lead = delivery(1, object="Lead", key_field="Social_Author_Key__c", fields=fields)
        assert crm.deliver(context(http), [lead])[0].error is None
        assert sandbox.sandbox.store.all("Lead")[0][1]["LeadSource"] == "Social"
