"""What agents do comes back, once each, by asking RT's transactions."""

from __future__ import annotations

import pytest

from hub import Change
from tests.plugins.requesttracker.conftest import CUSTOMER, Stand, delivery


@pytest.fixture
def cursor(desk: Stand) -> object:
    """Where reading begins, with ticket 1 there already."""
    changes, place = desk.poll(None)
    assert changes == []
    return place


def kinds(changes: list[Change]) -> list[tuple[str, object]]:
    return [(one.kind, one.value) for one in changes]


def test_an_agents_correspondence_is_a_reply(desk: Stand, cursor: object) -> None:
    transaction = desk.say("We are on it")
    reply, opened = desk.poll(cursor)[0]
    assert (reply.kind, reply.object, reply.remote_id, reply.text) == ("reply", "ticket", "1", "We are on it")
    assert (reply.event_id, reply.part_id) == (f"transaction/{transaction}", f"transaction/{transaction}")
    assert (reply.actor_id, reply.actor, reply.ours, reply.at) == ("agent", "Agnes Agent", False, desk.clock())
    assert (opened.kind, opened.value) == ("status", "open")


def test_a_comment_is_a_note(desk: Stand, cursor: object) -> None:
    desk.say("between us", way="comment")
    (note,) = desk.poll(cursor)[0]
    assert (note.kind, note.text) == ("note", "between us")


def test_a_reply_in_html_is_plain_text_without_its_quotes(desk: Stand, cursor: object) -> None:
    quote = "On Mon, Ann wrote:<br><blockquote>it <b>broke</b></blockquote>"
    desk.say(f"<p>Hello <b>Ann</b>,<br>sorry &amp; thanks</p>{quote}", kind="text/html")
    assert desk.poll(cursor)[0][0].text == "Hello Ann,\nsorry & thanks"


def test_a_customers_correspondence_is_no_reply_of_ours(desk: Stand, cursor: object) -> None:
    desk.say("any news?", who=CUSTOMER)
    assert [one.kind for one in desk.poll(cursor)[0]] == ["status"]


def test_what_we_did_ourselves_is_told_as_ours(desk: Stand, cursor: object) -> None:
    (sent,) = desk.deliver(delivery(2, "comment"))
    ours = desk.poll(cursor)[0][0]
    assert ours.ours
    assert ours.part_id == sent.ref.id
    assert ours.actor_id == desk.destination.whoami(desk.ctx)


def test_states_owners_and_deletions_are_told(desk: Stand, cursor: object) -> None:
    for change in ({"Owner": "agent"}, {"Owner": "Nobody"}, {"Status": "resolved"}, {"Status": "deleted"}):
        desk.act("PUT", "ticket/1", change)
    found, _ = desk.poll(cursor)
    assert kinds(found) == [("assignee", "agent"), ("assignee", None), ("status", "resolved"), ("deleted", None)]


def test_a_merge_is_told_once_with_its_winner(desk: Stand, cursor: object) -> None:
    desk.deliver(delivery(5))
    desk.act("PUT", "ticket/1", {"MergeInto": "2"})
    (merged,) = desk.poll(cursor)[0]
    assert (merged.kind, merged.remote_id, merged.value) == ("merged", "1", "2")


def test_nothing_is_told_twice(desk: Stand, cursor: object) -> None:
    desk.say("one")
    first, place = desk.poll(cursor)
    desk.clock.advance(60)
    assert desk.poll(place)[0] == []
    desk.say("two")
    assert [one.text for one in desk.poll(place)[0]] == ["two"]
    assert first[0].text == "one"


def test_what_is_committed_late_under_a_lower_number_is_told(desk: Stand, cursor: object) -> None:
    late = desk.say("late")
    row = desk.sandbox.store.get("_transaction", late)
    desk.sandbox.store.remove("_transaction", late)
    desk.say("early")
    early, place = desk.poll(cursor)
    desk.sandbox.store.insert("_transaction", late, row)
    desk.clock.advance(600)
    assert [one.text for one in early if one.kind == "reply"] == ["early"]
    assert [one.text for one in desk.poll(place)[0]] == ["late"]


def test_a_place_stays_small_when_nothing_happens(desk: Stand, cursor: object) -> None:
    for number in range(150):
        desk.say(f"word {number}", way="comment")
    found, place = desk.poll(cursor)
    desk.clock.advance(200)
    _, settled = desk.poll(place)
    assert len(found) == 150
    assert len(str(settled)) < 80


@pytest.mark.parametrize("cursor", ["x", [], [[1, 2]], {"a": 1}, [["2026-01-01T00:00:00Z", []]]])
def test_a_cursor_that_cannot_be_read_begins_anew(desk: Stand, cursor: object) -> None:
    desk.say("before")
    changes, place = desk.poll(cursor)
    assert changes == []
    assert place != cursor


def test_a_quiet_poll_is_one_call(desk: Stand, cursor: object) -> None:
    desk.clock.advance(200)
    before = len(desk.sandbox.journal.calls)
    assert desk.poll(cursor)[0] == []
    assert [one.path for one in desk.sandbox.journal.calls[before:]] == ["/REST/2.0/transactions"]
