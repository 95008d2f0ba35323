"""HubSpot's webhooks: the v3 signature over raw bytes, and what the events say. Pure."""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from hub import Change, Request, TranslationError, Unread
from hub.core.keys import digest
from hub.sdk.text import clean, parse_time

TOLERANCE = timedelta(minutes=5)  # "Validating requests": five minutes; we refuse the future as well
_ESCAPES = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
_STATUS = frozenset({"lifecyclestage", "hs_lead_status", "hs_pipeline_stage"})
_OWNER = "hubspot_owner_id"
_OBJECTS = {"contact": "contacts", "company": "companies", "deal": "deals", "ticket": "tickets"}
_USER = "userId:"
Told = Change | Unread
"""What a call tells: a change, or an event that cannot be read."""


# ---------------------------------------------------------------------------------------------------------- genuine?


def is_genuine(request: Request, secret: str) -> bool:
    """Whether the app's secret signed this method, public URL, body and time, and the time is near ours, either way."""
    stamp = request.headers.get("x-hubspot-request-timestamp", "")
    given = request.headers.get("x-hubspot-signature-v3", "")
    if not secret.strip() or not _is_near(stamp, request.received_at):
        return False
    said = f"{request.method}{decoded(request.url)}".encode("utf-8", "replace") + request.body + stamp.encode("ascii")
    wanted = b64encode(hmac.new(secret.encode(), said, sha256).digest())
    return hmac.compare_digest(wanted, given.encode("utf-8", "replace"))


def decoded(url: str) -> str:
    """A URL as HubSpot signs it: twelve escapes are read, the question mark that begins the query stays what it is."""
    return _ESCAPES.sub(lambda match: chr(int(match[0][1:], 16)), url)


def _is_near(stamp: str, now: datetime) -> bool:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 14):
        return False
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(stamp))
    return abs(at - now) <= TOLERANCE


# ------------------------------------------------------------------------------------------------------ what they say


def changes_of(body: bytes, names: Mapping[str, str]) -> tuple[Told, ...]:
    """The changes in a list of events; `names` gives our object's name for an object type id ("2-123").

    HubSpot puts up to a hundred events into one call: among others, one that is broken is told by itself.
    """
    try:
        events = json.loads(body)
    except (ValueError, RecursionError):
        raise TranslationError("the body is no JSON") from None
    if not isinstance(events, list):
        raise TranslationError("HubSpot sends a list of events")
    if len(events) == 1:
        return tuple(_changes(events[0], names))
    return tuple(found for event in events for found in _read(event, names))


def _read(event: Any, names: Mapping[str, str]) -> list[Told]:
    try:
        return [*_changes(event, names)]
    except TranslationError as error:
        return [Unread(json.dumps([event]).encode(), str(error))]


def _changes(event: Any, names: Mapping[str, str]) -> Iterator[Change]:
    """Nothing for what is of no concern here (a creation, an association)."""
    if not isinstance(event, Mapping) or not isinstance(event.get("subscriptionType"), str):
        raise TranslationError("an event without its subscription type")
    prefix, _, what = event["subscriptionType"].partition(".")
    object_ = names.get(_text(event.get("objectTypeId"))) or _OBJECTS.get(prefix) or _text(event.get("objectTypeId"))
    if what == "propertyChange":
        yield _property_change(event, object_)
    elif what in {"deletion", "privacyDeletion"}:
        yield _change(event, object_, "deleted")
    elif what == "merge":
        yield from _merge(event, object_)


def _property_change(event: Mapping[str, Any], object_: str) -> Change:
    name, value = _text(event.get("propertyName")), _text(event.get("propertyValue"))
    if not name:
        raise TranslationError("a change of a property without its name")
    kind = "status" if name in _STATUS else "assignee" if name == _OWNER else "field"
    return _change(event, object_, kind, value={name: value} if kind == "field" else value)


def _merge(event: Mapping[str, Any], object_: str) -> Iterator[Change]:
    """One change for each record that went into another; the winner may have got a new id."""
    winner = _text(event.get("newObjectId")) or _text(event.get("primaryObjectId"))
    merged = event.get("mergedObjectIds")
    losers = [_text(one) for one in merged] if isinstance(merged, list) else []
    losers = [one for one in dict.fromkeys((*losers, _text(event.get("primaryObjectId")))) if one and one != winner]
    if not winner or not losers:
        raise TranslationError("a merge without its records")
    for loser in losers:
        yield _change(event, object_, "merged", value=winner, remote_id=loser)


def _change(event: Mapping[str, Any], object_: str, kind: Any, *, value: Any = None, remote_id: str = "") -> Change:
    id_ = remote_id or _text(event.get("objectId"))
    if not id_:
        raise TranslationError("an event without its record's id")
    actor = _text(event.get("sourceId"))
    return Change(
        kind=kind,
        object=object_,
        remote_id=id_,
        event_id=_event_id(event, id_),
        at=parse_time(event.get("occurredAt")),
        actor_id=actor.removeprefix(_USER),
        actor=_text(event.get("changeSource")),
        value=value,
    )


def _event_id(event: Mapping[str, Any], id_: str) -> str:
    """The same for each attempt. `eventId` alone is not promised to be unique, so what happened is part of it."""
    happened = (id_, *(_text(event.get(name)) for name in ("propertyName", "occurredAt", "propertyValue")))
    return f"{_text(event.get('eventId'))}:{_text(event.get('subscriptionId'))}:{digest(*happened)}"[:200]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return clean(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18 else ""
