"""HubSpot's webhooks: the v3 signature over raw bytes, and what the events say. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hub import Change, Request, TranslationError, Unread
from hub.core.keys import digest
from hub.sdk.doc import Doc, load
from hub.sdk.signatures import Hmac

_ESCAPES = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
_STATUS = frozenset({"lifecyclestage", "hs_lead_status", "hs_pipeline_stage"})
_OWNER = "hubspot_owner_id"
_OBJECTS = {"contact": "contacts", "company": "companies", "deal": "deals", "ticket": "tickets"}
_USER = "userId:"
Told = Change | Unread
"""What a call tells: a change, or an event that cannot be read."""


# ---------------------------------------------------------------------------------------------------------- genuine?


def signed(request: Request, stamp: str) -> bytes:
    """Return what HubSpot signs: method, public URL, body and time ("Validating requests", version 3)."""
    return f"{request.method}{decoded(request.url)}".encode("utf-8", "replace") + request.body + stamp.encode("ascii")


def decoded(url: str) -> str:
    """Return a URL as HubSpot signs it: twelve escapes are read, the question mark that begins the query stays what it is."""
    return _ESCAPES.sub(lambda match: chr(int(match[0][1:], 16)), url)


SCHEME = Hmac("x-hubspot-signature-v3", stamp="x-hubspot-request-timestamp", written="ms", signed=signed)


def is_genuine(request: Request, secret: str) -> bool:
    """Return True if the app's secret signed this method, public URL, body and time, and the time is near ours, either way."""
    return SCHEME.is_genuine(request, secret)


# ------------------------------------------------------------------------------------------------------ what they say


def changes_of(body: bytes, names: Mapping[str, str]) -> tuple[Told, ...]:
    """Return the changes in a list of events; `names` gives our object's name for an object type id ("2-123").

    HubSpot puts up to a hundred events into one call: among others, one that is broken is told by itself.
    """
    events = load(body, "the body")
    if not isinstance(events, list):
        raise TranslationError("HubSpot sends a list of events")
    if len(events) == 1:
        return tuple(_changes(Doc(events[0], "an event"), names))
    return tuple(found for event in events for found in _read(Doc(event, "an event"), names))


def _read(event: Doc, names: Mapping[str, str]) -> list[Told]:
    try:
        return [*_changes(event, names)]
    except TranslationError as error:
        return [Unread(json.dumps([event.data]).encode(), str(error))]


def _changes(event: Doc, names: Mapping[str, str]) -> Iterator[Change]:
    """Give nothing for what is of no concern here (a creation, an association)."""
    prefix, _, what = event.need("subscriptionType").partition(".")
    object_ = names.get(event.id("objectTypeId")) or _OBJECTS.get(prefix) or event.id("objectTypeId")
    if what == "propertyChange":
        yield _property_change(event, object_)
    elif what in {"deletion", "privacyDeletion"}:
        yield _change(event, object_, "deleted")
    elif what == "merge":
        yield from _merge(event, object_)


def _property_change(event: Doc, object_: str) -> Change:
    name, value = event.id("propertyName"), event.id("propertyValue")
    if not name:
        raise TranslationError("a change of a property without its name")
    kind = "status" if name in _STATUS else "assignee" if name == _OWNER else "field"
    return _change(event, object_, kind, value={name: value} if kind == "field" else value)


def _merge(event: Doc, object_: str) -> Iterator[Change]:
    """Give one change for each record that went into another; the winner may have got a new id."""
    winner, merged = event.id("newObjectId") or event.id("primaryObjectId"), event.get("mergedObjectIds")
    losers = [Doc({"id": one}).id("id") for one in merged] if isinstance(merged, list) else []
    losers = [one for one in dict.fromkeys((*losers, event.id("primaryObjectId"))) if one and one != winner]
    if not winner or not losers:
        raise TranslationError("a merge without its records")
    for loser in losers:
        yield _change(event, object_, "merged", value=winner, remote_id=loser)


def _change(event: Doc, object_: str, kind: Any, *, value: Any = None, remote_id: str = "") -> Change:
    id_ = remote_id or event.id("objectId")
    if not id_:
        raise TranslationError("an event without its record's id")
    return Change(
        kind=kind,
        object=object_,
        remote_id=id_,
        event_id=_event_id(event, id_),
        at=event.time("occurredAt"),
        actor_id=event.id("sourceId").removeprefix(_USER),
        actor=event.id("changeSource"),
        value=value,
    )


def _event_id(event: Doc, id_: str) -> str:
    """Return an id that each attempt shares. `eventId` alone is not promised to be unique, so what happened is part of it."""
    happened = (id_, *map(event.id, ("propertyName", "occurredAt", "propertyValue")))
    return f"{event.id('eventId')}:{event.id('subscriptionId')}:{digest(*happened)}"[:200]
