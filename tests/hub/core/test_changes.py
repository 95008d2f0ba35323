"""Changes at destinations: what each means for the hub."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.core.changes import (
    ChangeEffect,
    Directions,
    Gone,
    Merged,
    Nothing,
    PublicAnswer,
    Update,
    echo_of,
    read_change,
)
from hub.core.model import Change

ALL = Directions({"Solved": "closed", "new": "open", "on hold": "pending"}, assignee=True, tags=True)


def told(kind: Any, value: Any = None, text: str = "") -> Change:
    return Change(kind, "ticket", "7", "e1", value=value, text=text)


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        (told("reply", text=" hello\r\n"), PublicAnswer("hello")),
        (told("reply", text="a\x00b\u202ec"), PublicAnswer("abc")),
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
def test_a_change_has_its_effect(change: Change, effect: ChangeEffect) -> None:
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
