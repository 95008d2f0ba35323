"""Replies: what may be answered, which post an answer goes to, and our own posts when they come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from hub.core.model import Signal
from hub.core.replies import Ours, choose_answered, is_same_text, may_reply
from hub.sdk.traits import ReplyRules

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POST = Signal("lines:a", "lines", "1", "post", "acme", None, NOON, NOON)
RULES = ReplyRules(max_length=10, window=timedelta(hours=24))


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


ANSWER = replace(POST, key="lines:b", native_id="2", text="@ana we look", author_key="lines:hub", in_reply_to="lines:a")
FLYING = Ours({"lines": frozenset({"9"})}, [{"signal": "lines:a", "text": "we look"}], {"lines:a": POST})


@pytest.mark.parametrize(
    ("signal", "origin"),
    [
        (replace(POST, native_id="9"), "hub"),
        (replace(POST, native_id="9", network="other"), "source"),
        (ANSWER, "hub"),
        (replace(ANSWER, in_reply_to=None, conversation_key="lines:a"), "hub"),
        (replace(ANSWER, text="we do not look"), "source"),
        (replace(ANSWER, in_reply_to="lines:c"), "source"),
        (replace(POST, text="we look", conversation_key="lines:a"), "source"),
    ],
)
def test_our_own_posts_are_known_when_they_come_back(signal: Signal, origin: str) -> None:
    assert FLYING.mark(signal).origin == origin


def test_who_was_answered_does_not_write_our_answer() -> None:
    asked = replace(POST, author_key="lines:ana")
    flying = doubtful_answer_to(asked)
    assert flying.mark(replace(ANSWER, author_key="lines:ana")).origin == "source"
    assert flying.mark(ANSWER).origin == "hub"


def doubtful_answer_to(asked: Signal) -> Ours:
    """The same doubt about an answer to another post."""
    return Ours(FLYING.posted, FLYING.flying, {"lines:a": asked})
