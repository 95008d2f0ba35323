"""What people see of the way back: conversations, lanes of replies, and a configuration in which nothing can flow back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.config.settings import Settings
from hub.core.access import HUB
from hub.core.errors import Unauthorised
from hub.core.keys import signal_key
from hub.flow.actions.connections import check
from hub.flow.check import ways_back
from hub.flow.intake.changes import poll_changes
from hub.flow.sweep import prepare
from hub.flow.views import signals
from hub.flow.views.health import health
from hub.registry import Registry
from tests.hub.flow.desk import POST, Stage

NewStage = Callable[..., Stage]
KEY = signal_key("lines", "1")


def shown(stage: Stage) -> dict[str, Any]:
    found = signals.one(stage.hub, HUB, KEY)
    assert found is not None
    return found


def test_a_signal_is_shown_with_its_conversation_and_its_replies(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("status", value="solved", actor="Kim")
    stage.answer("we look into it")
    found = shown(stage)
    assert (found["conversation"]["state"], found["conversation"]["by"]) == ("closed", "desk: Kim")
    replies = [one["fields"]["text"] for one in found["deliveries"] if one["operation"] == "reply"]
    assert replies == ["we look into it"]


def test_a_conversation_that_nobody_has_touched_is_shown_as_unknown(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    assert shown(stage)["conversation"] == dict.fromkeys(("state", "assignee", "tags", "by", "updated_at")) | {
        "key": KEY
    }


def test_a_paused_lane_of_replies_is_told(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)

    def refuse(_: Any) -> None:
        raise Unauthorised("token expired")

    stage.talk.says = refuse
    stage.answer()
    assert [one["connection"] for one in health(stage.hub, HUB)["paused"]] == ["sources/talk"]


def test_a_destination_whose_changes_cannot_be_read_is_told(new_stage: NewStage) -> None:
    stage = new_stage()
    prepare(stage.hub)
    stage.desk.pages = [Unauthorised("token expired")]
    poll_changes(stage.hub, "destinations/desk")
    assert [one["source"] for one in health(stage.hub, HUB)["failing"]] == ["destinations/desk"]


def test_a_check_learns_anew_who_we_are_there(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.say(POST)
    stage.change("status", value="solved", actor_id="user-new")
    stage.desk.self_id = "user-new"
    assert all(tried.fine for tried in check(stage.hub, HUB))
    stage.change("status", value="solved", actor_id="user-new")
    assert [state for state, _ in stage.heard()] == ["done", "ignored"]


def problems(hub: Any, **changed: Any) -> list[str]:
    values = hub.settings.model_dump() | changed
    return [f"{one.path}: {one.message}" for one in ways_back(Settings.model_validate(values), hub.registry)]


@pytest.mark.parametrize(
    ("inbound", "found"),
    [({}, []), ({"tags": True}, ["destinations.crm.inbound: 'file' tells of no changes: nothing flows back"])],
)
def test_directions_that_nothing_follows_are_told(inbound: dict[str, Any], found: list[str]) -> None:
    sections = {"crm": {"plugin": "file", "inbound": inbound}}
    told = ways_back(Settings.model_validate({"destinations": sections}), FileRegistry([]))
    assert [f"{one.path}: {one.message}" for one in told] == found


class FileRegistry(Registry):
    """A registry with one destination that tells nothing."""

    def destination(self, name: str) -> Any:
        from tests.hubs import Memo

        return Memo


def test_two_connections_behind_one_door_are_told(new_stage: NewStage) -> None:
    from hub.sdk.connectors import WebhookSource

    stage = new_stage()
    assert problems(stage.hub) == []
    stage.hub.registry._loaded["talk"].sources["talk"] = type("Called", (WebhookSource,), {"name": "talk"})  # type: ignore[index]  # a dict
    told = problems(stage.hub, sources={"desk": {"plugin": "talk"}})
    assert told == ["destinations.desk: a webhook source has the same name: /in/desk is the source's"]
