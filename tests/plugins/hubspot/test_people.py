"""What people do in an account: the hub overwrites nothing that they typed, and follows what they merge."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import httpx
import pytest

from hub import Delivery, Rejected, RemoteRef, Request, Unavailable
from hub.testkit.fakes import START
from plugins.hubspot.sandbox.account import HubSpotSandbox
from tests.plugins.hubspot.conftest import Account, signal

CONTACT = {"firstname": "Anna", "lastname": "Example", "email": "anna@example.org", "jobtitle": "Head of Finance"}
COMPANY = {"name": "Example Ltd", "domain": "example.org", "phone": "+49 30 1", "industry": "RETAIL"}
TYPED = {"contacts": CONTACT, "companies": COMPANY}
OBJECTS = pytest.mark.parametrize("object_", ["contacts", "companies"])


def contact(index: int, **changes: Any) -> Delivery:
    """A first delivery of a contact: what people may type is marked `once`."""
    fields = {"firstname": f"handle{index}", "jobtitle": "from a bio", "hub_latest_sentiment": "negative"}
    given = {"object": "contacts", "key_field": "hub_contact_key", "fields": fields, "once": ("firstname", "jobtitle")}
    return signal(index, **{**given, **changes})


def again(index: int, ref: RemoteRef, object_: str = "contacts", **changes: Any) -> Delivery:
    """A later delivery, as the ledger gives it: without what is written once."""
    later = {"fields": {"hub_latest_sentiment": "positive"}, "once": (), "ref": ref, "seq": 2}
    return FIRST[object_](index, **{**later, **changes})


def company(index: int, **changes: Any) -> Delivery:
    """A first delivery of a company."""
    fields = {"name": f"example{index}.com", "domain": f"example{index}.com", "hub_latest_sentiment": "negative"}
    given = {"object": "companies", "key_field": "hub_account_key", "fields": fields, "once": ("name", "domain")}
    return signal(index, **{**given, **changes})


FIRST = {"contacts": contact, "companies": company}


def deliver(account: Account, given: Delivery) -> RemoteRef:
    (outcome,) = account.destination.deliver(account.ctx, [given])
    assert outcome.error is None, outcome.error
    assert outcome.ref is not None
    return outcome.ref


def box(account: Account) -> HubSpotSandbox:
    return cast(HubSpotSandbox, account.sandbox)


@OBJECTS
def test_nothing_that_a_person_typed_is_overwritten(account: Account, object_: str) -> None:
    ref = deliver(account, FIRST[object_](0))
    box(account).edit_by_hand(object_, ref.id, TYPED[object_])
    deliver(account, again(0, ref, object_))
    held = account.properties(object_, ref.id)
    assert {name: held[name] for name in TYPED[object_]} == TYPED[object_]
    assert held["hub_latest_sentiment"] == "positive"


def test_a_contact_that_was_there_before_is_filled_only_where_it_is_empty(account: Account) -> None:
    """A person gave a contact the hub's key: the hub's first write finds it."""
    ref = deliver(account, contact(0))
    box(account).edit_by_hand("contacts", ref.id, {**CONTACT, "jobtitle": "", "hub_latest_sentiment": ""})
    assert deliver(account, contact(0)) == ref
    held = account.properties("contacts", ref.id)
    assert (held["firstname"], held["jobtitle"], held["hub_latest_sentiment"]) == ("Anna", "from a bio", "negative")


def test_a_company_that_was_there_before_is_filled_only_where_it_is_empty(account: Account) -> None:
    ref = deliver(account, company(0))
    box(account).edit_by_hand("companies", ref.id, {**COMPANY, "domain": ""})
    assert deliver(account, company(0)) == ref
    held = account.properties("companies", ref.id)
    assert (held["name"], held["domain"]) == ("Example Ltd", "example0.com")


@OBJECTS
def test_a_time_and_a_link_that_are_gone_are_emptied(account: Account, object_: str) -> None:
    """What the hub sends once the last signal was erased: an empty text, also for a time."""
    last = {"hub_last_signal_at": "2026-01-02T03:04:05Z", "hub_last_url": "https://bsky.example/bo/1"}
    ref = deliver(account, FIRST[object_](0))
    deliver(account, again(0, ref, object_, fields=last))
    deliver(account, again(0, ref, object_, fields=dict.fromkeys(last, ""), seq=3))
    held = account.properties(object_, ref.id)
    assert [held[name] for name in last] == ["", ""]


@OBJECTS
def test_what_belongs_to_people_is_never_deleted(account: Account, object_: str) -> None:
    ref = deliver(account, FIRST[object_](0))
    (outcome,) = account.destination.deliver(account.ctx, [again(0, ref, object_, operation="tombstone")])
    assert isinstance(outcome.error, Rejected)
    assert account.sandbox.store.count(object_) == 1


def test_looking_at_what_is_filled_costs_one_read_a_hundred(account: Account) -> None:
    account.destination.deliver(account.ctx, [contact(index) for index in range(100)])
    assert (account.calls("contacts", "read"), account.calls("contacts")) == (1, 1)


def test_a_thousand_known_contacts_cost_ten_calls(account: Account) -> None:
    first = account.destination.deliver(account.ctx, [contact(index, once=()) for index in range(1000)])
    account.sandbox.journal.clear()
    known = [again(one.delivery_id - 1, one.ref) for one in first if one.ref]
    assert [one.error for one in account.destination.deliver(account.ctx, known)] == [None] * 1000
    assert (account.calls("contacts"), account.calls("contacts", "read")) == (10, 0)


@pytest.mark.parametrize("forwards", [True, False])
def test_a_merged_contact_is_followed_to_its_winner(open_account: Callable[..., Account], forwards: bool) -> None:
    """The id is gone; HubSpot forwards it, or the search knows who has it now."""
    account = open_account(forwards=forwards)
    loser, winner = deliver(account, contact(0)), deliver(account, contact(1))
    box(account).edit_by_hand("contacts", winner.id, CONTACT)
    box(account).merge_by_hand("contacts", winner.id, loser.id)
    account.clock.advance(30)
    assert deliver(account, again(0, loser)) == winner
    held = account.properties("contacts", winner.id)
    assert (held["firstname"], held["hub_contact_key"], held["hub_latest_sentiment"]) == ("Anna", "key-1", "positive")
    assert account.sandbox.store.count("contacts") == 1


def test_a_merge_that_the_search_does_not_know_yet_is_waited_for(open_account: Callable[..., Account]) -> None:
    account = open_account(forwards=False)
    loser, winner = deliver(account, contact(0)), deliver(account, contact(1))
    account.clock.advance(30)
    box(account).merge_by_hand("contacts", winner.id, loser.id)
    (outcome,) = account.destination.deliver(account.ctx, [again(0, loser)])
    assert isinstance(outcome.error, Unavailable)
    assert outcome.error.retry_after == 30
    assert account.sandbox.store.count("contacts") == 1
    account.clock.advance(30)
    assert deliver(account, again(0, loser, attempt=2)) == winner


def test_a_deleted_contact_is_made_anew_under_its_key(account: Account) -> None:
    ref = deliver(account, contact(0))
    box(account).delete_by_hand("contacts", ref.id)
    made = deliver(account, again(0, ref))
    assert made != ref
    assert account.properties("contacts", made.id)["hub_contact_key"] == "key-0"


def test_a_contact_that_vanished_without_a_trace_is_made_anew_in_the_end(account: Account) -> None:
    ref = deliver(account, contact(0))
    account.sandbox.store.remove("contacts", ref.id)
    (early,) = account.destination.deliver(account.ctx, [again(0, ref)])
    assert isinstance(early.error, Unavailable)
    assert deliver(account, again(0, ref, attempt=4)) != ref


def test_one_contact_that_is_gone_does_not_hold_up_the_others(account: Account) -> None:
    refs = [deliver(account, contact(index)) for index in range(5)]
    box(account).merge_by_hand("contacts", refs[0].id, refs[3].id)
    outcomes = account.destination.deliver(account.ctx, [again(index, ref) for index, ref in enumerate(refs)])
    assert {one.delivery_id: one.ref for one in outcomes} == {
        index + 1: refs[0] if index == 3 else ref for index, ref in enumerate(refs)
    }


def test_two_authors_that_became_one_contact_are_written_one_after_the_other(account: Account) -> None:
    ref = deliver(account, contact(0))
    batch = [again(0, ref), again(1, ref, fields={"hub_latest_sentiment": "neutral"})]
    assert [one.ref for one in account.destination.deliver(account.ctx, batch)] == [ref, ref]
    assert account.properties("contacts", ref.id)["hub_latest_sentiment"] == "neutral"


def test_an_id_that_looks_like_another_deliverys_trace_confuses_nobody(account: Account) -> None:
    """A missing id in an error's context may be the number of a delivery beside it."""
    gone, kept = deliver(account, contact(0)), deliver(account, contact(1))
    box(account).delete_by_hand("contacts", gone.id)
    beside = again(1, kept, id=int(gone.id))
    outcomes = {one.delivery_id: one.ref for one in account.destination.deliver(account.ctx, [again(0, gone), beside])}
    assert outcomes[int(gone.id)] == kept


# ----------------------------------------------------------------------------------------------- the page, the events


def test_a_person_changes_a_contact_on_its_page(account: Account) -> None:
    ref = deliver(account, contact(0))
    page = httpx.get(ref.url or "").text
    httpx.post(ref.url or "", data={"do": "edit", "field.firstname": "Anna", "field.hs_object_id": "1"})
    held = account.properties("contacts", ref.id)
    assert "name='field.firstname' value='handle0'" in page
    assert (held["firstname"], held["hs_object_id"]) == ("Anna", ref.id)


def test_a_person_merges_and_deletes_on_the_page_and_old_links_lead_on(account: Account) -> None:
    loser, winner = deliver(account, contact(0)), deliver(account, contact(1))
    httpx.post(loser.url or "", data={"do": "merge", "into": winner.id})
    assert httpx.get(loser.url or "").headers["location"] == (winner.url or "").removeprefix(account.running.url)
    httpx.post(winner.url or "", data={"do": "delete"})
    assert account.sandbox.store.count("contacts") == 0


def test_events_tell_what_people_and_what_our_app_did(account: Account) -> None:
    ref = deliver(account, contact(0, fields={"hub_handle": "bo"}, once=()))
    box(account).edit_by_hand("contacts", ref.id, {"lifecyclestage": "customer"})
    box(account).delete_by_hand("contacts", ref.id)
    *ours, status, gone = account.destination.parse(json.dumps(box(account).webhooks.take()).encode())
    assert {change.actor_id for change in ours} == {"1"}
    assert {"hub_handle": "bo"} in [change.value for change in ours]
    assert (status.kind, status.value, status.actor_id) == ("status", "customer", "7")
    assert (gone.kind, gone.remote_id) == ("deleted", ref.id)


@contextmanager
def receiver(statuses: list[int]) -> Iterator[tuple[str, list[Request]]]:
    """A door that keeps what comes and answers these."""
    kept: list[Request] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.append(Request("POST", f"http://127.0.0.1:{port}{self.path}", headers, body, START))
            self.send_response(statuses[min(len(kept), len(statuses)) - 1])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of http.server
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}/in/crm", kept
    server.shutdown()
    server.server_close()


def test_events_reach_their_target_signed_and_again_after_a_failure(account: Account) -> None:
    ref = deliver(account, contact(0))
    box(account).webhooks.take()
    destination = account.open(client_secret="sandbox-token")
    with receiver([503, 200]) as (url, kept):
        headers = {"Authorization": "Bearer sandbox-token"}
        settings = f"{account.running.url}/webhooks/v3/1/settings"
        httpx.put(settings, json={"targetUrl": url}, headers=headers).raise_for_status()
        httpx.post(ref.url or "", data={"do": "edit", "field.hs_lead_status": "OPEN_DEAL"})
        assert box(account).teller.wait()
    assert [destination.verify(one) for one in kept] == [True, True]
    first, second = ([change.event_id for change in destination.parse(one.body)] for one in kept)
    assert first == second
