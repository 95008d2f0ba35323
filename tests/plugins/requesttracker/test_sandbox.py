"""The look-alike is honest where the real server is strange."""

from __future__ import annotations

from tests.plugins.requesttracker.conftest import Stand, delivery


def test_the_look_alike_knows_all_calls_of_the_destination(desk: Stand) -> None:
    _, cursor = desk.poll(None)
    desk.deliver(delivery(2, "comment"))
    desk.deliver(delivery(3, "note"))
    desk.say("We are on it")
    desk.poll(cursor)
    desk.destination.describe(desk.ctx)
    desk.destination.check(desk.ctx)
    assert desk.sandbox.violations == []


def test_a_group_is_no_requestor(stand: Stand) -> None:
    body = {"Queue": "Social", "Subject": "x", "Content": "x", "Requestor": "mastodon:ann"}
    stand.act("POST", "ticket", body)
    assert stand.ticket()["Requestor"] == []


def test_a_merged_ticket_is_read_as_its_winner(desk: Stand) -> None:
    desk.deliver(delivery(2))
    desk.act("PUT", "ticket/1", {"MergeInto": "2"})
    answer = desk.guard.send("GET", f"{desk.url}/REST/2.0/ticket/1", headers={"Authorization": "token sandbox-token"})
    assert answer.json()["id"] == 2


def test_a_ticket_has_a_page(desk: Stand) -> None:
    assert "it broke" in desk.guard.send("GET", f"{desk.url}/Ticket/Display.html?id=1").text
