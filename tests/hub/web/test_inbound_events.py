"""The inbound door for destinations: verified over raw bytes, stored once by the vendor's id, thanked in its own words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.sdk.connectors import Request, WebhookSource
from hub.store import Store, StoreUnavailable
from hub.web.inbound import InboundDoor
from tests.hub.flow.desk import Stage, make_stage

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def stage(sqlite_store: Store, tmp_path: Path) -> Any:
    made = make_stage(sqlite_store, tmp_path)
    yield made
    made.hub.close()


def knock(stage: Stage, body: bytes, headers: Mapping[str, str] | None = None, name: str = "desk") -> Answer:
    """One request at the door."""
    scope: dict[str, Any] = {"path": f"/in/{name}", "method": "POST", "query_string": b""}
    given = {"x-key": "right", "x-event": "e1"} if headers is None else headers
    scope["headers"] = [(key.encode(), value.encode()) for key, value in given.items()]
    return asyncio.run(_knock(InboundDoor(stage.hub), scope, body))


async def _knock(door: InboundDoor, scope: dict[str, Any], body: bytes) -> Answer:
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        said.append(message)

    door.writer.open()
    await door(scope, receive, send)
    door.writer.close()
    return said[0]["status"], {key.decode(): value.decode() for key, value in said[0]["headers"]}, said[1]["body"]


def test_an_event_is_stored_and_thanked_for_in_the_vendors_words(stage: Stage) -> None:
    status, headers, body = knock(stage, b"[]")
    assert (status, headers["content-type"], body) == (200, "text/xml", b"<ok/>")
    assert stage.hub.store.inbox.counts() == {"new": 1}
    assert stage.bell.rung == [("process", "")]


def test_the_same_event_is_stored_once_whatever_its_body_says_the_second_time(stage: Stage) -> None:
    assert [knock(stage, body)[0] for body in (b"[]", b"[ ]")] == [200, 200]
    assert stage.hub.store.inbox.counts() == {"new": 1}


def test_without_an_id_of_the_vendor_the_body_tells_events_apart(stage: Stage) -> None:
    for body in (b"[]", b"[ ]", b"[]"):
        knock(stage, body, {"x-key": "right"})
    assert stage.hub.store.inbox.counts() == {"new": 2}


def test_what_is_not_genuine_is_refused_and_not_stored(stage: Stage) -> None:
    assert knock(stage, b"[]", {"x-key": "wrong"})[0] == 401
    assert stage.hub.store.inbox.counts() == {}


def test_a_body_that_is_no_event_is_taken_and_shown_as_failed(stage: Stage) -> None:
    from hub.flow.decide.batch import process

    assert knock(stage, b"no json")[0] == 200
    process(stage.hub)
    (failed,) = stage.hub.store.inbox.failed()
    assert (failed["connection"], failed["state"]) == ("desk", "failed")


def test_a_destination_that_does_not_call_has_no_door(stage: Stage) -> None:
    stage.desk.capabilities = frozenset({"note"})
    assert knock(stage, b"[]")[0] == 404


def test_a_webhook_source_of_the_same_name_comes_first(stage: Stage) -> None:
    class Shop(WebhookSource[Any]):
        name = "talk"

        def verify(self, request: Request) -> bool:
            return False

        def translate(self, raw: Any) -> Any:
            return None

        def parse(self, body: bytes) -> Any:
            return ()

    settings = stage.hub.settings
    same = {"desk": settings.sources["talk"]}
    stage.hub.settings = settings.model_copy(update={"sources": same})
    stage.hub._made[("sources", "desk")] = Shop(None)
    assert knock(stage, b"[]")[0] == 401


def test_where_the_disk_takes_nothing_the_vendor_comes_again(stage: Stage) -> None:
    class Full:
        def add(self, items: Any, **_: Any) -> int:
            raise StoreUnavailable("full")

    store, stage.hub.store.inbox = stage.hub.store.inbox, Full()  # type: ignore[assignment]  # a fake
    answer = knock(stage, b"[]")
    stage.hub.store.inbox = store
    assert answer[0] == 503
