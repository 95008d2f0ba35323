"""An agent reads all that became of an answer, also if an earlier note is being sent each time that the next is planned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hub.core.access import HUB
from hub.core.errors import Overtaken
from hub.core.ledger import ForbiddenTransition
from hub.core.model import RemoteRef
from hub.flow.actions.deliveries import Letters, discard
from hub.flow.actions.replies import approve, refuse
from hub.flow.deliver.send import deliver
from hub.flow.sweep import sweep
from hub.sdk.connectors import Lookup
from hub.store import Connection
from hub.store.ledger.outbox import Outbox, RowTarget
from tests.hub.flow.contended import EACH_TIME, contend
from tests.hub.flow.converse.test_stranded import switch
from tests.hub.flow.desk import POST, Stage

NewStage = Callable[..., Stage]


class Outrun(Outbox):
    """A ledger whose rows were read, so many times, a moment before a sender leased them."""

    left = 0

    def _latest(self, conn: Connection, record_keys: set[str]) -> dict[RowTarget, Any]:
        found = super()._latest(conn, record_keys)
        leased = {target: row for target, row in found.items() if row.state == "leased"}
        if not leased or not self.left:
            return found
        self.left -= 1
        before = {"state": "pending", "attempts": 0}
        return found | {target: SimpleNamespace(**{**row._mapping, **before}) for target, row in leased.items()}


def outrun(stage: Stage, times: int) -> Outrun:
    """The note that waits is being sent, and so many plans overlook that."""
    claim = stage.hub.store.deliveries.claim("desk", size=lambda *_: 10, now=stage.clock())
    assert claim is not None
    assert claim.operation == "note"
    stage.hub.store.outbox = ledger = Outrun(stage.hub.store.database)
    ledger.left = times
    return ledger


def answered(stage: Stage) -> int:
    """An agent answers, and the answer has got as far as it gets by itself; returns the reply's row."""
    stage.say(POST)
    stage.change("reply", text="hello", part_id="c1", actor="Kim")
    return int(stage.rows("reply")[0]["id"])


def outrun_answer(new_stage: NewStage, times: int, *, reply: str = "approve") -> tuple[Stage, int]:
    """An answer whose note others plan as often; returns the stage with the reply's row."""
    stage = new_stage(reply=reply)
    row = answered(stage)
    outrun(stage, times)
    return stage, row


def refused(new_stage: NewStage, times: int) -> Stage:
    stage, reply = outrun_answer(new_stage, times)
    refuse(stage.hub, HUB, [reply], note="not worth it")
    return stage


def discarded(new_stage: NewStage, times: int) -> Stage:
    stage, reply = outrun_answer(new_stage, times, reply="off")
    discard(stage.hub, HUB, Letters(), ids=[reply], note="not worth it")
    return stage


def stranded(new_stage: NewStage, times: int) -> Stage:
    stage, reply = outrun_answer(new_stage, times)
    approve(stage.hub, HUB, [reply])
    switch(stage, enabled=False)
    sweep(stage.hub)
    return stage


def posted(new_stage: NewStage, times: int) -> Stage:
    stage, reply = outrun_answer(new_stage, times)
    approve(stage.hub, HUB, [reply])
    deliver(stage.hub, "sources/talk")
    return stage


WAYS = [
    (refused, "Not posted on Lines, refused in the hub: not worth it"),
    (discarded, "Not posted on Lines, refused in the hub: not worth it"),
    (stranded, "Not posted on Lines yet: the source 'talk' is switched off."),
    (posted, "Posted on Lines: https://talk.example/post-1"),
]


def told(stage: Stage) -> list[str]:
    """What the notes of the ledger say, oldest first."""
    rows = [stage.hub.store.outbox.get(row["id"]) for row in stage.rows("note")]
    return [str(row["fields"]["text"]) for row in rows if row]


@pytest.mark.parametrize("times", [0, 1, 3])
@pytest.mark.parametrize(("way", "text"), WAYS)
def test_a_note_comes_after_one_that_is_being_sent(
    new_stage: NewStage, way: Callable[[NewStage, int], Stage], text: str, times: int
) -> None:
    stage = way(new_stage, times)
    assert [row["state"] for row in stage.rows("note")] == ["leased", "pending"]
    assert told(stage)[1].startswith(text)


# ------------------------------------------------------------------------------------------------- overtaken each time


def test_a_refusal_that_could_not_be_told_is_none(new_stage: NewStage) -> None:
    stage = new_stage(reply="approve")
    reply = answered(stage)
    outrun(stage, EACH_TIME)
    with pytest.raises(Overtaken, match="try again in a moment"):
        refuse(stage.hub, HUB, [reply], note="not worth it")
    assert stage.rows("reply")[0]["state"] == "approval"
    assert stage.hub.store.audit.recent(action="refuse") == []


def test_a_posted_reply_whose_note_could_not_be_planned_is_in_doubt_and_told_later(new_stage: NewStage) -> None:
    stage = new_stage(reply="approve", idempotency=Lookup(timedelta(seconds=10)))
    reply = answered(stage)
    ledger = outrun(stage, EACH_TIME)
    approve(stage.hub, HUB, [reply])
    with pytest.raises(Overtaken):
        deliver(stage.hub, "sources/talk")
    assert stage.rows("reply")[0]["state"] == "leased"
    ledger.left = 0
    (sent,) = stage.talk.posted
    stage.talk.there[sent.key] = RemoteRef("post-1", "https://talk.example/post-1")
    stage.clock.pass_(seconds=31)
    sweep(stage.hub)
    stage.run()
    assert (len(stage.talk.posted), stage.notes()[-1]) == (1, "Posted on Lines: https://talk.example/post-1")


def test_an_answer_that_the_hub_itself_stumbles_over_is_not_half_written(new_stage: NewStage) -> None:
    stage = new_stage(reply="approve")
    stage.say(POST)
    contend(stage.hub.store, EACH_TIME, only="note").error = ForbiddenTransition
    stage.change("reply", text="hello", part_id="c1", actor="Kim")
    assert (stage.rows("reply"), [state for state, _ in stage.heard()]) == ([], ["failed"])


def test_an_answer_whose_note_could_not_be_planned_is_handled_again_and_has_lost_nothing(new_stage: NewStage) -> None:
    stage = new_stage(reply="approve")
    stage.say(POST)
    ledger = contend(stage.hub.store, EACH_TIME, only="note")
    with pytest.raises(Overtaken):
        stage.change("reply", text="hello", part_id="c1", actor="Kim")
    assert (ledger.conflicts, stage.rows("reply"), [state for state, _ in stage.heard()]) == (5, [], ["new"])
    ledger.left = 0
    stage.run()
    assert [row["state"] for row in stage.rows("reply")] == ["approval"]
    assert stage.notes()[0].startswith("Not posted on Lines yet. Waits for approval in the hub")
