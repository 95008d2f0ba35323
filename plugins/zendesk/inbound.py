"""What Zendesk tells us: the signature of its webhooks, and what their bodies say was done to a ticket. Pure.

A webhook is either subscribed to ticket events, whose bodies are Zendesk's (Zendesk docs, "Ticket events"), or connected to a
trigger, whose body the admin writes: the README gives the ones that are read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hub.core.errors import TranslationError
from hub.core.keys import digest
from hub.core.model import Change
from hub.sdk.connectors import Request
from hub.sdk.doc import Doc
from hub.sdk.signatures import Hmac

SIGNATURE = "x-zendesk-webhook-signature"
STAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"

_EVENT = "zen:event-type:ticket."
_GONE = frozenset(("soft_deleted", "permanently_deleted", "marked_as_spam"))


# The timestamp is taken word for word: written otherwise, it is another message (Zendesk docs, "Verifying webhooks"). Zendesk
# names no tolerance; a retry is signed again.
SCHEME = Hmac(SIGNATURE, stamp=STAMP)


def is_genuine(request: Request, secret: str) -> bool:
    """Return True if the secret signed timestamp and raw body, and the timestamp is at most five minutes off, either way."""
    return SCHEME.is_genuine(request, secret)


def read(body: bytes) -> tuple[Change, ...]:
    """Return the changes that a body tells of; none if it is empty (a probe), or of an event that says nothing to the hub.

    Raises TranslationError if the body is no JSON object, or names no ticket.
    """
    if not body.strip():
        return ()
    told = Doc.read(body, "the body")
    kind = told.text("type") or ""
    if kind.startswith("zen:event-type:"):
        return _event(told, kind.removeprefix(_EVENT)) if kind.startswith(_EVENT) else ()
    if "hubbub" in told.data:
        return _trigger(told)
    raise TranslationError("neither a Zendesk event nor the body that the README gives for triggers")


# --------------------------------------------------------------------------------------------------------------- events


def _event(told: Doc, name: str) -> tuple[Change, ...]:
    """Read Zendesk's own event: `detail` is the ticket after it, `event` what has changed."""
    reader = _gone if name in _GONE else _READERS.get(name)
    if reader is None:
        return ()
    facts = {
        "object": "ticket",
        "remote_id": _ticket_id(told.id("detail.id") or told.id("subject").rpartition(":")[2]),
        "event_id": told.id("id") or digest("zendesk", msgspec.json.encode(told.data, order="sorted").decode()),
        "at": told.time("time"),
        "actor_id": told.id("detail.actor_id"),
    }
    found = reader(told)
    return () if found is None else (Change(**{**facts, **found}),)


def _comment(told: Doc) -> dict[str, Any] | None:
    """Return what an agent wrote; None for an end user's words, which are the network's own coming back.

    Only a comment that is said to be public may leave: without the word it is a note.
    """
    comment = told.doc("event.comment")
    if comment.flag("author.is_staff") is not True:
        return None
    return {
        "kind": "reply" if comment.flag("is_public") else "note",
        "text": comment.text("body") or "",
        "part_id": comment.id("id"),
        "actor_id": told.id("detail.actor_id") or comment.id("author.id"),
        "actor": comment.text("author.name") or "",
    }


def _status(told: Doc) -> dict[str, Any] | None:
    status = (told.id("event.current") or told.id("detail.status")).lower()
    return {"kind": "status", "value": status} if status else None


def _assignee(told: Doc) -> dict[str, Any]:
    """Read the agent by the id that Zendesk gives; nothing or 0 stands for none."""
    agent = told.id("event.current" if "current" in told.doc("event").data else "detail.assignee_id")
    return {"kind": "assignee", "value": agent if agent not in ("", "0") else None}


def _tags(told: Doc) -> dict[str, Any] | None:
    """Return the whole list, which stands in the ticket: the event itself has only what came and went."""
    return {"kind": "tags", "value": _tag_list(told.get("detail.tags"))} if "detail.tags" in told else None


def _merged(told: Doc) -> dict[str, Any] | None:
    winner = told.id("event.target_ticket_id")
    return {"kind": "merged", "value": winner} if winner.isdecimal() else None


def _gone(_: Doc) -> dict[str, Any]:
    return {"kind": "deleted"}


_READERS: Mapping[str, Callable[[Doc], dict[str, Any] | None]] = {
    "comment_added": _comment,
    "status_changed": _status,
    "agent_assignment_changed": _assignee,
    "tags_changed": _tags,
    "merged": _merged,
}
EVENTS = tuple(f"{_EVENT}{name}" for name in (*_READERS, *sorted(_GONE)))
"""The events to subscribe to."""


# ------------------------------------------------------------------------------------------------------------- triggers


def _trigger(told: Doc) -> tuple[Change, ...]:
    """Read our own body from a trigger: a comment, or the ticket as it is now. Who asked for the ticket is no agent."""
    actor = told.id("actor_id")
    if actor and actor == told.id("requester_id"):
        return ()
    found = _said(told) if told.get("hubbub") == "comment" else _as_it_is(told)
    at, ticket = told.id("at"), _ticket_id(told.id("ticket"))
    facts = {
        "object": "ticket",
        "remote_id": ticket,
        "at": told.time("at"),
        "actor_id": actor,
        "actor": told.text("actor") or "",
    }
    # A trigger has no event id, and a retry of it says the very same.
    return tuple(
        Change(**{**facts, **one, "event_id": digest("zendesk", ticket, at, actor, str(sorted(one.items())))})
        for one in found
    )


def _said(told: Doc) -> list[dict[str, Any]]:
    # The placeholder is written as a word if its text is put between quotes. Without both people we cannot know that an
    # agent speaks, and the author's own words must not go back to the author.
    known = bool(told.id("actor_id") and told.id("requester_id"))
    told_public = told.flag("comment.public") or told.id("comment.public").lower() in ("true", "yes", "1")
    kind = "reply" if known and told_public else "note"
    return [{"kind": kind, "text": told.text("comment.text") or "", "part_id": told.id("comment.id")}]


def _as_it_is(told: Doc) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if status := told.id("status").lower():
        found.append({"kind": "status", "value": status})
    if "assignee" in told.data:
        found.append({"kind": "assignee", "value": told.id("assignee") or None})
    if "tags" in told:
        found.append({"kind": "tags", "value": _tag_list(told.get("tags"))})
    return found


# --------------------------------------------------------------------------------------------------------------- values


def _ticket_id(id_: str) -> str:
    if not (id_.isascii() and id_.isdecimal()):
        raise TranslationError("the body names no ticket")
    return id_


def _tag_list(value: Any) -> list[str]:
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return [word for word in words if isinstance(word, str)]
