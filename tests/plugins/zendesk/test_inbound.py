"""What Zendesk tells us: golden signatures, agents' words and the author's own, our echo, bodies of any shape."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import Request, TranslationError
from plugins.zendesk import inbound
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination
from tests.material import ROOT
from tests.plugins.zendesk import told

STAMP = "2026-11-22T10:00:00Z"
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
BODY = base64.b64decode("eyJpZCI6IjEiLCJ0ZXh0IjoiY2Fmw6kg8J+YgCJ9")
GOLDEN = "YqE1uapjoiTo1Kg30yByKgBS4535/oLlgbqdmQgVNPM="
EMPTY = "3Ydscr0mEvGUCgRDD8oPjnNqX9wmQUkG3fMxMbavEGg="


def golden(body: bytes = BODY, signature: str = GOLDEN, stamp: str = STAMP, at: datetime = AT) -> Request:
    headers = {inbound.SIGNATURE: signature, inbound.STAMP: stamp}
    return Request("POST", "https://hub.example/in/helpdesk", headers, body, at)


@pytest.mark.parametrize(("body", "signature"), [(BODY, GOLDEN), (b"", EMPTY)], ids=["café 😀", "empty"])
def test_the_golden_signatures_are_right(body: bytes, signature: str) -> None:
    assert inbound.is_genuine(golden(body, signature), "test_secret")


@pytest.mark.parametrize(
    "request_",
    [
        golden(json.dumps(json.loads(BODY)).encode()),
        golden(json.dumps(json.loads(BODY), ensure_ascii=False).encode()),
        golden(stamp="2026-11-22T10:00:00.000Z"),
        golden(stamp="2026-11-22T10:00:00+00:00"),
        golden(signature=EMPTY),
        golden(signature=GOLDEN.lower()),
        golden(signature=""),
        golden(signature="é"),
    ],
    ids=["escaped", "spaced", "milliseconds", "offset", "another's", "lower case", "none", "no ASCII"],
)
def test_what_was_written_anew_is_another_message(request_: Request) -> None:
    assert not inbound.is_genuine(request_, "test_secret")


@pytest.mark.parametrize(("seconds", "good"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_signature_holds_for_five_minutes_either_way(seconds: int, good: bool) -> None:
    assert inbound.is_genuine(golden(at=AT + timedelta(seconds=seconds)), "test_secret") is good


@pytest.mark.parametrize("stamp", ["", "yesterday", "99999999999999999999", "2026-13-45T99:99:99Z"])
def test_a_signed_timestamp_that_is_no_time_is_refused(stamp: str) -> None:
    assert not inbound.is_genuine(told.sign(b"{}", AT, stamp=stamp or " "), told.SECRET)


@given(st.binary(max_size=40), st.text(max_size=20), st.text(max_size=60))
def test_no_header_or_body_breaks_the_check(body: bytes, stamp: str, signature: str) -> None:
    assert not inbound.is_genuine(golden(body, signature, stamp), "test_secret")


def test_the_invocation_is_the_events_id_so_that_a_retry_is_stored_once() -> None:
    request = told.sign(b"{}")
    desk = ZendeskDestination(ZendeskOptions(subdomain="acme", token="t"))
    assert desk.event_id(request) == ""
    assert desk.event_id(replace(request, headers={inbound.INVOCATION: "01ABC"})) == "01ABC"


@pytest.mark.parametrize("public", [False, None, "false", 1, "true", {}], ids=repr)
def test_only_what_is_said_to_be_public_is_a_reply(public: Any) -> None:
    (change,) = inbound.read(told.comment("nobody outside may read this", public=public))
    assert change.kind == "note"


@pytest.mark.parametrize("public", ["false", "", None, "maybe"], ids=repr)
def test_a_triggers_comment_without_its_word_is_a_note(public: Any) -> None:
    (change,) = inbound.read(told.trigger(hubbub="comment", comment={"text": "hush", "public": public}))
    assert change.kind == "note"


@pytest.mark.parametrize("missing", ["actor_id", "requester_id"])
def test_a_triggers_comment_of_nobody_knows_whom_is_a_note(missing: str) -> None:
    body = told.trigger(hubbub="comment", comment={"text": "it broke", "public": "true"}, **{missing: ""})
    assert [change.kind for change in inbound.read(body)] == ["note"]


@pytest.mark.parametrize("staff", [False, None, "true"], ids=repr)
def test_an_end_users_words_are_no_change(staff: Any) -> None:
    assert inbound.read(told.comment("it broke", public=True, staff=staff)) == ()


def test_what_we_did_ourselves_carries_our_id() -> None:
    for body in (
        told.comment("Posted on Mastodon", public=False, author=told.US, actor_id=told.US),
        told.event("status_changed", {"current": "OPEN"}, actor_id=told.US),
    ):
        (change,) = inbound.read(body)
        assert change.actor_id == told.US


def test_a_comment_tells_who_when_and_which() -> None:
    (change,) = inbound.read(told.comment(" Hello\r\nyou ", public=True))
    assert (change.remote_id, change.part_id, change.actor, change.actor_id) == ("35436", "9001", "Bea Berg", told.BEA)
    assert (change.text, change.at, change.object) == ("Hello\nyou", AT, "ticket")


def test_an_event_without_an_id_has_one_of_its_own_words() -> None:
    bare = {key: value for key, value in json.loads(told.comment("a", public=True)).items() if key != "id"}
    other = {**bare, "time": "2026-11-22T10:00:01Z"}
    one, again, another = (inbound.read(json.dumps(body).encode())[0].event_id for body in (bare, bare, other))
    assert one == again != another


def test_tags_written_as_words_are_a_list() -> None:
    (change,) = inbound.read(told.event("tags_changed", {}, tags="hubbub vip"))
    assert change.value == ["hubbub", "vip"]


def test_without_the_whole_list_tags_say_nothing() -> None:
    assert inbound.read(told.event("tags_changed", {"tags_added": ["vip"]}, tags=None)) == ()


@pytest.mark.parametrize("body", [b"[]", b"x", b"\xff", b"{}", b'{"type": 7}', told.event("merged", {}, id="1/2")])
def test_a_body_that_names_nothing_is_broken(body: bytes) -> None:
    with pytest.raises(TranslationError):
        inbound.read(body)


def test_the_readme_names_the_events_that_are_read() -> None:
    text = (ROOT / "plugins/zendesk/README.md").read_text("utf-8")
    assert [name for name in inbound.EVENTS if f"`{name.removeprefix('zen:event-type:')}`" not in text] == []
