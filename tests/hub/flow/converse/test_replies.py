"""An agent's public reply reaches the network once, and what became of it is told on the ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from hub.core.access import HUB
from hub.core.errors import Rejected, Unauthorised, Unavailable, Uncertain
from hub.core.keys import signal_key
from hub.core.model import RawItem, RemoteRef, Tombstone
from hub.core.retry import ConnectionStanding
from hub.flow.actions.replies import approve, refuse
from hub.flow.decide.batch import process
from hub.flow.deliver.send import deliver_batch
from hub.flow.erase.erase import erase
from hub.flow.sweep import ring_due
from hub.sdk.connectors import Lookup, Native
from hub.store import Connection
from hub.store.conversations import Conversations
from hub.store.schema import signals
from tests.hub.flow.desk import OURS, POST, Stage, raising
from tests.hub.flow.erase.test_erase import leftovers

NewStage = Callable[..., Stage]


def test_a_public_reply_is_posted_once_and_its_link_is_noted(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.answer("we look into it")
    (sent,) = stage.talk.posted
    assert (sent.text, sent.agent, sent.to.native_id) == ("we look into it", "Kim", "1")
    assert (sent.author and sent.author.handle, sent.raw and b"acme is down" in sent.raw.payload) == ("ana", True)
    assert stage.notes() == ["Posted on Lines: https://talk.example/post-1"]


@pytest.mark.parametrize("length", ["5", None, 5.5], ids=repr)
def test_a_length_that_is_no_number_is_a_reason_that_the_agent_reads(new_stage: NewStage, length: object) -> None:
    stage = new_stage()
    stage.talk.measure = lambda *_: length  # type: ignore[method-assign, assignment]  # a plugin's bug
    stage.say(POST)
    stage.answer()
    (note,) = stage.notes()
    assert "measure gives a" in note


def test_a_reply_is_a_row_of_the_ledger_below_the_signal_that_it_answers(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.answer(part_id="c7")
    (row,) = stage.rows("reply")
    assert (row["destination"], row["object"], row["state"]) == ("sources/talk", "reply", "delivered")
    assert row["signal_key"] == signal_key("lines", "1")
    assert row["record_key"] == signal_key("desk", "c7", realm="desk")
    assert row["remote_url"] == "https://talk.example/post-1"


def test_the_note_knows_its_ticket_and_is_one_of_the_tickets_object(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.answer()
    note = stage.desk.got[-1][0]
    assert (note.object, note.operation, note.parents["conversation"].id) == ("ticket", "note", stage.ticket)


def test_the_latest_post_on_the_ticket_is_answered(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.say({"id": "2", "text": "acme, hello?", "re": "1", "by": "bo", "at": 5})
    stage.say({"id": "3", "text": "nobody sees this on the ticket", "re": "1", "at": 9})
    stage.answer()
    assert stage.talk.posted[0].to.native_id == "2"


def test_a_post_that_takes_no_replies_is_passed_over(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.say({"id": "2", "text": "acme, hello?", "re": "1", "can_reply": "no", "at": 5})
    stage.answer()
    assert stage.talk.posted[0].to.native_id == "1"


def test_a_private_post_that_no_rule_let_out_is_not_answered(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.say({"id": "2", "text": "acme secret", "re": "1", "visibility": "direct", "at": 5})
    stage.answer()
    assert [one.to.native_id for one in stage.talk.posted] == ["1"]


def test_a_private_post_that_a_rule_let_out_is_answered(new_stage: NewStage) -> None:
    stage = new_stage(private_rules=["brand"])
    stage.say(POST)
    stage.say({"id": "2", "text": "acme secret", "re": "1", "visibility": "direct", "at": 5})
    stage.answer()
    assert [one.to.native_id for one in stage.talk.posted] == ["2"]


def test_a_private_note_never_leaves(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("note", text="what a fool", actor="Kim", part_id="c1")
    stage.run()
    assert (stage.talk.posted, stage.rows("reply"), stage.notes()) == ([], [], [])
    assert stage.heard() == [("ignored", "a private note stays there")]


@pytest.mark.parametrize(
    ("post", "text", "days", "reason"),
    [
        (POST, "x" * 36, 0, "too long: 41 of 40 that the network allows"),
        (POST, "hello", 8, "too late: the network takes answers for 7 days after a post"),
        ({**POST, "can_reply": "no"}, "hello", 0, "its author takes no replies"),
    ],
)
def test_what_the_network_would_refuse_is_not_sent_and_the_agent_reads_why(
    new_stage: NewStage, post: dict[str, Any], text: str, days: int, reason: str
) -> None:
    stage = new_stage()
    stage.say(post)
    stage.clock.pass_(days=days)
    stage.answer(text)
    (row,) = stage.rows("reply")
    assert (row["state"], row["error"]["message"], stage.talk.posted) == ("dead", reason, [])
    assert stage.notes() == [f"Not posted on Lines: {reason}"]


def test_where_replies_are_switched_off_nothing_is_posted(new_stage: NewStage) -> None:
    stage = new_stage(reply="off")
    stage.say(POST)
    stage.answer()
    assert (stage.talk.posted, stage.notes()) == ([], ["Not posted on Lines: replies through 'talk' are switched off"])


def test_a_refusal_of_the_network_is_told_with_its_reason(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.talk.says = raising(Rejected("they blocked us"))
    stage.answer()
    assert stage.notes() == ["Not posted on Lines: they blocked us"]


def test_a_policy_holds_a_reply_until_somebody_approves_it(new_stage: NewStage) -> None:
    stage = new_stage(reply="approve")
    stage.say(POST)
    stage.answer()
    (row,) = stage.rows("reply")
    page = f"{stage.hub.settings.public_url}/deliveries/{row['id']}"
    assert (row["state"], row["error"], stage.talk.posted) == ("approval", {"message": "waits for approval"}, [])
    assert stage.notes() == [f"Not posted on Lines yet. Waits for approval in the hub: {page}"]
    assert approve(stage.hub, HUB, [row["id"]]) == 1
    stage.run()
    assert (len(stage.talk.posted), stage.notes()[1:]) == (1, ["Posted on Lines: https://talk.example/post-1"])


def test_a_reply_that_nobody_approves_is_told_of_too(new_stage: NewStage) -> None:
    stage = new_stage(reply="approve")
    stage.say(POST)
    stage.answer()
    assert refuse(stage.hub, HUB, [stage.rows("reply")[0]["id"]], note="too rude") == 1
    stage.run()
    assert (stage.talk.posted, stage.notes()[1:]) == ([], ["Not posted on Lines, refused in the hub: too rude"])


def test_an_outage_delays_a_reply_and_says_nothing_yet(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.talk.says = raising(Unavailable())
    stage.answer()
    assert (stage.rows("reply")[0]["state"], stage.notes()) == ("retry", [])
    stage.talk.says = None
    stage.clock.pass_(minutes=1)
    stage.run()
    assert (len(stage.talk.posted), len(stage.notes())) == (2, 1)
    assert stage.talk.posted[0].key == stage.talk.posted[1].key
    assert (stage.talk.posted[0].first_sent_at, stage.talk.posted[1].attempt) == (None, 2)


def test_refused_credentials_pause_the_lane_of_replies_and_not_the_desk(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.talk.says = raising(Unauthorised("token expired"))
    stage.answer()
    assert list(stage.hub.store.connections.paused(now=stage.clock())) == ["sources/talk"]
    assert stage.rows("reply")[0]["state"] == "blocked"


def test_a_doubt_is_looked_up_before_anything_is_posted_again(new_stage: NewStage) -> None:
    stage = new_stage(idempotency=Lookup(timedelta(seconds=10)))
    stage.say(POST)
    stage.talk.says = raising(Uncertain())
    stage.answer()
    stage.talk.there[stage.talk.posted[0].key] = RemoteRef("post-9", "https://talk.example/post-9")
    stage.clock.pass_(seconds=11)
    stage.run()
    assert (len(stage.talk.posted), stage.notes()) == (1, ["Posted on Lines: https://talk.example/post-9"])


def test_a_doubt_on_a_network_with_keys_of_its_own_is_sent_again_under_the_same_key(new_stage: NewStage) -> None:
    stage = new_stage(idempotency=Native(timedelta(hours=1)))
    stage.say(POST)
    stage.talk.says = raising(Uncertain())
    stage.answer()
    stage.talk.says = None
    stage.clock.pass_(minutes=10)
    stage.run()
    assert len({one.key for one in stage.talk.posted}) == 1
    assert stage.rows("reply")[0]["state"] == "delivered"


def test_where_nobody_can_tell_a_person_decides_and_the_agent_knows(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.talk.says = raising(Uncertain())
    stage.answer()
    (row,) = stage.rows("reply")
    assert (row["state"], len(stage.talk.posted)) == ("review", 1)
    assert stage.notes()[0].startswith("In doubt: it may have been posted on Lines")


def test_a_worker_killed_while_it_posts_posts_nothing_twice(new_stage: NewStage) -> None:
    stage = new_stage(idempotency=Lookup(timedelta(seconds=10)))
    stage.say(POST)
    stage.talk.says = raising(KeyboardInterrupt())  # type: ignore[arg-type]  # as a signal would
    stage.change("reply", text="hello", actor="Kim", part_id="c1")
    with pytest.raises(KeyboardInterrupt):
        deliver_batch(stage.hub, "sources/talk")
    stage.talk.there[stage.talk.posted[0].key] = RemoteRef("post-1")
    stage.clock.pass_(minutes=2)
    stage.hub.store.deliveries.expire(now=stage.clock())
    stage.run()
    assert (len(stage.talk.posted), stage.notes()) == (1, ["Posted on Lines."])


class Dying(Conversations):
    """Raises while notes are planned, inside the transaction that settles a reply."""

    def replies(self, conn: Connection, ids: Iterable[int]) -> list[dict[str, Any]]:
        raise KeyboardInterrupt


def test_a_kill_while_the_outcome_is_written_loses_neither_outcome_nor_note(new_stage: NewStage) -> None:
    stage = new_stage(idempotency=Lookup(timedelta(seconds=10)))
    stage.say(POST)
    stage.change("reply", text="hello", actor="Kim", part_id="c1")
    store, stage.hub.store.conversations = stage.hub.store.conversations, Dying(stage.hub.store.database)
    with pytest.raises(KeyboardInterrupt):
        deliver_batch(stage.hub, "sources/talk")
    stage.hub.store.conversations = store
    assert (stage.rows("reply")[0]["state"], stage.rows("note")) == ("leased", [])
    stage.talk.there[stage.talk.posted[0].key] = RemoteRef("post-1")
    stage.clock.pass_(minutes=2)
    stage.hub.store.deliveries.expire(now=stage.clock())
    stage.run()
    assert (len(stage.talk.posted), stage.notes()) == (1, ["Posted on Lines."])


def test_a_kill_while_a_change_is_handled_handles_it_once(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    store, stage.hub.store.conversations = stage.hub.store.conversations, Dying(stage.hub.store.database)
    with pytest.raises(KeyboardInterrupt):
        stage.change("reply", text="hello", part_id="c1")
    stage.hub.store.conversations = store
    assert stage.rows("reply") == []
    stage.clock.pass_(minutes=2)
    stage.hub.store.inbox.expire(now=stage.clock())
    stage.run()
    assert (len(stage.talk.posted), len(stage.notes())) == (1, 1)


def test_the_same_change_twice_is_answered_once(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    for event in ("a", "b"):
        stage.answer("hello", event_id=event, part_id="c1")
    stage.answer("hello", event_id="a", part_id="c1")
    assert (len(stage.talk.posted), len(stage.notes())) == (1, 1)


def test_replies_of_a_conversation_go_in_their_order(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.talk.says = raising(Unavailable())
    stage.answer("first")
    stage.talk.says = None
    stage.answer("second")
    assert [one.text for one in stage.talk.posted] == ["first"]
    stage.clock.pass_(minutes=1)
    stage.run()
    assert [one.text for one in stage.talk.posted] == ["first", "first", "second"]


def test_a_refused_reply_does_not_hold_back_the_next(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.talk.says = raising(Unavailable())
    stage.answer("first")
    stage.answer("second")
    stage.talk.says = raising(Rejected("no"))
    stage.clock.pass_(minutes=1)
    deliver_batch(stage.hub, "sources/talk")
    stage.talk.says = None
    stage.run()
    assert [row["state"] for row in stage.rows("reply")] == ["dead", "delivered"]


def test_our_own_post_comes_back_as_ours_and_makes_no_record(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.answer("acme: we look into it")
    stage.say({"id": "post-1", "text": "acme: we look into it", "re": "1", "by": "acme"})
    assert stage.signal(signal_key("lines", "post-1")).origin == "hub"
    assert stage.rows("comment") == []


def test_our_own_post_is_known_even_while_nobody_knows_that_it_was_posted(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.talk.says = raising(Uncertain())
    stage.answer("acme: we look into it")
    stage.say({"id": "x9", "text": "@ana acme: we  look into it", "re": "1", "by": "acme"})
    stage.say({"id": "x10", "text": "acme: never mind", "re": "1"})
    assert stage.signal(signal_key("lines", "x9")).origin == "hub"
    assert [row["signal_key"] for row in stage.rows("comment")] == [signal_key("lines", "x10")]


@pytest.mark.parametrize(("text", "by"), [("acme: OK, Thanks acme!", "bo"), ("Thanks acme!", "ana")])
def test_what_a_customer_says_meanwhile_is_not_taken_for_ours(new_stage: NewStage, text: str, by: str) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.talk.says = raising(Uncertain())
    stage.answer("Thanks acme!")
    stage.say({"id": "x9", "text": text, "re": "1", "by": by})
    assert stage.signal(signal_key("lines", "x9")).origin == "source"
    assert [row["signal_key"] for row in stage.rows("comment")] == [signal_key("lines", "x9")]


def test_a_reply_of_our_own_user_is_no_reply(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.answer(actor_id=OURS)
    stage.answer(ours=True)
    assert (stage.talk.posted, [state for state, _ in stage.heard()]) == ([], ["ignored", "ignored"])


def test_what_the_hub_wrote_itself_is_no_reply(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.say({"id": "2", "text": "acme, hello?", "re": "1"})
    (comment,) = stage.rows("comment")
    stage.answer(part_id=comment["remote_id"], actor_id="")
    assert stage.talk.posted == []
    stage.answer(part_id=stage.ticket)
    assert len(stage.talk.posted) == 1


def test_a_lane_with_a_reply_that_is_due_is_rung_for(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("reply", text="hello", part_id="c1")
    stage.bell.rung.clear()
    ring_due(stage.hub)
    assert ("deliver", "sources/talk") in stage.bell.rung


def test_a_reply_to_what_is_not_stored_any_more_is_refused_and_tells_nothing_of_the_network(
    new_stage: NewStage,
) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("reply", text="hello", part_id="c1")
    with stage.hub.store.database.write() as conn:
        conn.execute(delete(signals))
    standing = ConnectionStanding("open", "5 batches in a row failed", stage.clock(), failures=5, openings=1)
    stage.hub.store.connections.change("sources/talk", lambda _: standing, now=stage.clock())
    deliver_batch(stage.hub, "sources/talk")
    (row,) = stage.rows("reply")
    assert (row["state"], row["error"]["message"]) == ("dead", "the signal that it answers is gone")
    assert stage.hub.store.connections.standing("sources/talk").state == "open"


def test_where_the_post_is_gone_the_agent_reads_it(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.say({"id": "1", "gone": 1})
    stage.answer()
    assert (stage.talk.posted, stage.notes()[-1]) == ([], "Not posted on Lines: the post is deleted")


def test_an_answer_that_comes_after_the_erasure_leaves_no_word_that_it_quotes(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.answer("never mind")
    erase(stage.hub, [Tombstone(signal_key("lines", "1"), "erasure", stage.clock())])
    stage.answer("> acme is down\nno, it is up")
    assert [row["state"] for row in stage.rows("reply")] == ["delivered", "dead"]
    assert leftovers(stage.hub.store, "acme is down") == []
    assert leftovers(stage.hub.store, "never mind") == ["deliveries.fields"]


def test_an_answer_that_was_under_way_at_the_erasure_leaves_no_word_either(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("reply", text="> acme is down\nno, it is up", part_id="c1")
    key = signal_key("lines", "1")
    stage.talk.says = lambda _: erase(stage.hub, [Tombstone(key, "erasure", stage.clock())])  # type: ignore[assignment]
    deliver_batch(stage.hub, "sources/talk")
    assert [row["state"] for row in stage.rows("reply")] == ["delivered"]
    assert leftovers(stage.hub.store, "acme is down") == []


def test_an_answer_that_waits_for_approval_at_the_erasure_leaves_no_word_when_it_is_refused(
    new_stage: NewStage,
) -> None:
    stage = new_stage(reply="approve")
    stage.say(POST)
    stage.answer("> acme is down\nno, it is up")
    erase(stage.hub, [Tombstone(signal_key("lines", "1"), "erasure", stage.clock())])
    (row,) = stage.rows("reply")
    assert (row["state"], leftovers(stage.hub.store, "acme is down")) == ("approval", ["deliveries.fields"])
    refuse(stage.hub, HUB, [row["id"]], note="the post is gone")
    assert leftovers(stage.hub.store, "acme is down") == []


def test_a_row_of_its_own_is_wrong_and_the_others_are_handled(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.hub.store.inbox.add([RawItem("desk", "desk", b"no json", stage.clock(), "broken")], form="event")
    stage.change("reply", text="hello", part_id="c1")
    process(stage.hub)
    stage.run()
    assert len(stage.talk.posted) == 1
    assert len(stage.hub.store.inbox.failed()) == 1


def test_an_answer_that_quotes_what_is_erased_is_kept_without_it(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.answer("> acme is down\nno, it is up")
    stage.answer("never mind")
    erase(stage.hub, [Tombstone(signal_key("lines", "1"), "erasure", stage.clock())])
    texts = [stage.hub.store.outbox.get(row["id"])["fields"]["text"] for row in stage.rows("reply")]  # type: ignore[index]  # both are there
    assert texts == ["(removed)", "never mind"]
