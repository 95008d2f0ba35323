"""What a change at a destination means for the hub: pure, by the directions that the admin wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hub.core.model import Change, ConversationState
from hub.core.normalise import clean_text

LONGEST_WORD = 200
MOST_TAGS = 100


class Directions(msgspec.Struct, frozen=True):
    """What flows back from a destination: its words for a state in ours; whether assignees and tags do."""

    status: Mapping[str, ConversationState] = {}
    assignee: bool = False
    tags: bool = False


class PublicAnswer(msgspec.Struct, frozen=True):
    """The author is to be answered in public."""

    text: str


class Update(msgspec.Struct, frozen=True):
    """The conversation changes: `name` is state, assignee or tags."""

    name: str
    value: Any


class Merged(msgspec.Struct, frozen=True):
    """The record is one with another, whose id there is `winner`."""

    winner: str


class Gone(msgspec.Struct, frozen=True):
    """The record was deleted there."""


class Nothing(msgspec.Struct, frozen=True):
    """Nothing follows, and why."""

    reason: str


ChangeEffect = PublicAnswer | Update | Merged | Gone | Nothing


def echo_of(change: Change, *, self_id: str, is_known_part: bool) -> str:
    """Return why a change is the hub's own doing, "" if it is not."""
    if change.ours:
        return "our own doing: the vendor says so"
    if self_id and change.actor_id == self_id:
        return "our own doing: our user there"
    return "our own doing: we wrote this part" if is_known_part else ""


def is_reopening(effect: ChangeEffect) -> bool:
    """Return True if something is open again: that counts from any actor, since the hub's own comment reopens a ticket."""
    return effect == Update("state", "open")


def read_change(change: Change, directions: Directions) -> ChangeEffect:
    """Return what follows from a change that is no echo. Never raises: a value of the wrong shape means nothing."""
    reader = _READERS.get(change.kind)
    return reader(change, directions) if reader else Nothing("no direction is set for fields")


def reply_text(change: Change) -> str:
    """Return what an agent wants to say in public."""
    return clean_text(change.text).strip()


def _reply(change: Change, _: Directions) -> ChangeEffect:
    text = reply_text(change)
    return PublicAnswer(text) if text else Nothing("the reply has no text")


def _note(_change: Change, _: Directions) -> ChangeEffect:
    return Nothing("a private note stays there")


def _deleted(_change: Change, _: Directions) -> ChangeEffect:
    return Gone()


def _merged(change: Change, _: Directions) -> ChangeEffect:
    winner = _word(change.value)
    return Merged(winner) if winner and winner != change.remote_id else Nothing("it names no winner")


def _status(change: Change, directions: Directions) -> ChangeEffect:
    word = _word(change.value)
    table = {name.casefold(): state for name, state in directions.status.items()}
    state = table.get(word.casefold())
    return Update("state", state) if state else Nothing(f"no direction is set for the status '{word}'")


def _assignee(change: Change, directions: Directions) -> ChangeEffect:
    if not directions.assignee:
        return Nothing("no direction is set for assignees")
    return Update("assignee", _word(change.value) or None)


def _tags(change: Change, directions: Directions) -> ChangeEffect:
    if not directions.tags:
        return Nothing("no direction is set for tags")
    if not isinstance(change.value, list | tuple):
        return Nothing("its tags are no list")
    words = dict.fromkeys(_word(one) for one in change.value)
    return Update("tags", [word for word in words if word][:MOST_TAGS])


def _word(value: Any) -> str:
    """Return a short text or a number as text, "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return clean_text(str(value)).strip()[:LONGEST_WORD]


_READERS: Mapping[str, Callable[[Change, Directions], ChangeEffect]] = {
    "reply": _reply,
    "note": _note,
    "deleted": _deleted,
    "merged": _merged,
    "status": _status,
    "assignee": _assignee,
    "tags": _tags,
}
