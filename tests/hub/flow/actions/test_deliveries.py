"""What is said in the audit log of deliveries that are retried, discarded, approved and refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.core.access import HUB, Actor, NotAllowed
from hub.flow.actions import deliveries, replies
from hub.flow.actions.deliveries import Letters
from hub.runtime import Hub
from tests.hub.flow.actions.scenes import with_dead, with_reply
from tests.hub.flow.desk import Stage
from tests.hubs import Made

NewHub = Callable[..., Made]
NewStage = Callable[..., Stage]


def last(hub: Hub) -> tuple[str, str, Any]:
    entry = hub.store.audit.recent()[0]
    return entry["action"], entry["subject"], entry["detail"]


def state(hub: Hub, number: int) -> str:
    row = hub.store.outbox.get(number)
    assert row is not None
    return str(row["state"])


def test_a_retry_tells_what_was_asked_for_and_whose_pause_it_ended(new_hub: NewHub) -> None:
    made = with_dead(new_hub)
    assert deliveries.retry(made.hub, HUB, Letters(state="dead")) == 1
    assert last(made.hub) == ("retry", "memo", {"state": "dead", "count": 1, "resumed": ["memo"]})
    assert ("deliver", "memo") in made.bell.rung


def test_deliveries_that_were_named_stand_in_the_entry(new_hub: NewHub) -> None:
    made = with_dead(new_hub)
    deliveries.discard(made.hub, HUB, Letters(), ids=[1, 99], note="a test")
    assert last(made.hub) == ("discard", "memo", {"count": 1, "ids": [1], "note": "a test"})


def test_a_reply_that_is_retried_is_approved(new_stage: NewStage) -> None:
    hub, number = with_reply(new_stage)
    assert deliveries.retry(hub, HUB, Letters(), ids=[number]) == 1
    assert (last(hub)[:2], state(hub, number)) == (("approve", "sources/talk"), "pending")


def test_a_reply_that_is_discarded_is_refused(new_stage: NewStage) -> None:
    hub, number = with_reply(new_stage)
    assert deliveries.discard(hub, HUB, Letters(), ids=[number], note="too rude") == 1
    assert (last(hub)[:2], state(hub, number)) == (("refuse", "sources/talk"), "discarded")


def test_all_that_failed_means_no_reply_that_waits(new_stage: NewStage) -> None:
    hub, number = with_reply(new_stage)
    assert deliveries.retry(hub, HUB, Letters()) == 0
    assert state(hub, number) == "approval"


@pytest.mark.parametrize("role", ["agent", "manager", "admin"])
def test_a_reply_is_approved_by_those_whom_the_table_names(new_stage: NewStage, role: Any) -> None:
    hub, number = with_reply(new_stage)
    kim = Actor("kim", "console", role)
    assert replies.approve(hub, kim, [number]) == 1
    assert (last(hub), hub.store.audit.recent()[0]["actor"]) == (
        ("approve", "sources/talk", {"ids": [number], "count": 1}),
        "kim",
    )


def test_a_rep_may_not_let_out_what_it_wrote(new_stage: NewStage) -> None:
    hub, number = with_reply(new_stage)
    with pytest.raises(NotAllowed, match="agent, manager, admin"):
        replies.approve(hub, Actor("vi", "console", "rep"), [number])


def test_one_number_that_does_not_wait_stops_all_and_is_named(new_stage: NewStage) -> None:
    hub, number = with_reply(new_stage)
    with pytest.raises(replies.NotWaiting, match=r"99: no reply with this number waits .* --state approval"):
        replies.refuse(hub, HUB, [number, 99], note="too rude")
    assert state(hub, number) == "approval"
