"""What Zendesk tells us: the signature of its webhooks, and what their bodies say was done to a ticket. Pure.

A webhook is either subscribed to ticket events, whose bodies are Zendesk's (Zendesk docs, "Ticket events"), or connected to a
trigger, whose body the admin writes: the README gives the ones that are read here.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub.core.errors import TranslationError
from hub.core.keys import digest
from hub.core.model import Change
from hub.sdk.connectors import Request
from hub.sdk.text import clean, parse_time

SIGNATURE = "x-zendesk-webhook-signature"
STAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"
TOLERANCE = timedelta(minutes=5)  # Zendesk names none; a retry is signed anew

_EVENT = "zen:event-type:ticket."
_GONE = frozenset(("soft_deleted", "permanently_deleted", "marked_as_spam"))


def is_genuine(request: Request, secret: str) -> bool:
    """Whether the signature over timestamp and raw body is right, and the timestamp at most five minutes off, either way.

    The timestamp is taken word for word: written otherwise, it is another message (Zendesk docs, "Verifying webhooks").
    Under a secret that is blank nothing is genuine: anyone could sign with it.
    """
    if not secret.strip():
        return False
    stamp, given = request.headers.get(STAMP, ""), request.headers.get(SIGNATURE, "")
    mac = hmac.new(secret.encode(), stamp.encode("utf-8", "replace") + request.body, "sha256").digest()
    if not hmac.compare_digest(b64encode(mac), given.encode("utf-8", "replace")):
        return False
    at = parse_time(stamp)
    return at is not None and abs(request.received_at - at) <= TOLERANCE


def read(body: bytes) -> tuple[Change, ...]:
    """The changes that a body tells of; none where it is empty (a probe), or of an event that says nothing to the hub.

    Raises TranslationError where the body is no JSON object, or names no ticket.
    """
    if not body.strip():
        return ()
    told = _object(body)
    kind = told.get("type")
    if isinstance(kind, str) and kind.startswith("zen:event-type:"):
        return _event(told, kind.removeprefix(_EVENT)) if kind.startswith(_EVENT) else ()
    if "hubbub" in told:
        return _trigger(told)
    raise TranslationError("neither a Zendesk event nor the body that the README gives for triggers")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TranslationError(f"the body is no JSON: {type(error).__name__}") from error
    if not isinstance(told, dict):
        raise TranslationError("the body is no JSON object")
    return told


# --------------------------------------------------------------------------------------------------------------- events


def _event(told: Mapping[str, Any], name: str) -> tuple[Change, ...]:
    """Zendesk's own event: `detail` is the ticket after it, `event` what has changed."""
    reader = _gone if name in _GONE else _READERS.get(name)
    if reader is None:
        return ()
    detail, event = _part(told, "detail"), _part(told, "event")
    facts = {
        "object": "ticket",
        "remote_id": _ticket_id(detail.get("id") or _word(told.get("subject")).rpartition(":")[2]),
        "event_id": _word(told.get("id")) or digest("zendesk", msgspec.json.encode(told, order="sorted").decode()),
        "at": _time(told.get("time")),
        "actor_id": _word(detail.get("actor_id")),
    }
    found = reader(detail, event)
    return () if found is None else (Change(**{**facts, **found}),)


def _comment(detail: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an agent wrote; None for an end user's words, which are the network's own coming back.

    Only a comment that is said to be public may leave: without the word it is a note.
    """
    comment = _part(event, "comment")
    author = _part(comment, "author")
    if author.get("is_staff") is not True:
        return None
    return {
        "kind": "reply" if comment.get("is_public") is True else "note",
        "text": clean(_text(comment.get("body"))).strip(),
        "part_id": _word(comment.get("id")),
        "actor_id": _word(detail.get("actor_id")) or _word(author.get("id")),
        "actor": clean(_text(author.get("name"))),
    }


def _status(detail: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any] | None:
    status = _word(event.get("current") or detail.get("status")).lower()
    return {"kind": "status", "value": status} if status else None


def _assignee(detail: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """Zendesk names the agent by id; None is nobody (written as nothing or 0)."""
    agent = _word(event["current"] if "current" in event else detail.get("assignee_id"))
    return {"kind": "assignee", "value": agent if agent not in ("", "0") else None}


def _tags(detail: Mapping[str, Any], _: Mapping[str, Any]) -> dict[str, Any] | None:
    """The whole list stands in the ticket; the event itself has only what came and went."""
    return {"kind": "tags", "value": _tag_list(detail["tags"])} if detail.get("tags") is not None else None


def _merged(_: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any] | None:
    winner = _word(event.get("target_ticket_id"))
    return {"kind": "merged", "value": winner} if winner.isdecimal() else None


def _gone(*_: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "deleted"}


_READERS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any] | None]] = {
    "comment_added": _comment,
    "status_changed": _status,
    "agent_assignment_changed": _assignee,
    "tags_changed": _tags,
    "merged": _merged,
}
EVENTS = tuple(f"{_EVENT}{name}" for name in (*_READERS, *sorted(_GONE)))
"""The events to subscribe to."""


# ------------------------------------------------------------------------------------------------------------- triggers


def _trigger(told: Mapping[str, Any]) -> tuple[Change, ...]:
    """Our own body from a trigger: a comment, or the ticket as it is now. Whoever asked for the ticket is no agent."""
    actor = _word(told.get("actor_id"))
    if actor and actor == _word(told.get("requester_id")):
        return ()
    found = _said(told) if told["hubbub"] == "comment" else _as_it_is(told)
    at, ticket = _word(told.get("at")), _ticket_id(told.get("ticket"))
    facts = {
        "object": "ticket",
        "remote_id": ticket,
        "at": _time(at),
        "actor_id": actor,
        "actor": _text(told.get("actor")),
    }
    # A trigger has no event id, and a retry of it says the very same.
    return tuple(
        Change(**{**facts, **one, "event_id": digest("zendesk", ticket, at, actor, str(sorted(one.items())))})
        for one in found
    )


def _said(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    comment = _part(told, "comment")
    text = clean(_text(comment.get("text"))).strip()
    # The placeholder is written as a word where its text is put between quotes. Without both people nobody knows that an
    # agent speaks, and the author's own words must not go back to the author.
    known = bool(_word(told.get("actor_id")) and _word(told.get("requester_id")))
    public = known and _word(comment.get("public")).lower() in ("true", "yes", "1")
    return [{"kind": "reply" if public else "note", "text": text, "part_id": _word(comment.get("id"))}]


def _as_it_is(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if status := _word(told.get("status")).lower():
        found.append({"kind": "status", "value": status})
    if "assignee" in told:
        found.append({"kind": "assignee", "value": _word(told["assignee"]) or None})
    if told.get("tags") is not None:
        found.append({"kind": "tags", "value": _tag_list(told["tags"])})
    return found


# --------------------------------------------------------------------------------------------------------------- values


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _ticket_id(value: Any) -> str:
    id_ = _word(value)
    if not (id_.isascii() and id_.isdecimal()):
        raise TranslationError("the body names no ticket")
    return id_


def _word(value: Any) -> str:
    """A scalar as text, "" for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _tag_list(value: Any) -> list[str]:
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return [word for word in words if isinstance(word, str)]


def _time(value: Any) -> datetime | None:
    return parse_time(_word(value))
