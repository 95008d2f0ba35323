"""zenpy 2.0.57 as it is, and how each of its documented defects is kept out of what we do."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from threading import Thread

import pytest
import zenpy
from zenpy.lib.util import json_encode_for_zendesk

from hub import Delivery, RateLimited, Uncertain
from hub.sdk.records import rows_of
from hub.testkit.fakes import FakeHttp, answer, context
from plugins.zendesk import translate
from plugins.zendesk.client import ZendeskClient, auth_of
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination
from tests.plugins.zendesk.conftest import Stand, delivery

OPTIONS = ZendeskOptions(subdomain="acme", token="very-secret-token")
MOMENT = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def client(http: FakeHttp) -> ZendeskClient:
    return ZendeskClient(OPTIONS, context(http), auth_of(OPTIONS))


def test_defect_1_a_datetime_keeps_its_time() -> None:
    assert json_encode_for_zendesk(MOMENT) == "2026-05-06"  # zenpy's own: the time is lost
    one = Delivery(1, "zendesk", "ticket", "k", "create", 1, "d", {"due_at": MOMENT})
    assert translate.ticket_body(one, None)["ticket"]["due_at"] == "2026-05-06T07:08:09Z"


def test_defect_2_an_iterator_of_deliveries_is_sent_whole(stand: Stand) -> None:
    rows = rows_of(delivery(number) for number in range(3))
    assert [item["external_id"] for item in translate.upsert_job(rows, "author")["job"]["items"]] == [
        "mastodon:k0",
        "mastodon:k1",
        "mastodon:k2",
    ]


def test_defect_2_more_than_a_hundred_are_cut_by_us(stand: Stand) -> None:
    stand.deliver(*[delivery(number) for number in range(250)])
    assert stand.calls("POST", "/jobs") == 3


@pytest.mark.parametrize("wait", ["0.5", "7", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_defect_3_a_429_is_one_call_and_no_sleep(wait: str) -> None:
    http = FakeHttp([answer(429, json={"error": "APIRateLimitExceeded"}, headers={"Retry-After": wait})])
    with pytest.raises(RateLimited):
        client(http).get("users/me")
    assert len(http.requests) == 1


def test_defect_4_the_idempotency_key_is_on_its_own_call_only() -> None:
    http = FakeHttp([answer(201, json={}), answer(200, json={}), answer(200, json={})])
    here = client(http)
    here.post("tickets", {}, key="k1")
    here.put("tickets/1", {})
    here.post("users/create_or_update", {})
    assert [one.headers.get("idempotency-key") for one in http.requests] == ["k1", None, None]


def test_defect_5_nothing_is_answered_from_a_cache() -> None:
    http = FakeHttp([answer(200, json={"ticket": {"id": 1, "status": state}}) for state in ("open", "closed")])
    here = client(http)
    assert [here.get("tickets/1").text("ticket.status") for _ in range(2)] == ["open", "closed"]


def test_defect_6_no_thread_shares_a_client(stand: Stand) -> None:
    stand.deliver(delivery(1, "create"))
    seen: dict[int, str | None] = {}

    def add(number: int) -> None:
        (outcome,) = stand.destination.deliver(stand.ctx, [delivery(number, "comment")])
        seen[number] = outcome.ref and stand.sandbox.store.get("comment", outcome.ref.id)["body"]

    threads = [Thread(target=add, args=(number,)) for number in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: f"word {number}" for number in range(2, 8)}


def test_defect_7_what_zenpy_has_no_endpoint_for_goes_by_our_own_paths() -> None:
    assert not any("custom_object" in name or "redaction" in name for name in vars(zenpy.Zenpy))
    http = FakeHttp([answer(200, json={"custom_object_records": []}), answer(200, json={"comment": {}})])
    here = client(http)
    here.get("custom_objects/social_signal/records")
    here.put("comment_redactions/7", {})
    assert [one.url.partition("/api/v2/")[2] for one in http.requests] == [
        "custom_objects/social_signal/records",
        "comment_redactions/7",
    ]


def test_defect_8_no_error_tells_the_credentials() -> None:
    for status in (401, 403, 422, 500):
        http = FakeHttp(lambda *_, status=status: answer(status, json={"error": "Couldn't authenticate you"}))
        (outcome,) = _comment(http)
        assert "very-secret-token" not in f"{outcome.error!r} {outcome.error.details}"


def _comment(http: FakeHttp):
    try:
        return ZendeskDestination(OPTIONS).deliver(context(http), [delivery(1, "create", fields={"comment": "x"})])
    except Exception as error:  # noqa: BLE001 - whatever it is, it may not tell
        return [type("Told", (), {"error": error})()]


def test_defect_9_our_time_out_is_given_with_each_call() -> None:
    http = FakeHttp([answer(200, json={}), answer(200, json={})])
    hasty = ZendeskOptions(subdomain="acme", token="t", timeout=3)
    here = ZendeskClient(hasty, context(http), auth_of(hasty))
    here.get("users/me")
    here.post("tickets", {})
    assert [one.timeout for one in http.requests] == [3.0, 3.0]


def test_an_answer_of_no_json_is_our_error_and_not_zenpys() -> None:
    http = FakeHttp([answer(200, content=b"<h1>Bad Gateway</h1>")])
    with pytest.raises(Uncertain):
        client(http).put("tickets/1", {})


def test_a_deletion_without_a_body_is_done_and_an_absent_one_too() -> None:
    http = FakeHttp([answer(204), answer(404, json={"error": "RecordNotFound"})])
    here = client(http)
    assert [here.delete("tickets/1"), here.delete("tickets/1")] == [None, None]


def test_zenpy_still_waits_by_itself_so_that_the_door_is_still_needed() -> None:
    source = inspect.getsource(zenpy.Zenpy)
    assert "raise_on_ratelimit" not in source
