"""Outbound Messages: genuine or not, hostile XML, several notifications."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import process_time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import Change, Request, TranslationError, Unread
from hub.testkit.fakes import START
from plugins.salesforce.inbound import ACK, changes_of, is_genuine
from plugins.salesforce.sandbox.outbound import ORGANIZATION, message
from plugins.salesforce.sandbox.people import PERSON
from tests.plugins.salesforce.given import destination, office, person

LEAD = {"Id": "00Q1", "Status": "Working", "OwnerId": PERSON, "LastModifiedById": PERSON, "LastName": "Bö & <Co>"}
BODY = message([("04l1", "Lead", LEAD)])
SECRET = "long-enough-secret"
URL = f"https://hub.example/in/crm?secret={SECRET}"


def request(body: bytes = BODY, url: str = URL, **headers: str) -> Request:
    return Request("POST", url, headers, body, START)


def genuine(given_request: Request) -> bool:
    return destination(organization_id=ORGANIZATION, inbound_secret=SECRET).verify(given_request)


def test_a_message_of_our_org_with_the_secret_is_genuine() -> None:
    assert genuine(request())
    assert genuine(request(url="https://hub.example/in/crm", **{"x-hub-secret": SECRET}))


@pytest.mark.parametrize(
    "wrong",
    [
        request(url="https://hub.example/in/crm"),
        request(url=URL + "x"),
        request(url="https://hub.example/in/crm?secret="),
        request(url="https://[hub.example/in/crm?secret=" + SECRET),
        request(BODY.replace(b"00D000000000001EAA", b"00D000000000002EAA")),
        request(BODY.replace(b"<OrganizationId>00D000000000001EAA</OrganizationId>", b"")),
        request(BODY.replace(b"notifications", b"notices")),
        request(b""),
        request(b"{}"),
    ],
    ids=["no secret", "another secret", "empty", "bad url", "other org", "no org", "other form", "nothing", "json"],
)
def test_anything_else_is_not(wrong: Request) -> None:
    assert not genuine(wrong)


def test_without_secret_or_organisation_nothing_is_genuine() -> None:
    assert not destination().verify(request())
    assert not destination(organization_id=ORGANIZATION).verify(request(url="https://hub.example/in/crm?secret="))
    assert not is_genuine(request(url="https://hub.example/?secret="), ORGANIZATION, "")


def test_the_organisation_is_one_by_its_first_fifteen_letters() -> None:
    assert destination(organization_id=ORGANIZATION[:15], inbound_secret=SECRET).verify(request())


def test_the_answer_is_the_ack_that_salesforce_waits_for() -> None:
    kind, body = destination().acknowledge(request())
    assert kind.startswith("text/xml")
    assert b"<Ack>true</Ack>" in body
    assert body == ACK


def test_a_notification_tells_status_owner_and_the_rest() -> None:
    found = {one.kind: one for one in destination().parse(BODY)}
    assert (found["status"].value, found["assignee"].value) == ("Working", PERSON)
    assert found["field"].value == {"LastName": "Bö & <Co>"}
    assert {(one.object, one.remote_id, one.actor_id) for one in found.values()} == {("Lead", "00Q1", PERSON)}


def test_each_of_several_notifications_has_its_own_ids() -> None:
    """Out of order and twice: what is handled once is told apart by the notification's id."""
    many = message([(f"04l{number}", "Lead", {**LEAD, "Id": f"00Q{number}"}) for number in range(100)])
    ids = [one.event_id for one in changes_of(many)]
    assert len(ids) == len(set(ids)) == 300
    assert [one.event_id for one in changes_of(BODY)] == [one.event_id for one in changes_of(BODY)]


def test_one_broken_notification_takes_no_other_with_it() -> None:
    broken = {"Status": 'x < y & "z"', "Description": "ünread"}
    found = changes_of(
        message([("04l1", "Lead", LEAD), ("04l2", "Lead", broken), ("04l3", "Lead", {**LEAD, "Id": "00Q3"})])
    )
    (unread,) = (one for one in found if isinstance(one, Unread))
    assert ([type(one) for one in found].count(Change), unread.reason) == (6, "a record without its id")
    assert "ünread" in unread.payload.decode()
    with pytest.raises(TranslationError, match="without its id"):
        changes_of(unread.payload)


def test_a_notification_that_is_kept_by_itself_still_says_all_that_it_said() -> None:
    odd = {"Id": "00Q1", "Status": 'x < y & "z"', "Description": "two\nlines"}
    broken = message([("04l1", "Lead", odd), ("", "Lead", odd)])
    (unread,) = (one for one in changes_of(broken) if isinstance(one, Unread))
    mended = unread.payload.replace(b'<Id type=""></Id>', b"<Id>04l1</Id>", 1)
    assert changes_of(mended) == changes_of(message([("04l1", "Lead", odd)]))


def test_what_the_hub_wrote_itself_is_marked_as_ours() -> None:
    found = changes_of(message([("04l1", "Social_Signal__c", {"Id": "a01", "Origin__c": "hub", "Text__c": "x"})]))
    assert [one.ours for one in found] == [True]


def test_a_session_id_is_never_read() -> None:
    body = BODY.replace(b'<SessionId xsi:nil="true"/>', b"<SessionId>00Dsecret!token</SessionId>")
    assert "token" not in repr(changes_of(body))


def test_a_deleted_record_is_a_deletion_and_nothing_more() -> None:
    found = changes_of(message([("04l1", "Lead", {**LEAD, "IsDeleted": True, "MasterRecordId": "00Q2"})]))
    assert [(one.kind, one.value) for one in found] == [("merged", "00Q2")]


# --------------------------------------------------------------------------------------------------------- hostile XML

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "billion laughs": f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><x>&l9;</x>'.encode(),
    "external entity": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
    "external dtd": b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
    "plain doctype": b"<!DOCTYPE x><x/>",
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p">%p;]><x/>',
    "too deep": b"<a>" * 5000 + b"</a>" * 5000,
    "too many": b"<a>" + b"<b/>" * 60_000 + b"</a>",
    "unknown entity": b"<x>&nothing;</x>",
    "unknown encoding": b'<?xml version="1.0" encoding="x-nothing"?><x/>',
    "half a message": BODY[:-20],
    "no record": BODY.replace(b"sObject", b"sThing"),
    "no id": message([("", "Lead", LEAD)]),
    "a record without id": message([("04l1", "Lead", {"Status": "x"})]),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_xml_is_refused_at_once(body: bytes) -> None:
    began = process_time()
    with pytest.raises(TranslationError):
        changes_of(body)
    assert process_time() - began < 5


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    assert genuine(request(body)) is False
    with pytest.raises(TranslationError):
        changes_of(body)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60))
def test_any_value_comes_through_as_it_was_typed(text: str) -> None:
    found = changes_of(message([("04l1", "Lead", {"Id": "00Q1", "Description": text})]))
    assert [one.value["Description"] for one in found] == ([text.strip()] if text.strip() else [])


# ----------------------------------------------------------------------------------------------------- over real HTTP


@contextmanager
def receiver(answers: list[bytes]) -> Iterator[tuple[str, list[Request]]]:
    """A door that keeps what comes and gives these answers."""
    kept: list[Request] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.append(Request("POST", f"http://127.0.0.1:{port}{self.path}", {}, body, START))
            given_answer = answers[min(len(kept), len(answers)) - 1]
            self.send_response(200)
            self.send_header("Content-Length", str(len(given_answer)))
            self.end_headers()
            self.wfile.write(given_answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of http.server
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}/in/crm?secret={SECRET}", kept
    server.shutdown()
    server.server_close()


def test_the_look_alike_sends_a_message_until_it_hears_ack() -> None:
    with receiver([b"busy", ACK]) as (url, kept), office() as at:
        ref = at.deliver(person(1))
        headers = {"Authorization": "Bearer sandbox-token"}
        httpx.put(f"{at.running.url}/setup/outbound", json={"url": url}, headers=headers).raise_for_status()
        httpx.post(ref.url or "", data={"do": "edit", "field.Status": "Working - Contacted"})
        assert at.org.teller.wait()
    assert [one.body for one in kept] == [kept[0].body] * 2
    assert genuine(kept[0])
    assert ("status", "Working - Contacted") in [(one.kind, one.value) for one in changes_of(kept[0].body)]
