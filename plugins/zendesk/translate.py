"""Zendesk's JSON and our values, both ways: records, tickets, comments, job results, errors, fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hub.core.errors import Rejected, Retryable
from hub.core.model import Delivery
from hub.sdk.connectors import FieldInfo, ObjectInfo
from hub.sdk.doc import Doc
from hub.sdk.records import Landed, RecordRow, Result
from hub.sdk.refusals import Refusal
from hub.sdk.text import excerpt

MARK = "hubbub_delivery"
MOST = 100  # items of a job, ids of a look-up
CLOSED = "closed prevents ticket update"

_NOTE = 16_000  # characters of any script stay below Zendesk's 64 KB
_STANDARD = ("name",)
_TYPES = {
    "text": "string",
    "regexp": "string",
    "textarea": "text",
    "checkbox": "boolean",
    "date": "date",
    "integer": "integer",
    "decimal": "number",
    "dropdown": "picklist",
    "tagger": "picklist",
    "multiselect": "picklist",
    "lookup": "reference",
}
_SYSTEM = {"subject": "subject", "priority": "priority", "status": "status", "tickettype": "type"}
_TICKET = (
    FieldInfo("subject"),
    FieldInfo("comment.body", "text", max_length=65_535),
    FieldInfo("comment.html_body", "text", max_length=65_535),
    FieldInfo("comment.public", "boolean"),
    FieldInfo("requester.external_id"),
    FieldInfo("requester.name"),
    FieldInfo("tags"),
    FieldInfo("type", "picklist", values=("problem", "incident", "question", "task")),
    FieldInfo("priority", "picklist", values=("urgent", "high", "normal", "low")),
    FieldInfo("status", "picklist", values=("new", "open", "pending", "hold", "solved")),
    FieldInfo("due_at", "datetime"),
    FieldInfo("assignee_email"),
    *(
        FieldInfo(name, "reference")
        for name in ("assignee_id", "brand_id", "group_id", "organization_id", "ticket_form_id")
    ),
)
_ASSIGNEE = ("assignee_id", "assignee_email")
_ONCE_ONLY = (
    "requester",
    "subject",
    "external_id",
    "comment",
    "custom_fields",
)  # of a comment: not an update of the ticket
# Errors of single items in a job that speak of the moment, not of the item.
_PASSING = re.compile(r"conflict|timeout|too.?many|rate.?limit|lock|unavailable|internal|temporar", re.IGNORECASE)

# ------------------------------------------------------------------------------------------------------------- records


def upsert_job(rows: Sequence[RecordRow], author_field: str) -> dict[str, Any]:
    """Return the body of a custom object job for at most 100 rows; a signal hangs on its author by the lookup field."""
    return {"job": {"action": "create_or_update_by_external_id", "items": [_item(row, author_field) for row in rows]}}


def _item(row: RecordRow, author_field: str) -> dict[str, Any]:
    plain = msgspec.to_builtins(row.fields)  # a datetime becomes RFC 3339 here; zenpy would cut it to its date
    if author_field and (author := row.parents.get("author")):
        plain[author_field] = author.id
    own = {name: plain[name] for name in _STANDARD if name in plain}
    rest = {name: value for name, value in plain.items() if name not in (*_STANDARD, "external_id")}
    return {"external_id": row.key, **own, "custom_object_fields": rest}


def results_of(job: Doc, keys: Sequence[str]) -> dict[str, Result]:
    """Return what a completed job did, by key: `completed` says nothing about single items, so each result is read.

    A result belongs to the item of its external id or `index` (ticket jobs answer out of order); those that name neither
    take the items that are left, in order, and only if there are as many. A key without a result is absent.
    """
    named = [(_key_of(one, keys), one) for one in job.docs("results")]
    found = {key: _made(one) for key, one in named if key is not None}
    rest = [one for key, one in named if key is None]
    left = [key for key in keys if key not in found]
    return found | {key: _made(one) for key, one in zip(left, rest, strict=True)} if len(rest) == len(left) else found


def _key_of(result: Doc, keys: Sequence[str]) -> str | None:
    if (external_id := result.id("external_id")) in keys:
        return external_id
    index = result.count("index")
    return keys[index] if index is not None and index < len(keys) else None


def _made(result: Doc) -> Result:
    failed = result.get("success") is False or result.id("status").lower() in ("failed", "error")
    if not (failed or result.get("error") or result.get("errors")):
        return Landed(result.id("id") or None)
    described = result.get("description") or result.get("details") or result.get("errors")
    said = refusal({**result.data, "description": described})
    message, details = said.message or "the job could not write this record", {"body": excerpt(result.data)}
    if _PASSING.search(said.code):
        return Retryable(message, code=said.code, details=details)
    return Rejected(message, field=said.field, code=said.code, details=details)


# ------------------------------------------------------------------------------------------------- tickets and comments


def requester_of(delivery: Delivery) -> dict[str, Any] | None:
    """Return the user to create or find: `external_id` in lower case (Zendesk ignores case), a name that is never empty."""
    given = delivery.fields.get("requester")
    if not isinstance(given, Mapping) or not given.get("external_id"):
        return None
    user: dict[str, Any] = msgspec.to_builtins(given)
    key = str(user["external_id"]).lower()
    return {**user, "external_id": key, "name": str(user.get("name") or "").strip() or key}


def ticket_body(delivery: Delivery, user_id: int | None) -> dict[str, Any]:
    """Return the body that opens a ticket; the same delivery gives the same body, as the idempotency key demands."""
    fields: dict[str, Any] = msgspec.to_builtins(delivery.fields)
    ticket = {
        name: value for name, value in fields.items() if name not in ("requester", "tags", "comment", "custom_fields")
    }
    ticket |= {"external_id": delivery.record_key, "metadata": {MARK: delivery.key}}
    if str(ticket.get("assignee_id") or "").isdecimal():  # a template gives text, Zendesk's ids are numbers
        ticket["assignee_id"] = int(ticket["assignee_id"])
    if user_id is not None:
        ticket["requester_id"] = user_id
    if "comment" in fields:
        ticket["comment"] = _comment(fields["comment"], user_id, public=True)
    if fields.get("tags"):
        ticket["tags"] = tags_of(fields["tags"])
    if custom := _custom_fields(fields):
        ticket["custom_fields"] = custom
    return {"ticket": ticket}


def without_assignee(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that opens a ticket without the agent that it names."""
    ticket = {name: value for name, value in body["ticket"].items() if name not in _ASSIGNEE}
    return {"ticket": ticket}


def comment_body(delivery: Delivery, user_id: int | None, *, public: bool) -> dict[str, Any]:
    """Return the update that adds a comment (written by the requester where we know who that is), marked in its audit's metadata.

    Raises Rejected for `tags`: an update would replace those that agents and triggers have set.
    """
    fields: dict[str, Any] = msgspec.to_builtins(delivery.fields)
    if "tags" in fields:
        raise Rejected("a comment would replace all tags of its ticket: take 'tags' out of the mapping", field="tags")
    if not fields.get("comment"):
        raise Rejected("the mapping makes no comment", field="comment.body")
    ticket = {name: value for name, value in fields.items() if name not in _ONCE_ONLY}
    ticket |= {"comment": _comment(fields["comment"], user_id, public=public), "metadata": {MARK: delivery.key}}
    if custom := _custom_fields(fields):
        ticket["custom_fields"] = custom
    return {"ticket": ticket}


def follow_up_body(update: Mapping[str, Any], closed: Doc, user_id: int | None) -> dict[str, Any]:
    """Return the ticket that goes on where a closed one ended: the comment becomes its first."""
    subject = closed.text("subject") or ""
    ticket = {**update["ticket"], "via_followup_source_id": closed.get("id")}
    ticket["subject"] = subject if subject.startswith("Re:") else f"Re: {subject}".strip()
    if closed.get("external_id"):
        ticket["external_id"] = closed.get("external_id")
    if (requester := user_id or closed.get("requester_id")) is not None:
        ticket["requester_id"] = requester
    return {"ticket": ticket}


def note_body(delivery: Delivery) -> dict[str, Any]:
    """Return the update that adds a note for agents, marked like a comment. Raises Rejected if there is no text."""
    text = str(delivery.fields.get("text") or "").strip()
    if not text:
        raise Rejected("a note needs a text", field="text")
    return {"ticket": {"comment": {"body": text[:_NOTE], "public": False}, "metadata": {MARK: delivery.key}}}


def newest_follow_up(ticket: Doc) -> str | None:
    """Return the id of a closed ticket's newest follow-up."""
    listed = ticket.get("followup_ids")
    ids = [id_ for id_ in listed if is_id(id_)] if isinstance(listed, list) else []
    return str(max(ids)) if ids else None


def is_merged(ticket: Doc) -> bool:
    """Return True if a ticket was closed because it was merged into another: Zendesk tags it so."""
    return "closed_by_merge" in ticket.strings("tags")


def winner_of(ticket_id: str, comments: Sequence[Doc]) -> str | None:
    """Return the ticket that a merged one went into: its last comment says "merged into request #12" in some language."""
    said = comments[-1].text("plain_body", "body") if comments else None
    found = re.search(r"#(\d{1,19})\b", said or "")
    return found[1] if found and found[1] != ticket_id else None


def is_id(value: Any) -> bool:
    """Return True if this can be the id of a user or a ticket: a whole number."""
    return isinstance(value, int) and value > 0


def _comment(given: Any, user_id: int | None, *, public: bool) -> dict[str, Any]:
    comment = dict(given) if isinstance(given, Mapping) else {"body": given}
    comment.setdefault("public", public)
    if user_id is not None:
        comment.setdefault("author_id", user_id)
    return comment


def tags_of(value: Any) -> list[str]:
    """Read tags from a list or from words in a string: lower case, each once, without what Zendesk takes for a separator."""
    words = value.replace(",", " ").split() if isinstance(value, str) else [str(word) for word in value]
    clean = (re.sub(r"[^\w/:.-]+", "_", word.strip().lower()).strip("_") for word in words)
    return list(dict.fromkeys(tag for tag in clean if tag))


def _custom_fields(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = fields.get("custom_fields")
    if not isinstance(given, Mapping):
        return list(given or ())
    if strange := next((name for name in given if not str(name).isdecimal()), None):
        raise Rejected("a custom ticket field is named by its id", field=f"custom_fields.{strange}")
    return [{"id": int(name), "value": value} for name, value in given.items()]


def marked_comment(audits: Iterable[Doc], key: str) -> str | None:
    """Return the id of the comment whose audit carries our delivery key (the audit's own id where it holds no comment)."""
    return next((comment_of(one) for one in audits if one.get(f"metadata.custom.{MARK}") == key), None)


def comment_of(audit: Doc) -> str | None:
    """Return the id of the comment that an audit tells of, else the audit's id."""
    said = (one.id("id") for one in audit.docs("events") if one.get("type") == "Comment")
    return next(filter(None, said), None) or audit.id("id") or None


# -------------------------------------------------------------------------------------------------------------- errors


def refusal(body: Any) -> Refusal:
    """Read Zendesk's error bodies: `error` + `description` + `details`, `error.title`, OAuth's, and JSON:API's `errors`."""
    doc = Doc(body)
    if doc.doc("error"):
        return Refusal(doc.text("error.title") or "", doc.text("error.message", "error.title") or "")
    if not doc.get("error") and doc.doc("errors.0"):
        return Refusal(doc.id("errors.0.code"), doc.text("errors.0.detail", "errors.0.title") or "")
    field, message = _detail(doc.get("details"))
    message = message or doc.text("description", "error_description") or doc.id("error")
    return Refusal(doc.id("error"), message[:300], field)


def _detail(details: Any) -> tuple[str | None, str]:
    """Return the first field that `details` names, and what it says of it."""
    for field, said in details.items() if isinstance(details, Mapping) else ():
        doc = Doc({"said": said})
        return str(field), doc.text("said.0.description", "said.0", "said.description", "said") or ""
    return None, ""


# -------------------------------------------------------------------------------------------------------------- fields


def ticket_object(answer: Iterable[Doc]) -> ObjectInfo:
    """Return the ticket with the account's own fields: `custom_fields.<id>`, and the options of priority, status and type."""
    fields = {field.name: field for field in _TICKET}
    for item in answer:
        kind = item.id("type")
        if item.flag("active") is False:
            continue
        if (name := _SYSTEM.get(kind)) and (values := _values(item, "system_field_options")):
            fields[name] = FieldInfo(name, "picklist", values=values)
        elif kind in _TYPES and item.id("id"):
            name = f"custom_fields.{item.id('id')}"
            fields[name] = FieldInfo(name, _TYPES[kind], values=_values(item, "custom_field_options"))
    return ObjectInfo("ticket", fields)


def custom_object(name: str, answer: Doc, author_field: str) -> ObjectInfo:
    """Return a custom object's fields; the lookup to the author is filled by us, the external id by the delivery's key."""
    fields = {}
    for item in answer.docs("custom_object_fields"):
        if item.id("key") and item.flag("active") is not False:
            key, kind = item.id("key").removeprefix("standard::"), item.id("type")
            ours = key == "external_id" or (key == author_field and kind == "lookup")
            values, type_ = _values(item, "custom_field_options"), _TYPES.get(kind, "string")
            fields[key] = FieldInfo(key, type_, writable=not ours, unique=key == "external_id", values=values)
    return ObjectInfo(name, fields)


def _values(item: Doc, name: str) -> tuple[str, ...]:
    return tuple(option.id("value") for option in item.docs(name) if option.id("value"))
