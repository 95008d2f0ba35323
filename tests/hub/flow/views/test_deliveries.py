"""Deliveries as they are looked at: what may be done about one depends on who looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.core.access import Actor, Role
from hub.core.errors import Rejected
from hub.flow.views.deliveries import one
from tests.hub.flow.desk import POST, Stage
from tests.hubs import Made


@pytest.mark.parametrize(("role", "can"), [("manager", True), ("agent", False), ("viewer", False)])
def test_a_dead_letter_is_for_managers(new_hub: Callable[..., Made], role: Role, can: bool) -> None:
    made = new_hub()
    made.memo.raises = Rejected("no")
    made.say({"id": "1", "text": "acme"})
    made.run()
    found = one(made.hub, Actor("kim", "console", role), 1)
    assert found is not None
    assert (found["state"], found["may_retry"], found["may_discard"]) == ("dead", can, can)


@pytest.mark.parametrize(("role", "can"), [("manager", True), ("agent", True), ("viewer", False)])
def test_a_reply_that_waits_is_for_agents_too(new_stage: Callable[..., Stage], role: Role, can: bool) -> None:
    stage = new_stage(reply="approve")
    stage.say(POST)
    stage.change("reply", text="hello", part_id="c1", actor="Kim")
    found = one(stage.hub, Actor("kim", "console", role), stage.rows("reply")[0]["id"])
    assert found is not None
    assert (found["state"], found["may_retry"], found["may_discard"]) == ("approval", can, can)
