"""Request Tracker's JSON and our values, both ways: tickets, messages, marks, transactions, fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub.core.errors import Rejected
from hub.core.keys import digest
from hub.core.model import Change, Delivery
from hub.sdk.connectors import FieldInfo, ObjectInfo
from hub.sdk.desk import TicketState
from hub.sdk.doc import Doc
from hub.sdk.text import clean, html_to_text

SUBJECT = 200  # RT cuts a longer one in silence, and drops line ends
REAL_NAME = 120
OVERLAP = timedelta(minutes=2)

_MARK = re.compile(r'hubbub-key="?([a-z0-9]+)')
_TICKET_ID = re.compile(r"/ticket/([0-9]{1,18})$")
_MESSAGE = ("Content", "Status", "CustomFields")
_TICKET = (
    FieldInfo("Subject", max_length=SUBJECT),
    FieldInfo("Content", "text", required=True),
    FieldInfo("Requestor.Name", max_length=200),
    FieldInfo("Requestor.RealName", max_length=REAL_NAME),
    FieldInfo("Requestor.Comments", "text"),
    FieldInfo("Queue"),
    FieldInfo("Status"),
    FieldInfo("Priority"),
    FieldInfo("Due", "datetime"),
    *(FieldInfo(name, "reference") for name in ("Owner", "Cc", "AdminCc", "RefersTo")),
)


# ------------------------------------------------------------------------------------------------------------- writing


def requestor_of(delivery: Delivery) -> dict[str, Any] | None:
    """Return the user of RT that a mapping names, None if it names none: without an address, so that RT never mails him.

    A colon has to go: RT reads "mastodon:abc" as an address group and leaves the ticket without a requestor, in silence.
    """
    given = delivery.fields.get("Requestor")
    name = user_name(str(given.get("Name") or "")) if isinstance(given, Mapping) else ""
    if not isinstance(given, Mapping) or not name:
        return None
    real = " ".join(str(given.get("RealName") or "").split())[:REAL_NAME]
    rest = {"RealName": real, "Comments": str(given.get("Comments") or "")}
    return {"Name": name, "Privileged": 0, **{key: value for key, value in rest.items() if value}}


def user_name(key: str) -> str:
    """Return the name that an author's user has in RT."""
    return re.sub(r"[^\w.-]+", "-", key)


def ticket_body(delivery: Delivery, queue: str, key_field: str) -> dict[str, Any]:
    """Return a new ticket, marked twice: its custom field holds the record's key, its first message the delivery's."""
    fields: dict[str, Any] = msgspec.to_builtins(delivery.fields)
    fields.pop("Requestor", None)
    subject = " ".join(str(fields.get("Subject") or "").split())[:SUBJECT]
    custom = {**_custom_fields(fields), key_field: delivery.record_key}
    body = {"Queue": queue, **fields, **_content(fields, delivery.key), "Subject": subject, "CustomFields": custom}
    return body | _requestor(delivery)


def message_body(delivery: Delivery) -> dict[str, Any]:
    """Return a message for a ticket (`Content`, or a note's `text`), marked in its content type.

    A parameter of the content type is the one place that is written with the message, kept in its headers, and shown to none.
    """
    fields: dict[str, Any] = msgspec.to_builtins(delivery.fields)
    if "text" in fields:
        fields = {"Content": fields["text"]}
    kept = {name: value for name, value in fields.items() if name in _MESSAGE}
    return kept | _content(fields, delivery.key)


def follow_up_body(message: Mapping[str, Any], closed: Doc, delivery: Delivery, key_field: str) -> dict[str, Any]:
    """Return the ticket that goes on where a closed one ended: the message becomes its first, and it refers to the old one."""
    subject = closed.text("Subject") or ""
    subject = subject if subject.startswith("Re:") else f"Re: {subject}".strip()
    body = {
        "Queue": id_of(closed, "Queue"),
        "Subject": subject[:SUBJECT],
        "RefersTo": closed.id("id"),
        "Requestor": [name for one in _list(closed.get("Requestor")) if (name := id_of(Doc({"one": one}), "one"))],
        **{name: message[name] for name in ("Content", "ContentType")},
        "CustomFields": {**_custom_fields(message), key_field: follow_up_key(closed.id("id"))},
    }
    return body | _requestor(delivery)


def follow_up_key(ticket_id: str) -> str:
    """Return what the key field of a closed ticket's follow-up holds: of the ticket, not of the message, so there is one only."""
    return "follow-up:" + digest("follow-up", ticket_id)


def _requestor(delivery: Delivery) -> dict[str, Any]:
    requestor = requestor_of(delivery)
    return {"Requestor": requestor["Name"]} if requestor else {}


def _content(fields: Mapping[str, Any], key: str) -> dict[str, str]:
    content = str(fields.get("Content") or "")
    if not content.strip():
        raise Rejected("the mapping makes no text, and RT would take an empty message", field="Content")
    # "0" is false to RT, which would then write a message without words.
    return {"Content": content + "\n" if content == "0" else content, "ContentType": f'text/plain; hubbub-key="{key}"'}


def _custom_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    given = fields.get("CustomFields")
    return dict(given) if isinstance(given, Mapping) else {}


# --------------------------------------------------------------------------------------------------------------- marks


def key_query(key_field: str, key: str) -> str:
    """Return TicketSQL for the tickets with this key.

    Naming EffectiveId makes RT show merged ones too, which it hides otherwise.
    """
    return f"CF.{{{key_field}}} = '{key}' AND EffectiveId > 0"


def marked_transaction(attachments: Iterable[Doc], key: str) -> str | None:
    """Return the id of the transaction whose message carries our delivery key."""
    for item in attachments:
        if (found := _MARK.search(item.text("Headers") or "")) and found[1] == key:
            return id_of(item, "TransactionId") or None
    return None


def holds_key(ticket: Doc, key_field: str, key: str) -> bool:
    """Return True if a ticket's custom field, as we may read it, holds the key."""
    return any(one.get("name") == key_field and key in one.strings("values") for one in ticket.docs("CustomFields"))


def part_id(transaction_id: str) -> str:
    """Return a transaction's id as a reference: tickets are numbered too, and the two must not be taken for each other."""
    return f"transaction/{transaction_id}"


def id_of(doc: Doc, name: str) -> str:
    """Return what RT names something by: a user's name, a number; bare or in a link. "" if there is none."""
    return doc.id(f"{name}.id") or doc.id(name)


def state_of(ticket: Doc, closed: Sequence[str]) -> TicketState:
    """Return how a ticket stands, by the states that the options call closed: those are opened again by a message."""
    status = ticket.get("Status")
    return "closed" if status == "deleted" else "solved" if status in closed else "open"


def quiet_since(ticket: Doc) -> datetime | None:
    """Return since when a ticket was neither resolved nor touched, None if RT does not say."""
    return max((time for name in ("Resolved", "LastUpdated") if (time := ticket.time(name))), default=None)


def field_names(queue: Doc) -> list[str]:
    """Return the names of a queue's custom fields."""
    return [one.id("name") for one in queue.docs("TicketCustomFields")]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# ------------------------------------------------------------------------------------------------------------- changes

TYPES = ("Correspond", "Comment", "Status", "Set", "AddLink")
COLUMNS = "Type,Field,OldValue,NewValue,Creator,Created,ObjectType,ObjectId"


def changes_query(user: str, queue: str, after: int) -> str:
    """Return TransactionSQL for what happened to tickets of ours, wherever they were moved to, and in our queue."""
    types = " OR ".join(f"Type = '{name}'" for name in TYPES)
    return f"(TicketCreator = '{_quoted(user)}' OR TicketQueue = '{_quoted(queue)}') AND id > {after} AND ({types})"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def change_of(item: Doc, user: str) -> Change | None:
    """Return what a transaction says, None if it is nothing to us. Texts and names are filled in by who can read them."""
    id_, ticket = item.id("id"), id_of(item, "ObjectId")
    if not id_ or not ticket or (item.get("ObjectType") or "RT::Ticket") != "RT::Ticket":
        return None
    kind, value = _kind_of(item, ticket)
    if not kind:
        return None
    actor = id_of(item, "Creator")
    return Change(
        kind=kind,
        object="ticket",
        remote_id=ticket,
        event_id=part_id(id_),
        at=item.time("Created"),
        actor_id=actor,
        actor=actor,
        value=value,
        part_id=part_id(id_) if kind in ("reply", "note") else "",
        ours=actor == user,
    )


def _kind_of(item: Doc, ticket: str) -> tuple[Any, Any]:
    """Return kind and value; "" if the transaction is nothing to us."""
    type_, field, new = item.get("Type"), item.get("Field"), item.id("NewValue")
    if type_ in ("Correspond", "Comment"):
        return ("reply" if type_ == "Correspond" else "note"), None
    if type_ == "Status" and new:
        return ("deleted", None) if new == "deleted" else ("status", new)
    if type_ == "Set" and field == "Owner":  # "SetWatcher Owner" tells the same once more
        return "assignee", new
    if type_ == "AddLink" and field == "MergedInto" and (found := _TICKET_ID.search(new)) and found[1] != ticket:
        return "merged", found[1]  # RT writes it at the winner too, as merged into itself
    return "", None


def words_of(attachments: Iterable[Doc], *, spoken: bool) -> str:
    """Return a message's words as plain text: its first text part that is no file. `spoken`: without quotes and signature."""
    for item in attachments:
        kind, content = item.text("ContentType"), item.exact("Content") or ""
        if not item.get("Filename") and kind in ("text/plain", "text/html") and content.strip():
            if kind == "text/html":
                content = html_to_text(_unquoted(content) if spoken else content)
            return _spoken(clean(content)) if spoken else clean(content)
    return ""


def _unquoted(html: str) -> str:
    """Put a ">" into HTML in the place of all from the first quote's beginning to the last one's end."""
    lower = html.lower()
    start, end = lower.find("<blockquote"), lower.rfind("</blockquote>")
    return f"{html[:start]}<p>&gt;</p>{html[end:]}" if 0 <= start < end else html


_INTRO = re.compile(r".{5,200}\b(?:wrote|writes|schrieb|écrit|escribió|scritto|schreef|escreveu)\b.{0,60}:")


def _spoken(text: str) -> str:
    """Cut text at the signature; leave out quotes and the line that introduces them (RT's reply box puts them there)."""
    kept: list[str] = []
    for line in text.split("\n"):
        if line in ("--", "-- "):
            break
        if not line.startswith(">"):
            kept.append(line)
            continue
        while kept and not kept[-1].strip():
            kept.pop()
        if kept and _INTRO.fullmatch(kept[-1].strip()):
            kept.pop()
    return clean("\n".join(kept))


Look = tuple[datetime, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Looks:
    """How far transactions were read: looks, oldest first, each with the ids that it handed over.

    RT gives ids before it commits, so what came in the last two minutes is asked for again. Times of RT's own are no help: its
    searches read them in the zone of the user's settings.
    """

    looks: tuple[Look, ...]

    @classmethod
    def read(cls, cursor: Any) -> Looks | None:
        """Return a place from its JSON, None if there is none or it is unreadable."""
        try:
            looks = msgspec.convert(cursor, tuple[Look, ...])
        except msgspec.ValidationError:
            return None
        return cls(looks) if looks and looks[0][1] else None

    def show(self) -> Any:
        """Return it as JSON."""
        return msgspec.to_builtins(self.looks)

    @property
    def after(self) -> int:
        """The id to ask from."""
        return max(self.looks[0][1])

    @property
    def seen(self) -> frozenset[int]:
        """Return what was handed over already."""
        return frozenset(id_ for _, ids in self.looks for id_ in ids)

    def passed(self, ids: Iterable[int], now: datetime) -> Looks:
        """Note one more look; those that stand more than two minutes before it shrink to the highest id."""
        old = [id_ for at, ids_ in self.looks if at < now - OVERLAP for id_ in ids_]
        first = ((now - OVERLAP, (max(old),)),) if old else ()
        young = tuple(look for look in self.looks if look[0] >= now - OVERLAP)
        last = ((now, found),) if (found := tuple(ids)) else ()
        return Looks((*first, *young, *last))


def ticket_object(custom: Iterable[str], key_field: str) -> ObjectInfo:
    """Return the ticket with the queue's custom fields, as `CustomFields.<name>`; ours is not for mappings."""
    fields = {field.name: field for field in _TICKET}
    for name in custom:
        ours = name == key_field
        fields[f"CustomFields.{name}"] = FieldInfo(f"CustomFields.{name}", writable=not ours, unique=ours)
    return ObjectInfo("ticket", fields)
