"""A reply whose source was switched off is told, waits, and is lost by nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hub.core.errors import Uncertain
from hub.core.model import RemoteRef
from hub.flow.monitor.alerts import judge
from hub.flow.monitor.snapshot import look
from hub.flow.sweep import sweep
from hub.sdk.connectors import Lookup
from tests.hub.flow.desk import POST, Stage, raising

NewStage = Callable[..., Stage]


def switch(stage: Stage, *, enabled: bool = True, there: bool = True, reply: str = "send") -> None:
    section = stage.hub.settings.sources["talk"].model_copy(update={"enabled": enabled, "reply": reply})
    sources = {"talk": section} if there else {}
    stage.hub.settings = stage.hub.settings.model_copy(update={"sources": sources})


WAYS_OFF: list[tuple[dict[str, Any], str]] = [
    ({"enabled": False}, "the source 'talk' is switched off"),
    ({"there": False}, "the source 'talk' is not configured any more"),
    ({"reply": "off"}, "replies through 'talk' are switched off"),
]


def with_a_stranded_reply(stage: Stage, **how: Any) -> Stage:
    stage.say(POST)
    stage.change("reply", text="hello", part_id="c1", actor="Kim")
    switch(stage, **how)
    sweep(stage.hub)
    stage.run()
    return stage


@pytest.mark.parametrize(("how", "reason"), WAYS_OFF)
def test_a_reply_whose_source_is_off_is_told_on_the_ticket_and_waits(
    new_stage: NewStage, how: dict[str, Any], reason: str
) -> None:
    stage = with_a_stranded_reply(new_stage(), **how)
    (row,) = stage.rows("reply")
    page = f"{stage.hub.settings.public_url}/deliveries/{row['id']}"
    assert (row["state"], row["error"]["message"], stage.talk.posted) == ("blocked", reason, [])
    assert stage.notes() == [f"Not posted on Lines yet: {reason}. It waits in the hub: {page}"]


def test_a_stranded_reply_is_told_once(new_stage: NewStage) -> None:
    stage = with_a_stranded_reply(new_stage(), enabled=False)
    for _ in range(3):
        sweep(stage.hub)
        stage.run()
    assert len(stage.notes()) == len(stage.rows("note")) == 1


@pytest.mark.parametrize("how", [how for how, _ in WAYS_OFF])
def test_a_stranded_reply_is_an_alert_with_its_reason(new_stage: NewStage, how: dict[str, Any]) -> None:
    stage = with_a_stranded_reply(new_stage(), **how)
    found = judge(look(stage.hub, arrivals_known=False), stage.hub.settings.alerts)
    reason = stage.rows("reply")[0]["error"]["message"]
    assert [(one.key, one.text) for one in found] == [
        ("blocked:sources/talk", f"sources/talk is blocked, 1 delivery waits: {reason}")
    ]


def test_a_stranded_reply_is_posted_once_its_source_is_on_again(new_stage: NewStage) -> None:
    stage = with_a_stranded_reply(new_stage(), enabled=False)
    switch(stage)
    stage.bell.rung.clear()
    sweep(stage.hub)
    assert ("deliver", "sources/talk") in stage.bell.rung
    stage.run()
    assert [one.text for one in stage.talk.posted] == ["hello"]
    assert stage.notes()[1:] == ["Posted on Lines: https://talk.example/post-1"]
    assert judge(look(stage.hub, arrivals_known=False), stage.hub.settings.alerts) == []


def test_a_stranded_reply_that_may_have_been_posted_stays_in_doubt(new_stage: NewStage) -> None:
    stage = new_stage(idempotency=Lookup(timedelta(seconds=10)))
    stage.say(POST)
    stage.talk.says = raising(Uncertain())
    stage.answer("hello")
    switch(stage, enabled=False)
    stage.clock.pass_(seconds=11)
    sweep(stage.hub)
    stage.run()
    assert stage.rows("reply")[0]["state"] == "uncertain"
    (note,) = stage.notes()
    assert note.startswith("In doubt for now: it may have been posted on Lines (the source 'talk' is switched off).")
    stage.talk.there[stage.talk.posted[0].key] = RemoteRef("post-9", "https://talk.example/post-9")
    switch(stage)
    stage.run()
    assert (len(stage.talk.posted), stage.notes()[1:]) == (1, ["Posted on Lines: https://talk.example/post-9"])
