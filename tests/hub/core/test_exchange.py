"""What passes between the hub and people: what changes mean, what may be answered, what agents read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.core.changes import (
    Answer,
    Directions,
    Effect,
    Gone,
    Merged,
    Nothing,
    Update,
    echo_of,
    read_change,
)
from hub.core.erasure import is_of_people, is_quoting, quoting
from hub.core.model import Change, Signal
from hub.core.notes import network_name, reply_note
from hub.core.replies import choose_answered, is_same_text, may_reply
from hub.sdk.traits import ReplyRules

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALL = Directions({"Solved": "closed", "new": "open", "on hold": "pending"}, assignee=True, tags=True)
POST = Signal("lines:a", "lines", "1", "post", "acme", None, NOON, NOON)
RULES = ReplyRules(max_length=10, window=timedelta(hours=24))


def told(kind: Any, value: Any = None, text: str = "") -> Change:
    return Change(kind, "ticket", "7", "e1", value=value, text=text)


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        (told("reply", text=" hello\r\n"), Answer("hello")),
        (told("reply", text="a\x00b\u202ec"), Answer("abc")),
        (told("reply", text="  "), Nothing("the reply has no text")),
        (told("note", text="psst"), Nothing("a private note stays there")),
        (told("status", "SOLVED"), Update("state", "closed")),
        (told("status", "On Hold"), Update("state", "pending")),
        (told("status", "weird"), Nothing("no direction is set for the status 'weird'")),
        (told("status", {"id": 1}), Nothing("no direction is set for the status ''")),
        (told("assignee", "kim"), Update("assignee", "kim")),
        (told("assignee", 12), Update("assignee", "12")),
        (told("assignee", ""), Update("assignee", None)),
        (told("tags", ["b", "a", "b", None, 3]), Update("tags", ["b", "a", "3"])),
        (told("tags", "a b"), Nothing("its tags are no list")),
        (told("merged", 9), Merged("9")),
        (told("merged", "7"), Nothing("it names no winner")),
        (told("deleted"), Gone()),
        (told("field", {"a": 1}), Nothing("no direction is set for fields")),
    ],
)
def test_a_change_has_its_effect(change: Change, effect: Effect) -> None:
    assert read_change(change, ALL) == effect


@pytest.mark.parametrize("kind", ["status", "assignee", "tags"])
def test_without_directions_nothing_flows_back(kind: str) -> None:
    assert isinstance(read_change(told(kind, "solved"), Directions()), Nothing)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KINDS = st.sampled_from(["reply", "note", "status", "assignee", "tags", "merged", "deleted", "field"])


@given(KINDS, VALUES, st.text())
def test_no_value_makes_reading_a_change_fail(kind: str, value: Any, text: str) -> None:
    assert read_change(told(kind, value, text), ALL) is not None


@pytest.mark.parametrize(
    ("change", "self_id", "known", "is_echo"),
    [
        (replace(told("reply"), ours=True), "", False, True),
        (replace(told("reply"), actor_id="u1"), "u1", False, True),
        (replace(told("reply"), actor_id="u2"), "u1", False, False),
        (told("reply"), "", False, False),
        (told("reply"), "u1", True, True),
    ],
)
def test_the_hubs_own_doing_is_known(change: Change, self_id: str, *, known: bool, is_echo: bool) -> None:
    assert bool(echo_of(change, self_id=self_id, is_known_part=known)) is is_echo


@pytest.mark.parametrize(
    ("signal", "after", "length", "reason"),
    [
        (POST, 1, 10, None),
        (POST, 1, 11, "too long: 11 of 10 that the network allows"),
        (POST, 1, 0, "there is no text"),
        (POST, 24, 5, None),
        (POST, 25, 5, "too late: the network takes answers for 24 hours after a post"),
        (replace(POST, can_reply="no"), 1, 5, "its author takes no replies"),
        (replace(POST, can_reply="yes"), 1, 5, None),
        (replace(POST, state="deleted"), 1, 5, "the post is deleted"),
        (replace(POST, state="edited"), 1, 5, None),
        (replace(POST, visibility="internal"), 1, 5, "it is internal and not on a network"),
        (replace(POST, visibility="direct"), 1, 5, None),
        (replace(POST, origin="hub"), 1, 5, "the hub wrote it"),
    ],
)
def test_what_may_be_answered(signal: Signal, after: int, length: int, reason: str | None) -> None:
    assert may_reply(signal, RULES, now=NOON + timedelta(hours=after), length=length) == reason


def test_a_network_without_rules_takes_no_answers() -> None:
    assert may_reply(POST, None, now=NOON, length=1) == "this source cannot answer"


LATER = replace(POST, key="lines:b", published_at=NOON + timedelta(hours=1))


@pytest.mark.parametrize(
    ("signals", "chosen"),
    [
        ([POST, LATER], LATER),
        ([LATER, POST], LATER),
        ([POST, replace(LATER, origin="hub")], POST),
        ([POST, replace(LATER, can_reply="no")], POST),
        ([replace(LATER, state="deleted")], replace(LATER, state="deleted")),
        ([replace(LATER, origin="hub")], None),
        ([], None),
    ],
)
def test_the_latest_that_can_be_answered_is_answered(signals: list[Signal], chosen: Signal | None) -> None:
    assert choose_answered(signals) == chosen


@pytest.mark.parametrize(
    ("sent", "came", "same"),
    [
        ("hi you", "@ana@host hi  you", True),
        ("hi", "hi there", False),
        ("", "anything", False),
        ("a b", "a\nb", True),
        ("Thanks!", "OK, Thanks!", False),
        ("@ana, hi", "@ana@host hi", True),
        ("@ana", "@ana", False),
    ],
)
def test_a_text_that_came_back_is_known(sent: str, came: str, *, same: bool) -> None:
    assert is_same_text(sent, came) is same


PAGE = "http://hub/deliveries/3"


@pytest.mark.parametrize(
    ("state", "error", "post", "text"),
    [
        ("delivered", None, "https://m.example/1", "Posted on Mastodon: https://m.example/1"),
        ("delivered", None, None, "Posted on Mastodon."),
        ("dead", {"message": "too long"}, None, "Not posted on Mastodon: too long"),
        ("discarded", {"note": "rude"}, None, "Not posted on Mastodon, refused in the hub: rude"),
        (
            "approval",
            {"message": "waits for approval"},
            None,
            f"Not posted on Mastodon yet. Waits for approval in the hub: {PAGE}",
        ),
        ("retry", {"message": "down"}, None, ""),
        ("dead", None, None, "Not posted on Mastodon: no reason was given"),
    ],
)
def test_agents_read_what_became_of_a_reply(state: str, error: Any, post: str | None, text: str) -> None:
    assert reply_note("mastodon", state=state, error=error, links=(post, PAGE)) == text


def test_networks_are_written_as_people_write_them() -> None:
    assert [network_name(one) for one in ("bluesky", "youtube", "app_store", "rss")] == [
        "Bluesky",
        "YouTube",
        "the App Store",
        "the feed",
    ]


# ----------------------------------------------------------------------------------------------------------- what is gone


def test_a_link_goes_as_a_whole_and_others_that_begin_alike_stay() -> None:
    fields = {"Last": "https://m.example/1", "Other": "https://m.example/12", "At": {"Last": "2026-01-02T03:04:05Z"}}
    traces = frozenset({"https://m.example/1", "2026-01-02T03:04:05Z"})
    assert quoting(fields, (), traces=traces) == {"Last": "", "At": {"Last": ""}}


WORDS = ('acme lost "my" heirloom', "ok")
PAGE_OF_IT = "https://x.example/post/1"


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        (rb'{"text": "see: acme lost \"my\" heirloom!"}', True),
        (rb'[{"value": "acme lost \u0022my\u0022 heir"}, {', True),
        (rb'{"value": "lost \"my\" heirloo"}', True),
        (b"<d>acme lost &quot;my&quot;\n heirloom</d>", True),
        (b'acme lost "my" heirloom', True),
        (b'{"value": "ok"}', True),
        (b"<v> ok </v>", True),
        (b'{"ok": "okay", "note": "is it ok so"}', False),
        (b'{"text": "acme found my heirloom"}', False),
        (b'{"link": "https://x.example/post/1"}', True),
        (rb'{"link": "https:\/\/x.example\/post\/1?a=b"}', True),
        (b'{"link": "https://x.example/post/12"}', False),
        (b"see lines:abc", True),
        (rb'"\ud83d \udc00 \x', False),
        (b"\xff\xfe\x00", False),
        (b"", False),
    ],
)
def test_a_call_that_nobody_could_read_is_known_to_quote_a_post(body: bytes, *, holds: bool) -> None:
    assert is_quoting(body, WORDS, {PAGE_OF_IT, "lines:abc"}) is holds


@pytest.mark.parametrize("part", [b'"', b"\\", b'"\\', b"<", b">", b'" ', b"&#"])
def test_a_hostile_call_is_looked_through_in_no_time(part: bytes) -> None:
    began = process_time()
    is_quoting(part * 200_000, WORDS, {PAGE_OF_IT})
    assert process_time() - began < 5


@pytest.mark.parametrize(
    ("provides", "is_peoples"),
    [
        ("author:A:k", True),
        ("person:A:k", True),
        ("account:A:k", True),
        ("conversation:A:k", False),
        ("signal:A:k", False),
    ],
)
def test_records_of_people_are_known_by_what_they_provide(provides: str, is_peoples: bool) -> None:
    assert is_of_people(provides) is is_peoples
