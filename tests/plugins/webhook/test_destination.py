"""Batches out: signed, with what the receiver says of each record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from hub import Delivery, Outcome, Rejected, RemoteRef, Request, Retryable
from hub.core.errors import RateLimited, Unauthorised, Unavailable
from hub.sdk.signatures import StandardWebhook
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.webhook.destination import WebhookDestination, record_of
from tests.plugins.webhook.given import SECRET


def open_destination(**options: Any) -> WebhookDestination:
    """A destination at crm.example."""
    given = {"url": "https://crm.example/in", **options}
    return WebhookDestination(WebhookDestination.Options.model_validate(given))


def delivery(number: int, **changes: Any) -> Delivery:
    """One record."""
    given: dict[str, Any] = {
        "id": number,
        "destination": "crm",
        "object": "record",
        "record_key": f"shop:{number}",
        "operation": "upsert",
        "seq": 2,
        "key": f"key-{number}",
        "fields": {"text": f"text {number}"},
        "key_field": "id",
    }
    return Delivery(**{**given, **changes})


def send(body: Any, count: int = 1, status: int = 200) -> list[Outcome]:
    """What becomes of records where the receiver answers so."""
    http = FakeHttp([answer(status, body)])
    return open_destination().deliver(context(http), [delivery(number) for number in range(count)])


def test_a_record_carries_its_fields_and_its_keys() -> None:
    http = FakeHttp([answer(200, {})])
    open_destination().deliver(context(http), [delivery(1)])
    assert http.requests[0].json() == {
        "records": [
            {
                "id": "shop:1",
                "text": "text 1",
                "_object": "record",
                "_operation": "upsert",
                "_key": "key-1",
                "_sequence": 2,
            }
        ]
    }


def test_a_batch_is_signed_so_that_our_own_source_would_take_it() -> None:
    http = FakeHttp([answer(200, {})])
    ctx = context(http)
    open_destination(secret=SECRET).deliver(ctx, [delivery(1)])
    (sent,) = http.requests
    request = Request("POST", sent.url, sent.headers, sent.content or b"", ctx.now())
    assert StandardWebhook().is_genuine(request, SECRET)


@pytest.mark.parametrize("secret", ["", " ", "whsec_"])
def test_a_secret_that_is_set_and_empty_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError):
        open_destination(secret=secret)


def test_without_a_secret_nothing_is_signed() -> None:
    http = FakeHttp([answer(200, {})])
    open_destination().deliver(context(http), [delivery(1)])
    assert "webhook-signature" not in http.requests[0].headers


def test_the_same_records_again_have_the_same_id() -> None:
    http = FakeHttp([answer(200, {})] * 3)
    for batch in ([delivery(1), delivery(2)], [delivery(1), delivery(2)], [delivery(1)]):
        open_destination().deliver(context(http), batch)
    first, again, other = (sent.headers["webhook-id"] for sent in http.requests)
    assert first == again != other


@pytest.mark.parametrize(
    "body", [None, {}, [], {"results": None}, {"results": ["x", {}, {"key": "other", "status": "no"}]}]
)
def test_records_that_the_answer_does_not_name_were_taken(body: Any) -> None:
    (one,) = send(body)
    assert one.error is None
    assert one.ref is not None
    assert one.ref.id == "shop:0"


def test_each_record_gets_its_own_result() -> None:
    results = [
        {"key": "key-0", "status": "ok", "id": 42, "url": "https://crm.example/42"},
        {"key": "key-1", "status": "retry", "error": "locked"},
        {"key": "key-2", "status": "refused", "error": "too long", "field": "text"},
    ]
    ok, again, refused = send({"results": results}, 3)
    assert ok.ref is not None
    assert (ok.ref.id, ok.ref.url) == ("42", "https://crm.example/42")
    assert (type(again.error), str(again.error)) == (Retryable, "locked")
    assert isinstance(refused.error, Rejected)
    assert (str(refused.error), refused.error.field) == ("too long", "text")


@pytest.mark.parametrize(
    "result",
    [
        {"status": None},
        {"status": 7, "error": {"deep": 1}},
        {"status": "no", "field": 5},
        {"status": "no", "error": "x" * 10_000},
    ],
)
def test_an_odd_result_is_a_refusal(result: Mapping[str, Any]) -> None:
    (one,) = send({"results": [{"key": "key-0", **result}]})
    assert isinstance(one.error, Rejected)
    assert len(str(one.error)) <= 1000


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorised), (429, RateLimited), (503, Unavailable), (422, Rejected)]
)
def test_the_status_counts_for_the_batch(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        send({}, status=status)


def test_only_the_receivers_host_may_be_reached() -> None:
    assert open_destination().egress() == ("crm.example",)


def test_a_batch_is_as_large_as_the_options_say() -> None:
    assert open_destination(batch=7).batch_size_of("record", "upsert") == 7


def test_a_tombstone_names_what_to_remove_and_holds_no_text() -> None:
    gone = delivery(1, operation="tombstone", fields={"operation": "upsert"}, ref=RemoteRef("r-7"))
    sent = record_of(gone)
    assert (sent["_operation"], sent["operation"], sent["_id"]) == ("tombstone", "upsert", "r-7")
    assert "text" not in sent
