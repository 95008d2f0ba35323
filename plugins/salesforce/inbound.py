"""What comes back from an org: Outbound Messages (SOAP) and polled rows, as changes. Pure.

Salesforce signs no Outbound Message: the organisation's id and a secret in the URL stand in for that. The SessionId that a
message may carry is never read. XML is taken apart by expat with every document type and entity refused.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from hub import Change, Request, TranslationError, Unread
from hub.sdk.signatures import SharedSecret
from hub.sdk.text import clean, parse_time

ACK = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
SCHEME = SharedSecret(header="x-hub-secret", param="secret")
_DEEPEST, _MOST = 16, 50_000  # a message has at most 100 notifications
_PLUMBING = frozenset(
    {"Id", "OwnerId", "Status", "IsDeleted", "MasterRecordId", "SystemModstamp", "LastModifiedById", "LastModifiedDate"}
    | {"CreatedById", "CreatedDate", "Origin__c", "attributes"}
)
OVERLAP = timedelta(minutes=2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = {"Lead": ("Status", "OwnerId", "MasterRecordId"), "Case": ("Status", "OwnerId", "MasterRecordId")}
_OTHERS = ("OwnerId", "MasterRecordId")
_TRUE = frozenset({"true", "1"})


# ------------------------------------------------------------------------------------------------------- genuine?


def is_genuine(request: Request, organization: str, secret: str) -> bool:
    """Return True if the secret stands in the URL (`?secret=`) or a header, and the message names our organisation."""
    if not SCHEME.is_genuine(request, secret):
        return False
    try:
        named = _message(request.body).text("OrganizationId")
    except TranslationError:
        return False
    return len(named) in {15, 18} and hmac.compare_digest(named[:15].encode(), organization[:15].encode())


# ------------------------------------------------------------------------------------------------ outbound messages


def changes_of(body: bytes) -> tuple[Change | Unread, ...]:
    """Return the changes in a message: a notification holds one record as it is now, and may come several times.

    Salesforce puts up to a hundred into one message: among others, one that is broken is told by itself.
    """
    notifications = [one for one in _message(body).children if one.name == "Notification"]
    if len(notifications) == 1:
        return tuple(_notified(notifications[0]))
    return tuple(found for one in notifications for found in _read(one))


def _read(notification: _Element) -> list[Change | Unread]:
    try:
        return [*_notified(notification)]
    except TranslationError as error:
        alone = f"<Envelope><Body><notifications>{notification.written()}</notifications></Body></Envelope>"
        return [Unread(alone.encode(), str(error))]


def _notified(notification: _Element) -> Iterator[Change]:
    held = next((one for one in notification.children if one.name == "sObject"), None)
    id_ = notification.text("Id")
    if held is None or not id_ or not held.type:
        raise TranslationError("a notification without id, record or type")
    row: dict[str, Any] = {one.name: clean(one.content) for one in held.children if one.content or not one.children}
    yield from row_changes(held.type, row, event=id_)
    others = {name: value for name, value in row.items() if name not in _PLUMBING and value}
    if others and row.get("IsDeleted") not in _TRUE:
        yield _change(held.type, row, "field", event=id_, value=others)


# --------------------------------------------------------------------------------------------------------- the rows


def row_changes(object_: str, row: Mapping[str, Any], *, event: str, user: str = "") -> Iterator[Change]:
    """Return what a record says of itself: deleted, merged into another, its status, its owner (unless that is `user`, us).

    `event` makes the ids of the changes unique. Raises TranslationError if the record has no id.
    """
    if not _text(row, "Id"):
        raise TranslationError("a record without its id")
    if _text(row, "IsDeleted").lower() in _TRUE:
        winner = _text(row, "MasterRecordId")
        yield _change(object_, row, "merged" if winner else "deleted", event=event, value=winner or None)
        return
    if status := _text(row, "Status"):
        yield _change(object_, row, "status", event=event, value=status)
    owner = _text(row, "OwnerId")
    if owner and owner[:15] != user[:15]:
        yield _change(object_, row, "assignee", event=event, value=owner)


def polled(object_: str, row: Mapping[str, Any], user: str) -> Iterator[Change]:
    """Return the changes in a row that a poll found.

    Polls show states, not who did what: what a person set just before our own write comes under our name. So such a row
    still tells its status, once a day and word; one that only we have touched since it was made tells nothing.
    """
    stamp, ours = _text(row, "SystemModstamp"), bool(user) and _text(row, "LastModifiedById")[:15] == user[:15]
    if not ours:
        yield from row_changes(object_, row, event=stamp, user=user)
    elif row.get("CreatedDate") != row.get("LastModifiedDate"):
        quiet = {**row, "LastModifiedById": ""}
        found = row_changes(object_, quiet, event=f"{stamp[:10]}:{_text(row, 'Status')[:80]}", user=user)
        yield from (one for one in found if one.kind == "status")


def _change(object_: str, row: Mapping[str, Any], kind: Any, *, event: str, value: Any = None) -> Change:
    id_ = _text(row, "Id")
    return Change(
        kind=kind,
        object=object_,
        remote_id=id_,
        event_id=f"{id_}:{kind}:{event}",
        at=parse_time(_text(row, "SystemModstamp") or _text(row, "LastModifiedDate")),
        actor_id=_text(row, "LastModifiedById"),
        value=value,
        ours=_text(row, "Origin__c") == "hub",
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(value) if isinstance(value, str) else ""


# -------------------------------------------------------------------------------------------------------- the poll


def stamps_of(cursor: Any, objects: Iterable[str], now: datetime) -> dict[str, str]:
    """Return since when each object is asked for, as ISO 8601 in UTC: now for one that was not asked for before."""
    held = cursor if isinstance(cursor, Mapping) else {}
    return {name: (parse_time(_text(held, name)) or now).isoformat() for name in objects}


def poll_of(object_: str, since: str) -> str:
    """Return the query of one tick: with an overlap, since the stamp is set before the commit (a strict `>` would lose rows).

    Of our own objects only deletions are asked for: the hub writes them, and people have no say there.
    """
    start = ((parse_time(since) or _EPOCH) - OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
    columns = ("Id", "SystemModstamp", "IsDeleted", "LastModifiedById", "LastModifiedDate", "CreatedDate")
    own = object_.endswith("__c")
    names = ", ".join((*columns, *(() if own else _COLUMNS.get(object_, _OTHERS))))
    gone = " AND IsDeleted = true" if own else ""
    return f"SELECT {names} FROM {object_} WHERE SystemModstamp >= {start}{gone} ORDER BY SystemModstamp, Id"  # noqa: S608 - names come from the options, held to a pattern


def rows_of(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows of a page."""
    return [row for row in page.get("records") or () if isinstance(row, Mapping)]


def latest(rows: Iterable[Mapping[str, Any]], before: str) -> str:
    """Return the latest stamp of the rows, `before` if none is later."""
    known = [at for row in rows if (at := parse_time(_text(row, "SystemModstamp")))]
    return max([parse_time(before) or _EPOCH, *known]).isoformat()


# -------------------------------------------------------------------------------------------------------------- XML


@dataclass(slots=True)
class _Element:
    """An element: its local name, the local part of its xsi:type, its text and the elements in it."""

    name: str
    type: str = ""
    content: str = ""
    children: list[_Element] = field(default_factory=list)

    def text(self, name: str) -> str:
        """Return the text of the first child of this name."""
        return next((one.content.strip() for one in self.children if one.name == name), "")

    def written(self) -> str:
        """Return it as XML, without the namespaces, which are not read here."""
        inner = escape(self.content) + "".join(one.written() for one in self.children)
        return f"<{self.name} type={quoteattr(self.type)}>{inner}</{self.name}>"


class _Reader:
    """Builds elements from expat's events and refuses what no SOAP message needs."""

    def __init__(self) -> None:
        self.root = _Element("")
        self._open = [self.root]
        self._count = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = lambda _: self._open.pop()
        self._parser.CharacterDataHandler = self._read
        for name in ("StartDoctypeDeclHandler", "EntityDeclHandler", "ExternalEntityRefHandler"):
            setattr(self._parser, name, _refuse)

    def read(self, body: bytes) -> _Element:
        """Return the document's root."""
        try:
            self._parser.Parse(body, True)
        except (expat.ExpatError, ValueError, LookupError):
            raise TranslationError("the body is no XML") from None
        return self.root

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if len(self._open) > _DEEPEST or self._count > _MOST:
            raise TranslationError("XML of a size or depth that no message has")
        kind = next((value for key, value in attributes.items() if key.rpartition(" ")[2] == "type"), "")
        made = _Element(name.rpartition(" ")[2], kind.rpartition(":")[2])
        self._open[-1].children.append(made)
        self._open.append(made)

    def _read(self, text: str) -> None:
        self._open[-1].content += text


def _refuse(*_: object) -> None:
    raise TranslationError("a message has no document type and no entities")


def _message(body: bytes) -> _Element:
    """Return the `notifications` element of an envelope."""
    here = _Reader().read(body)
    for name in ("Envelope", "Body", "notifications"):
        found = next((one for one in here.children if one.name == name), None)
        if found is None:
            raise TranslationError(f"no {name} in the message")
        here = found
    return here
