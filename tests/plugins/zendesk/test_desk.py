"""The look-alike's agents: their pages and orders, and the signed events that tell the hub; the whole loop over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import pytest

from hub import Change, Request
from plugins.zendesk.sandbox.account import PERSON
from tests.plugins.zendesk.conftest import MakeStand, Stand, delivery

SECRET = "test_secret"


class Hub:
    """The hub's door: takes what comes, answers what it is told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        hub = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hub.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status, headers = hub.answers.pop(0) if hub.answers else (200, {})
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in/helpdesk"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub's door that listens."""
    made = Hub()
    thread = Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def desk(make_stand: MakeStand, hub: Hub) -> Stand:
    """A stand with ticket 1 whose sandbox tells the hub; what it told of the ticket's making is forgotten."""
    slept: list[float] = []
    extra = {"webhook": {"url": hub.url, "secret": SECRET}, "webhook_pause": slept.append}
    stand = make_stand(extra, webhook_secret=SECRET)
    stand.deliver(delivery(1, "create"))
    assert stand.sandbox.teller.wait()
    hub.requests.clear()
    stand.slept = slept
    return stand


def order(stand: Stand, path: str, origin: str | None = None, **form: str) -> Any:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **({"Origin": origin} if origin else {})}
    return stand.guard.send("POST", f"{stand.url}{path}", headers=headers, content=urlencode(form).encode())


def heard(stand: Stand, hub: Hub) -> list[Change]:
    """What the hub makes of all that it was told; each request is genuine."""
    assert stand.sandbox.teller.wait()
    requests = [Request("POST", hub.url, headers, body, stand.clock()) for headers, body in hub.requests]
    assert all(stand.destination.verify(one) and stand.destination.event_id(one) for one in requests)
    return [change for one in requests for change in stand.destination.parse(one.body)]


def test_an_agents_public_reply_reaches_the_hub_signed(desk: Stand, hub: Hub) -> None:
    answer = order(desk, "/agent/tickets/1/say", text="We are on it\r\ntoday", public="yes")
    (change,) = heard(desk, hub)
    assert answer.status == 303
    assert (change.kind, change.text, change.remote_id) == ("reply", "We are on it\ntoday", "1")
    assert (change.actor, change.actor_id) == ("Bea Berg", str(PERSON))


@pytest.mark.parametrize(
    ("what", "form", "told"),
    [
        ("say", {"text": "hush", "public": "no"}, ("note", "hush")),
        ("set", {"status": "solved"}, ("status", "solved")),
        ("set", {"assignee": str(PERSON)}, ("assignee", str(PERSON))),
        ("set", {"tags": "vip hubbub"}, ("tags", ["vip", "hubbub"])),
        ("set", {"tags": ""}, ("tags", [])),
        ("delete", {}, ("deleted", None)),
    ],
)
def test_what_an_agent_does_reaches_the_hub(
    desk: Stand, hub: Hub, what: str, form: dict[str, str], told: tuple[str, Any]
) -> None:
    order(desk, f"/agent/tickets/1/{what}", **form)
    assert [(one.kind, one.text or one.value) for one in heard(desk, hub)] == [told]


def test_a_merge_tells_who_won(desk: Stand, hub: Hub) -> None:
    desk.deliver(delivery(9, "create"))
    order(desk, "/agent/tickets/1/merge", into="#2")
    merged = [one for one in heard(desk, hub) if one.kind == "merged"]
    assert [(one.remote_id, one.value) for one in merged] == [("1", "2")]


def test_our_own_writes_come_back_and_are_nobodys_reply(desk: Stand, hub: Hub) -> None:
    desk.sandbox.change("1", {"status": "solved"}, PERSON)
    note = delivery(3, "note", object="ticket", fields={"text": "Posted"}, parents=delivery(2, "comment").parents)
    desk.deliver(note)
    desk.deliver(delivery(2, "comment"))
    changes = heard(desk, hub)
    us = desk.destination.whoami(desk.ctx)
    theirs = [one for one in changes if one.actor_id != us]
    assert [one.kind for one in theirs] == ["status"]
    assert {one.kind for one in changes if one.actor_id == us} == {"note", "status"}
    assert not [one for one in changes if one.kind == "reply"]


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        ([(409, {})] * 9, 4),
        ([(503, {"Retry-After": "2"}), (200, {})], 2),
        ([(429, {"Retry-After": "60"})], 1),
        ([(500, {})], 1),
        ([(404, {})], 1),
    ],
)
def test_events_are_sent_again_as_zendesk_does(desk: Stand, hub: Hub, answers: list[Any], sent: int) -> None:
    hub.answers = list(answers)
    order(desk, "/agent/tickets/1/say", text="hello", public="yes")
    heard(desk, hub)
    invocations = {headers["x-zendesk-webhook-invocation-id"] for headers, _ in hub.requests}
    assert (len(hub.requests), len(invocations)) == (sent, 1)


def test_a_hub_that_does_not_listen_is_tried_six_times(desk: Stand, hub: Hub) -> None:
    target = {"url": "http://127.0.0.1:1/in/helpdesk", "secret": SECRET}
    desk.sandbox.store.put("_webhook", "target", target)
    order(desk, "/agent/tickets/1/say", text="hello", public="yes")
    assert desk.sandbox.teller.wait()
    assert [one.status for one in desk.sandbox.teller.attempts][-6:] == [0] * 6
    assert hub.requests == []


@pytest.mark.parametrize("as_json", [True, False])
def test_a_webhook_is_set_by_form_or_by_program(stand: Stand, hub: Hub, as_json: bool) -> None:
    given = {"url": hub.url, "secret": SECRET}
    if as_json:
        content = b'{"url": "%s", "secret": "s"}' % hub.url.encode()
        headers = {"Content-Type": "application/json"}
        assert stand.guard.send("POST", f"{stand.url}/agent/webhook", headers=headers, content=content).status == 200
    else:
        assert order(stand, "/agent/webhook", **given).status == 303
    stand.deliver(delivery(1, "create"))
    assert stand.sandbox.teller.wait()
    assert hub.requests
    page = stand.guard.send("GET", f"{stand.url}/agent/webhook").text
    assert hub.url in page
    assert SECRET not in page


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "no url"])
def test_a_webhook_goes_nowhere_but_by_http(stand: Stand, url: str) -> None:
    assert order(stand, "/agent/webhook", url=url, secret="s").status == 400


def test_orders_from_another_sites_page_are_refused(desk: Stand, hub: Hub) -> None:
    for what in ("tickets/1/say", "tickets/1/set", "tickets/1/delete", "webhook"):
        form = {"text": "x", "public": "yes", "status": "solved", "url": hub.url, "secret": "x"}
        assert order(desk, f"/agent/{what}", origin="https://evil.example", **form).status == 403
    assert heard(desk, hub) == []


def test_the_page_shows_public_words_notes_and_what_was_redacted(desk: Stand) -> None:
    order(desk, "/agent/tickets/1/say", text="<i>hush</i>", public="no")
    first = desk.sandbox.said_in("1")[0][1]
    desk.sandbox.store.update("comment", str(first["id"]), {"plain_body": "▇▇▇"})
    page = desk.guard.send("GET", f"{desk.url}/agent/tickets/1").text
    assert "(internal note)" in page
    assert "(redacted)" in page
    assert "&lt;i&gt;hush" in page
    assert "1" in desk.guard.send("GET", f"{desk.url}/agent/tickets").text


def test_a_closed_ticket_takes_no_orders(desk: Stand) -> None:
    desk.close_ticket("1")
    assert order(desk, "/agent/tickets/1/say", text="hello", public="yes").status == 422
    assert order(desk, "/agent/tickets/7/say", text="hello", public="yes").status == 404
    assert "This ticket is closed" in desk.guard.send("GET", f"{desk.url}/agent/tickets/1").text


def test_a_solved_ticket_closes_by_itself_after_four_weeks(desk: Stand) -> None:
    order(desk, "/agent/tickets/1/set", status="solved")
    for days, status in ((27, "solved"), (2, "closed")):
        desk.clock.advance(days * 24 * 3600)
        assert desk.sandbox.ticket("1")["status"] == status


def test_a_merge_takes_the_last_public_words_along(desk: Stand) -> None:
    desk.deliver(delivery(9, "create"))
    order(desk, "/agent/tickets/1/merge", into="2")
    assert "it broke" in desk.sandbox.said_in("2")[-1][1]["body"]
    assert desk.sandbox.said_in("1")[-1][1]["body"].startswith("This request was closed and merged into request #2")
    assert order(desk, "/agent/tickets/1/merge", into="2").status == 422


def test_history_keeps_an_old_subject(desk: Stand) -> None:
    desk.sandbox.change("1", {"subject": "new"}, PERSON)
    audits = [event for _, one in desk.sandbox.store.all("_audit") for event in one["events"]]
    assert [one["previous_value"] for one in audits if one.get("value") == "new"] == ["Ann on Mastodon"]
