"""The look-alike itself: what it forgets, refuses and shows, and that it keeps to Zendesk's contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub import Context, RemoteRef
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeClock, context
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination
from plugins.zendesk.sandbox import build
from tests.material import shared
from tests.plugins.zendesk.conftest import REQUESTER, Stand, delivery

HEADERS = {"Authorization": "Bearer sandbox-token", "Content-Type": "application/json"}


def ask(stand: Stand, method: str, path: str, body: Any = None, **headers: str) -> Any:
    content = None if body is None else json.dumps(body).encode()
    return stand.guard.send(method, stand.url + path, headers={**HEADERS, **headers}, content=content)


@pytest.mark.parametrize(("hours", "lookup", "tickets"), [(0, "hit", 1), (1.9, "hit", 1), (2.1, "miss", 2)])
def test_a_key_is_kept_for_two_hours(stand: Stand, hours: float, lookup: str, tickets: int) -> None:
    body = {"ticket": {"subject": "x", "comment": {"body": "y"}}}
    first = ask(stand, "POST", "/api/v2/tickets", body, **{"Idempotency-Key": "k"})
    stand.clock.advance(hours * 3600)
    second = ask(stand, "POST", "/api/v2/tickets.json", body, **{"Idempotency-Key": "k"})
    assert (first.headers["x-idempotency-lookup"], second.headers["x-idempotency-lookup"]) == ("miss", lookup)
    assert stand.sandbox.store.count("ticket") == tickets


def test_a_key_with_another_body_is_refused(stand: Stand) -> None:
    for subject, status in (("x", 201), ("z", 400)):
        body = {"ticket": {"subject": subject, "comment": {"body": "y"}}}
        assert ask(stand, "POST", "/api/v2/tickets", body, **{"Idempotency-Key": "k"}).status == status


def test_a_job_is_queued_then_working_then_completed(stand: Stand) -> None:
    job = {"action": "create_or_update_by_external_id", "items": [{"external_id": "a", "name": "A"}]}
    made = ask(stand, "POST", "/api/v2/custom_objects/social_author/jobs", {"job": job}).json()["job_status"]
    path = f"/api/v2/job_statuses/show_many?ids={made['id']}"
    looks = [ask(stand, "GET", path).json()["job_statuses"][0]["status"] for _ in range(2)]
    assert [made["status"], *looks] == ["queued", "working", "completed"]


def test_the_thirty_first_job_is_refused(stand: Stand) -> None:
    job = {"job": {"action": "create_or_update_by_external_id", "items": [{"external_id": "a", "name": "A"}]}}
    statuses = [ask(stand, "POST", "/api/v2/custom_objects/social_author/jobs", job).status for _ in range(31)]
    assert statuses == [201] * 30 + [429]


def test_search_lags_and_the_list_by_external_id_does_not(stand: Stand) -> None:
    stand.deliver(delivery(1, "create"))
    query = "/api/v2/search.json?query=type:ticket+external_id:mastodon:k1"
    before = ask(stand, "GET", query).json()["count"]
    stand.clock.advance(61)
    assert (before, ask(stand, "GET", query).json()["count"]) == (0, 1)
    assert ask(stand, "GET", "/api/v2/tickets.json?external_id=mastodon:k1").json()["count"] == 1


def test_users_are_one_whatever_the_case_of_their_external_id(stand: Stand) -> None:
    for external_id, status in (("Abc", 201), ("aBC", 200)):
        body = {"user": {"external_id": external_id, "name": "Ann"}}
        assert ask(stand, "POST", "/api/v2/users/create_or_update.json", body).status == status
    assert len(ask(stand, "GET", "/api/v2/users/show_many.json?external_ids=ABC").json()["users"]) == 1


def test_who_says_nothing_is_anonymous_and_who_lies_is_refused(stand: Stand) -> None:
    nobody = stand.guard.send("GET", stand.url + "/api/v2/users/me.json")
    liar = ask(stand, "GET", "/api/v2/users/me.json", Authorization="Bearer no")
    assert nobody.json()["user"]["id"] is None
    assert (nobody.status, liar.status) == (200, 401)


def test_answers_tell_the_rate_limit(stand: Stand) -> None:
    headers = ask(stand, "GET", "/api/v2/tickets.json").headers
    assert {"x-rate-limit", "ratelimit-limit", "ratelimit-reset"} <= set(headers)


def test_a_ticket_has_a_page_for_people_that_escapes_what_strangers_wrote(stand: Stand) -> None:
    fields = {"subject": "<b>hi", "comment": {"body": "<script>alert(1)</script>"}, "requester": REQUESTER}
    (outcome,) = stand.deliver(delivery(1, "create", fields=fields))
    stand.deliver(delivery(2, "comment"))
    page = stand.guard.send("GET", outcome.ref.url)
    assert page.status == 200
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert "word 2" in page.text


def test_the_journal_tells_tickets_comments_and_records_apart(stand: Stand) -> None:
    stand.deliver(delivery(1, "create"))
    stand.deliver(delivery(2, "comment"))
    stand.deliver(delivery(3))
    stand.deliver(delivery(3, seq=2))
    kinds = [(entry.kind, entry.object) for entry in stand.sandbox.journal.entries]
    wanted = [("create", "user"), ("ticket", "ticket"), ("comment", "comment")]
    assert kinds == [*wanted, ("create", "social_signal"), ("update", "social_signal")]
    assert stand.sandbox.journal.entries[2].key == "delivery2"


def _take_back(destination: ZendeskDestination, ctx: Context) -> None:
    """A note, and the tombstones of a record, a ticket and a comment."""
    ticket = {"conversation": RemoteRef("2")}
    destination.deliver(ctx, [delivery(9, "note", object="ticket", fields={"text": "Posted"}, parents=ticket)])
    destination.deliver(ctx, [delivery(3, "tombstone", object="social_signal", fields={"operation": "upsert"})])
    (said,) = destination.deliver(ctx, [delivery(10, "comment", parents=ticket)])
    for ref, operation in ((RemoteRef("2"), "create"), (said.ref, "comment")):
        gone = delivery(11, "tombstone", object="ticket", ref=ref, fields={"operation": operation})
        (outcome,) = destination.deliver(ctx, [gone])
        assert outcome.error is None


def test_all_that_we_send_and_all_that_it_answers_keep_to_the_contract() -> None:
    clock = FakeClock()
    sandbox = build(SandboxOptions(contracts=shared("contracts"), clock=clock, extra={"bulk_users": True}))
    with serve(sandbox) as running, open_guard(allow_private=True) as guard:
        options = ZendeskOptions(subdomain="acme", token="sandbox-token", base_url=running.url)
        destination, ctx = ZendeskDestination(options, pause=clock.sleep), context(guard, clock=clock)
        destination.check(ctx)
        destination.describe(ctx)
        for batch in (
            [delivery(1, object="social_author", fields={"name": "Ann"})],
            [delivery(2), delivery(3, fields={"name": "x", "shoe_size": 9})],
            [delivery(4, "create"), delivery(5, "create", fields={"comment": "x", "requester": {"external_id": "b"}})],
            [delivery(6, "comment"), delivery(7, "comment")],
        ):
            destination.deliver(ctx, batch)
        sandbox.store.update("ticket", "1", {"status": "closed"})
        destination.deliver(ctx, [delivery(8, "comment")])
        _take_back(destination, ctx)
        for one in (delivery(2), delivery(4, "create"), delivery(8, "comment")):
            assert destination.lookup(ctx, one)
    assert [violation.message for violation in sandbox.violations] == []
