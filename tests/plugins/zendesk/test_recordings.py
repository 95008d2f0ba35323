"""What the real service answered (recorded by zenpy's own tests), fed to the same code."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from typing import Any

import pytest

from hub import ConnectorError, RateLimited, Rejected, Retryable
from hub.sdk.doc import Doc
from hub.sdk.text import html_to_text
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.zendesk import erasure, translate
from plugins.zendesk.client import ERRORS, ZendeskClient, auth_of
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination
from tests.material import shared
from tests.plugins.zendesk.conftest import delivery

OPTIONS = ZendeskOptions(subdomain="acme", token="t")


@pytest.fixture(scope="module")
def exchanges() -> list[dict[str, Any]]:
    """All recorded exchanges whose bodies are whole."""
    with lzma.open(shared("recordings/zendesk.jsonl.xz"), "rt", encoding="utf-8") as file:
        found = [exchange for line in file for exchange in json.loads(line)["interactions"]]
    return [one for one in found if isinstance(one["response"]["body"], str)]


def pick(exchanges: list[dict[str, Any]], method: str, path: str) -> Iterator[dict[str, Any]]:
    for one in exchanges:
        if one["request"]["method"] == method and path in one["request"]["uri"]:
            yield one


def played(exchange: dict[str, Any]) -> Any:
    """A recorded answer as the guard would give it."""
    response = exchange["response"]
    headers = {name: value for name, value in response["headers"].items() if isinstance(value, str)}
    return answer(response["status"], content=response["body"].encode(), headers=headers)


def test_every_recorded_failure_is_one_of_our_errors(exchanges: list[dict[str, Any]]) -> None:
    failures = [one for one in exchanges if one["response"]["status"] >= 300]
    errors = [ERRORS.error_of(played(one), context().now()) for one in failures]
    codes = {error.code for error in errors if error}
    assert len(errors) > 20
    assert {"RecordNotFound", "TooManyValues"} <= codes
    assert all(isinstance(error, Rejected) for error in errors)


def test_every_recorded_json_answer_comes_through_the_door(exchanges: list[dict[str, Any]]) -> None:
    good = [one for one in exchanges if one["response"]["status"] in (200, 201) and one["response"]["body"][:1] == "{"]
    client = ZendeskClient(OPTIONS, context(FakeHttp([played(one) for one in good])), auth_of(OPTIONS))
    assert len(good) > 500
    assert all(client.get("tickets") for _ in good)


def test_a_recorded_ticket_gives_its_reference(exchanges: list[dict[str, Any]]) -> None:
    made = [one for one in pick(exchanges, "POST", "/tickets.json") if one["response"]["status"] == 201]
    fields = {"subject": "x", "comment": {"body": "y"}}
    for one in made:
        http = FakeHttp([played(one)])
        (outcome,) = ZendeskDestination(OPTIONS).deliver(context(http), [delivery(1, "create", fields=fields)])
        assert outcome.ref.id == str(json.loads(one["response"]["body"])["ticket"]["id"])
    assert made


def test_a_recorded_update_of_a_missing_ticket_rejects_the_comment(exchanges: list[dict[str, Any]]) -> None:
    missing = next(one for one in pick(exchanges, "PUT", "/tickets/") if one["response"]["status"] == 404)
    seen = answer(200, json={"tickets": [{"id": 1, "status": "open"}]})
    http = FakeHttp([seen, played(missing)])
    (outcome,) = ZendeskDestination(OPTIONS).deliver(context(http), [delivery(1, "comment", fields={"comment": "x"})])
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.code == "RecordNotFound"


def test_recorded_jobs_tell_each_item(exchanges: list[dict[str, Any]]) -> None:
    answers = [json.loads(one["response"]["body"])["job_status"] for one in pick(exchanges, "GET", "/job_statuses/V3")]
    lists = [job for job in answers if job["status"] == "completed" and isinstance(job["results"], list)]
    for job in lists:
        keys = [f"key{number}" for number in range(len(job["results"]))]
        assert set(translate.results_of(Doc(job), keys)) == set(keys)
    assert {job["status"] for job in answers} == {"queued", "working", "completed"}
    assert len(lists) > 10


def test_recorded_completed_jobs_hold_failed_items(exchanges: list[dict[str, Any]]) -> None:
    answers = [json.loads(one["response"]["body"])["job_status"] for one in pick(exchanges, "GET", "/job_statuses/V3")]
    failed = [
        made
        for job in answers
        if job["status"] == "completed"
        for made in translate.results_of(Doc(job), [str(number) for number in range(job["total"] or 0)]).values()
        if isinstance(made, ConnectorError)
    ]
    assert len(failed) > 50
    assert all(isinstance(error, Rejected) and "has already been taken" in str(error) for error in failed)


def test_recorded_ticket_jobs_answer_out_of_order_and_the_index_mends_it(exchanges: list[dict[str, Any]]) -> None:
    jobs = [json.loads(one["response"]["body"])["job_status"] for one in pick(exchanges, "GET", "/job_statuses/V3")]
    shuffled = next(
        job for job in jobs if [one.get("index") for one in job["results"] or () if "index" in one][:1] == [0]
    )
    results = list(reversed(shuffled["results"]))
    keys = [str(number) for number in range(len(results))]
    made = translate.results_of(Doc({"results": results}), keys)
    assert {key: one.id for key, one in made.items()} == {str(one["index"]): str(one["id"]) for one in results}


def test_recorded_audits_hold_no_comment_of_ours_and_are_all_read(exchanges: list[dict[str, Any]]) -> None:
    pages = [json.loads(one["response"]["body"])["audits"] for one in pick(exchanges, "GET", "/ticket_audits.json")]
    audits = [audit for page in pages for audit in page]
    assert len(audits) > 100
    assert translate.marked_comment(map(Doc, audits), "delivery1") is None
    marked = {**audits[-1], "metadata": {**audits[-1]["metadata"], "custom": {translate.MARK: "delivery1"}}}
    assert translate.marked_comment(map(Doc, [*audits, marked]), "delivery1")


def test_recorded_pages_are_followed_by_cursor(exchanges: list[dict[str, Any]]) -> None:
    pages = [
        one for one in pick(exchanges, "GET", "/tickets.json?page") if json.loads(one["response"]["body"]).get("meta")
    ]
    with_more = next(one for one in pages if json.loads(one["response"]["body"])["meta"]["has_more"])
    last = next(one for one in pages if not json.loads(one["response"]["body"])["meta"]["has_more"])
    http = FakeHttp([played(with_more), played(last)])
    client = ZendeskClient(OPTIONS, context(http), auth_of(OPTIONS))
    found = list(client.pages("tickets", "tickets"))
    sizes = [len(json.loads(one["response"]["body"])["tickets"]) for one in (with_more, last)]
    assert len(found) == sum(sizes)
    assert all(request.url.startswith("https://acme.zendesk.com/") for request in http.requests)


def test_a_recorded_ticket_field_is_described(exchanges: list[dict[str, Any]]) -> None:
    made = next(one for one in pick(exchanges, "POST", "/ticket_fields.json"))
    field = json.loads(made["response"]["body"])["ticket_field"]
    assert f"custom_fields.{field['id']}" in translate.ticket_object([Doc(field)]).fields


def test_the_recorded_limit_of_one_ticket_is_told_from_the_accounts(exchanges: list[dict[str, Any]]) -> None:
    name = "zendesk-ratelimit-per-ticket-updates"
    recorded = next(one["response"]["headers"][name] for one in exchanges if name in one["response"]["headers"])
    spent = recorded.replace("remaining=29", "remaining=0")
    errors = [ERRORS.error_of(answer(429, headers={name: value}), context().now()) for value in (recorded, spent)]
    assert [type(error) for error in errors] == [RateLimited, Retryable]


def test_recorded_comments_are_made_black_whatever_their_html(exchanges: list[dict[str, Any]]) -> None:
    bodies = [json.loads(one["response"]["body"]) for one in pick(exchanges, "GET", "/comments")]
    comments = [said for body in bodies for said in Doc(body).docs("comments")]
    for said in comments:
        marked = erasure.blacken(erasure.html_of(said))
        assert erasure.is_black(html_to_text(re.sub(r"<redact>.*?</redact>", "", marked, flags=re.DOTALL)))
    assert comments


def test_recorded_deletions_are_done_and_absent_tickets_too(exchanges: list[dict[str, Any]]) -> None:
    found = [*pick(exchanges, "DELETE", "/api/v2/tickets/"), *pick(exchanges, "DELETE", "/deleted_tickets/")]
    single = [one for one in found if "destroy_many" not in one["request"]["uri"]]
    ctx = context(FakeHttp([played(one) for one in single]))
    client = ZendeskClient(OPTIONS, ctx, auth_of(OPTIONS))
    assert [client.delete("tickets/1") for _ in single] == [None] * len(single)
    assert {one["response"]["status"] for one in single} >= {200, 204}


def test_every_recorded_ticket_tells_where_it_goes_on_or_that_it_does_not(exchanges: list[dict[str, Any]]) -> None:
    bodies = [json.loads(one["response"]["body"]) for one in pick(exchanges, "GET", "/api/v2/tickets.json")]
    tickets = [ticket for body in bodies for ticket in Doc(body).docs("tickets")]
    assert {translate.newest_follow_up(ticket) for ticket in tickets} == {None}
    assert not any(translate.is_merged(ticket) for ticket in tickets)
    assert tickets
