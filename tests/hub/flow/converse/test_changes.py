"""What people do at the desk: states, merges and deletions flow back, each change once, and never the hub's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from hub.core.access import HUB
from hub.core.errors import TranslationError, Unavailable
from hub.core.keys import signal_key
from hub.core.model import Change, RawItem, RemoteRef, Unread
from hub.flow.converse.changes import change_items
from hub.flow.converse.selves import known_self
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver
from hub.flow.intake.changes import poll_changes, watched_destinations
from hub.flow.sweep import due_lanes, prepare, ring_due
from hub.flow.views.explain import explain
from hub.sdk.connectors import ChangePage, Outcome
from tests.hub.flow.desk import OURS, POST, Stage
from tests.hubs import NOON, RULES

NewStage = Callable[..., Stage]
ASSIGNING = RULES.format(mapping="ticket") + 'assign = "team-red"\n'
CLOSED = """
[[rule]]
name = "open"
when = ['"acme" in topics', 'conversation.state != "closed"']
deliver = [{ destination = "memo", mapping = "ticket" }]
"""


@pytest.mark.parametrize(
    ("kind", "value", "known"),
    [
        ("status", "Solved", {"state": "closed"}),
        ("status", "weird", {}),
        ("assignee", "kim", {"assignee": "kim"}),
        ("assignee", None, {}),
        ("tags", ["vip", "vip", "", "ab"], {"tags": ["vip", "ab"]}),
        ("tags", "vip", {}),
        ("field", {"priority": "high"}, {}),
    ],
)
def test_what_the_directions_name_flows_back(new_stage: NewStage, kind: str, value: Any, known: dict[str, Any]) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change(kind, value=value, actor="Kim")
    assert stage.conversation() == known


def test_what_no_direction_names_stays_there(new_stage: NewStage) -> None:
    stage = new_stage(inbound={})
    stage.say(POST)
    for kind, value in (("status", "solved"), ("assignee", "kim"), ("tags", ["vip"])):
        stage.change(kind, value=value)
    assert stage.conversation() == {}
    assert {state for state, _ in stage.heard()} == {"ignored"}


def test_a_change_that_comes_late_does_not_undo_a_newer_one(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.clock.pass_(hours=1)
    stage.change("status", value="solved", at=NOON + timedelta(minutes=9))
    stage.change("status", value="new", at=NOON + timedelta(minutes=5))
    stage.change("assignee", value="kim", at=NOON + timedelta(minutes=5))
    assert stage.conversation() == {"state": "closed", "assignee": "kim"}


def test_a_change_from_the_future_does_not_block_those_that_follow(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("status", value="solved", at=NOON + timedelta(days=900))
    stage.clock.pass_(minutes=1)
    stage.change("status", value="new")
    assert stage.conversation() == {"state": "open"}


def test_the_hubs_own_changes_mean_nothing(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("status", value="solved", actor_id=OURS)
    stage.change("status", value="solved", ours=True)
    assert stage.conversation() == {}


def test_what_the_hubs_own_comment_reopens_is_open_again(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("status", value="solved", at=NOON + timedelta(minutes=1))
    stage.change("status", value="new", actor_id=OURS, at=NOON + timedelta(minutes=2))
    assert stage.conversation()["state"] == "open"


def test_a_record_that_is_not_the_hubs_is_left_alone(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("status", value="solved", remote_id="99")
    stage.change("status", value="solved", object="invoice")
    assert stage.heard() == [("ignored", "it is no record of the hub's")] * 2


def test_while_our_own_user_is_unknown_changes_wait(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.desk.self_id = Unavailable()
    stage.say(POST)
    stage.change("status", value="solved", actor_id=OURS)
    assert (stage.conversation(), stage.heard()) == ({}, [("new", "waits: our own user there is unknown")])
    stage.desk.self_id = OURS
    stage.clock.pass_(seconds=61)
    stage.run()
    stage.clock.pass_(seconds=31)
    stage.run()
    assert stage.heard()[0][0] == "ignored"


def test_the_batch_asks_no_destination_who_we_are(new_stage: NewStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = new_stage()
    stage.tell(msgspec.convert({"kind": "status", "object": "ticket", "remote_id": "1", "event_id": "e"}, Change))
    calls: list[str] = []
    monkeypatch.setattr(stage.desk, "whoami", lambda *_: calls.append("whoami") or OURS)
    monkeypatch.setattr(type(stage.hub), "context", lambda *_: calls.append("context"))
    process(stage.hub)
    assert (stage.heard(), calls) == ([("new", "waits: our own user there is unknown")], [])


def test_the_sweep_rings_for_a_destination_that_is_not_known_yet(new_stage: NewStage) -> None:
    stage = new_stage()
    assert ("deliver", "desk") in due_lanes(stage.hub)
    deliver(stage.hub, "desk")
    assert ("deliver", "desk") not in due_lanes(stage.hub)


def test_half_a_character_in_a_change_holds_up_no_page() -> None:
    like = RawItem("desk", "desk", b"", NOON, "")
    (item,) = change_items([Change("reply", "ticket", "1", "e", text="we look \ud83d into it")], like=like)
    assert msgspec.json.decode(item.payload, type=Change).text == "we look \ufffd into it"


def test_a_destination_that_says_nothing_is_asked_once_a_minute(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.desk.whoami = lambda *_: None  # type: ignore[method-assign, assignment]  # a plugin's bug
    deliver(stage.hub, "desk")
    assert ("deliver", "desk") not in due_lanes(stage.hub)


def test_a_destination_that_does_not_say_is_asked_once_a_minute(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.desk.self_id = Unavailable()
    deliver(stage.hub, "desk")
    assert ("deliver", "desk") not in due_lanes(stage.hub)
    stage.clock.pass_(seconds=61)
    assert ("deliver", "desk") in due_lanes(stage.hub)


def test_a_poll_of_changes_learns_who_we_are(new_stage: NewStage) -> None:
    stage = new_stage()
    prepare(stage.hub)
    poll_changes(stage.hub, "destinations/desk")
    assert known_self(stage.hub, "desk") == OURS


def test_rules_read_the_state_and_an_explanation_says_what_they_read(new_stage: NewStage) -> None:
    stage = new_stage(rules=CLOSED)
    stage.say(POST)
    stage.change("status", value="new")
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    stage.change("status", value="solved")
    stage.say({"id": "3", "text": "acme as well", "re": "1"})
    assert [row["signal_key"] for row in stage.rows("comment")] == [signal_key("lines", "2")]
    read = [explain(stage.hub, HUB, signal_key("lines", one)).rules[0].conditions[1].read for one in "123"]  # type: ignore[union-attr]  # all are stored
    assert read == [{"conversation.state": state} for state in (None, "open", "closed")]


def test_a_rule_assigns_a_new_conversation_and_no_old_one(new_stage: NewStage) -> None:
    stage = new_stage(rules=ASSIGNING)
    stage.say(POST)
    assert stage.conversation() == {"assignee": "team-red"}
    stage.clock.pass_(minutes=1)
    stage.change("assignee", value="kim")
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    assert stage.conversation() == {"assignee": "kim"}


def test_an_assigned_conversation_is_kept_in_the_trace_of_what_follows(new_stage: NewStage) -> None:

    stage = new_stage(rules=ASSIGNING)
    stage.say(POST)
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    row = stage.hub.store.signals.get(signal_key("lines", "2"))
    assert row is not None
    assert row["trace"].conversation == {"assignee": "team-red"}


def test_comments_go_to_the_winner_of_a_merge(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("merged", value="winner-7")
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    assert stage.desk.got[-1][0].parents["conversation"].id == "winner-7"
    stage.change("status", value="solved", remote_id="winner-7")
    assert stage.conversation() == {"state": "closed"}


def test_a_reply_on_the_winner_answers_the_latest_of_both_conversations(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.say({"id": "9", "text": "acme elsewhere", "by": "bo", "at": 5})
    first, second = (row["remote_id"] for row in stage.rows("create"))
    stage.change("merged", remote_id=second, value=first)
    stage.answer(remote_id=first)
    assert stage.talk.posted[0].to.native_id == "9"


def test_an_answer_given_at_a_ticket_before_its_merge_is_posted_though_it_is_told_after(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    ticket = stage.ticket
    stage.change("merged", value="winner-7")
    stage.change("status", value="solved", remote_id=ticket)
    assert stage.conversation() == {}  # the loser is closed by the merge itself
    stage.answer(remote_id=ticket)
    assert [one.to.native_id for one in stage.talk.posted] == ["1"]


def test_a_write_that_ends_after_its_record_was_merged_stands_for_the_winner(new_stage: NewStage) -> None:
    stage = new_stage()
    with stage.hub.store.database.write() as conn:
        stage.hub.store.conversations.merge(conn, "desk", "ticket", loser="loser-1", winner="winner-7")
    stage.desk.answer = lambda one: RemoteRef("loser-1") if one.operation == "create" else None
    stage.say(POST)
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    assert stage.desk.got[-1][0].parents["conversation"].id == "winner-7"


MERGES = [("ticket", "b"), ("b", "c"), ("c", "d")]


@pytest.mark.parametrize("order", list(permutations(MERGES)), ids=repr)
def test_merges_end_at_the_last_winner_in_whatever_order_they_are_told(
    new_stage: NewStage, order: Sequence[tuple[str, str]]
) -> None:
    stage = new_stage()
    stage.say(POST)
    ticket = stage.ticket
    for loser, winner in order:
        stage.change("merged", remote_id=ticket if loser == "ticket" else loser, value=winner)
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    assert stage.desk.got[-1][0].parents["conversation"].id == "d"


def test_two_workers_do_not_overlook_each_others_merges(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    store, ticket = stage.hub.store, stage.ticket
    other = threading.Thread(target=stage.change, args=("merged",), kwargs={"remote_id": "b", "value": "c"})
    with store.database.write() as conn:
        store.conversations.take_turns_at_merges(conn)
        winner = store.conversations.merge(conn, "desk", "ticket", loser=ticket, winner="b")
        other.start()
        other.join(0.3)
        assert (winner, other.is_alive()) == ("b", True)
        where = store.conversations.targets(conn, "desk", "ticket", ticket)
        store.conversations.move(conn, "desk", old=ticket, new=RemoteRef("b"), where=where)
    other.join()
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    assert stage.desk.got[-1][0].parents["conversation"].id == "c"


def test_merges_of_another_kind_of_record_with_the_same_id_are_no_concern(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("merged", object="person", remote_id="b", value="c")
    stage.change("merged", value="b")
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    assert stage.desk.got[-1][0].parents["conversation"].id == "b"


def test_where_merges_run_in_a_circle_the_last_word_holds(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    ticket = stage.ticket
    stage.change("merged", remote_id="b", value=ticket)
    stage.change("merged", value="b")
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    assert stage.desk.got[-1][0].parents["conversation"].id == "b"
    stage.change("merged", remote_id="b", value=ticket)
    stage.say({"id": "3", "text": "acme too", "re": "1"})
    assert stage.desk.got[-1][0].parents["conversation"].id == ticket


def test_a_merge_that_names_no_winner_changes_nothing(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    for value in (None, "", {"id": 1}, stage.ticket):
        stage.change("merged", value=value)
    assert [state for state, _ in stage.heard()] == ["ignored"] * 4


def test_after_a_deletion_the_next_post_makes_a_new_ticket(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.desk.answer = lambda one: RemoteRef("ticket-2") if one.operation == "create" else None
    stage.change("deleted")
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    stage.say({"id": "3", "text": "acme again", "re": "1"})
    assert [(one["operation"], one["remote_id"]) for one in stage.rows("create")][1] == ("create", "ticket-2")
    keys = [one.key for batch in stage.desk.got for one in batch if one.operation == "create"]
    assert len(set(keys)) == 2
    assert stage.desk.got[-1][0].parents["conversation"].id == "ticket-2"


def test_a_destination_that_sends_us_on_moves_the_ticket(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)

    def follow_up(one: Any) -> Outcome:
        return Outcome(
            one.id, RemoteRef("c-1"), moved={"conversation": RemoteRef("followup-3", "https://desk.example/3")}
        )

    deliver_once, stage.desk._one = stage.desk._one, lambda self, one: follow_up(one)  # type: ignore[method-assign, assignment]  # the fake's own way
    stage.say({"id": "2", "text": "acme too", "re": "1"})
    stage.desk._one = deliver_once  # type: ignore[method-assign]  # as it was
    stage.say({"id": "3", "text": "acme again", "re": "1"})
    assert stage.desk.got[-1][0].parents["conversation"] == RemoteRef("followup-3", "https://desk.example/3")


def page(*changes: Change, cursor: Any = "next") -> ChangePage:
    return ChangePage(changes, cursor)


def test_changes_that_are_asked_for_are_handled_once_even_where_pages_overlap(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    prepare(stage.hub)
    told = Change("reply", "ticket", stage.ticket, "e1", actor="Kim", text="hello", part_id="c1")
    stage.desk.pages = [page(told), page(told, cursor="last")]
    assert poll_changes(stage.hub, "destinations/desk") == 1
    stage.clock.pass_(minutes=2)
    assert poll_changes(stage.hub, "destinations/desk") == 0
    stage.run()
    assert (len(stage.talk.posted), stage.desk.asked) == (1, [None, "last"])


def test_a_destination_is_asked_when_it_is_due(new_stage: NewStage) -> None:
    stage = new_stage()
    prepare(stage.hub)
    stage.bell.rung.clear()
    ring_due(stage.hub)
    assert watched_destinations(stage.hub) == ["destinations/desk"]
    assert ("poll", "destinations/desk") in stage.bell.rung
    poll_changes(stage.hub, "destinations/desk")
    assert poll_changes(stage.hub, "destinations/desk") is None


def test_a_page_before_a_failure_is_kept_and_the_rest_is_asked_for_later(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    prepare(stage.hub)
    told = Change("status", "ticket", stage.ticket, "e1", value="solved")
    stage.desk.pages = [page(told, cursor="after-1"), Unavailable("down")]
    poll_changes(stage.hub, "destinations/desk")
    process(stage.hub)
    cursor = next(row for row in stage.hub.store.cursors.list() if row["source"] == "destinations/desk")
    assert (stage.conversation(), cursor["value"], cursor["failures"]) == ({"state": "closed"}, "after-1", 1)


def test_an_event_is_taken_apart_and_a_repeat_of_it_does_nothing(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    told = Change("status", "ticket", stage.ticket, "e1", value="solved")
    other = Change("tags", "ticket", stage.ticket, "e2", value=["vip"])
    stage.tell(told, other, event="call-1")
    stage.tell(told, other, event="call-1")
    stage.tell(told, event="call-2")
    process(stage.hub)
    assert (stage.conversation(), len(stage.heard())) == ({"state": "closed", "tags": ["vip"]}, 2)


def partly(stage: Stage) -> None:
    """A desk that puts a list into each call, whose parts may be broken."""

    def parse(_: Any, body: bytes) -> Sequence[Change | Unread]:
        parts = msgspec.json.decode(body)
        if len(parts) == 1 and "kind" not in parts[0]:
            raise TranslationError(f"no kind in part {parts[0]['n']}")
        return [
            msgspec.convert(one, Change) if "kind" in one else Unread(msgspec.json.encode([one]), "no kind")
            for one in parts
        ]

    stage.desk.parse = parse  # type: ignore[method-assign, assignment]  # the fake's own way


def test_of_an_event_what_can_be_read_is_handled_and_the_rest_is_kept_with_its_reason(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    partly(stage)
    told = msgspec.to_builtins(Change("status", "ticket", stage.ticket, "e1", value="solved"))
    body = msgspec.json.encode([{"n": 1}, told, {"n": 2}])
    for event in ("call-1", "call-2"):
        stage.hub.store.inbox.add([RawItem("desk", "desk", body, stage.clock(), event)], form="event")
        process(stage.hub)
    failed = sorted(stage.hub.store.inbox.failed(), key=lambda row: row["id"])
    kept = stage.hub.store.inbox.get([row["id"] for row in failed])
    assert stage.conversation() == {"state": "closed"}
    assert [row["note"] for row in failed] == ["no kind in part 1", "no kind in part 2"]
    assert [kept[row["id"]].payload for row in failed] == [b'[{"n":1}]', b'[{"n":2}]']


def test_a_part_that_cannot_be_read_is_handled_after_a_fix(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    partly(stage)
    told = Change("status", "ticket", stage.ticket, "e1", value="solved")
    body = msgspec.json.encode([{"n": 1}, {"n": 2}])
    stage.hub.store.inbox.add([RawItem("desk", "desk", body, stage.clock(), "call-1")], form="event")
    process(stage.hub)
    stage.desk.parse = lambda *_: [told]  # type: ignore[method-assign, assignment]  # the fix
    assert stage.hub.store.inbox.retry(None, now=stage.clock()) == 2
    process(stage.hub)
    assert (stage.conversation(), stage.hub.store.inbox.failed()) == ({"state": "closed"}, [])


def test_a_part_that_is_the_whole_call_fails_once_and_for_all(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.desk.parse = lambda _, body: [Unread(body, "what is this?")]  # type: ignore[method-assign, assignment]  # a plugin that splits nothing
    stage.hub.store.inbox.add([RawItem("desk", "desk", b"{}", stage.clock(), "call-1")], form="event")
    process(stage.hub)
    assert [row["note"] for row in stage.hub.store.inbox.failed()] == ["what is this?"]


def test_what_was_told_is_kept_no_longer_than_it_takes_to_handle_it(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("note", text="the author's own words, quoted")
    stage.change("status", value="solved")
    stage.hub.store.inbox.add([RawItem("desk", "desk", b"no json", stage.clock(), "broken")], form="event")
    stage.run()
    with stage.hub.store.database.read() as conn:
        kept = conn.execute(text("SELECT state, payload FROM inbox WHERE form IN ('event', 'change')")).all()
    assert {bytes(row.payload) for row in kept if row.state != "failed"} == {b""}
    assert [bytes(row.payload) for row in kept if row.state == "failed"] == [b"no json"]
