"""Bodies as Zendesk's webhooks send them (shapes of Zendesk docs, "Ticket events"), and requests signed as they are."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from datetime import datetime
from typing import Any
from zlib import crc32

from hub import Request
from hub.testkit.contracts.returns import Told
from hub.testkit.fakes import START

SECRET = "test_secret"
US, BEA = "26155588900001", "26155588900000"
DETAIL = {
    "actor_id": BEA,
    "assignee_id": BEA,
    "brand_id": "1",
    "created_at": "2026-11-22T09:00:00Z",
    "description": "it broke",
    "external_id": "mastodon:k1",
    "group_id": "0",
    "id": "35436",
    "is_public": True,
    "priority": "HIGH",
    "requester_id": "8001",
    "status": "OPEN",
    "subject": "Negative post on Mastodon",
    "tags": ["hubbub", "vip"],
    "updated_at": "2026-11-22T10:00:00Z",
    "via": {"channel": "web"},
}


def event(kind: str, change: dict[str, Any], **detail: Any) -> bytes:
    """A body of an event subscription; ids differ by kind and change."""
    number = crc32(json.dumps([kind, change, detail]).encode())
    shown = {
        "type": f"zen:event-type:ticket.{kind}",
        "account_id": 12514403,
        "id": f"2b24ef10-19d4-4740-93cf-{number:012d}",
        "time": "2026-11-22T10:00:00Z",
        "zendesk_event_version": "2022-11-06",
        "subject": "zen:ticket:35436",
        "detail": {**DETAIL, **detail},
        "event": {"meta": {"sequence": {"id": "A", "position": 1, "total": 1}}, **change},
    }
    return json.dumps(shown, ensure_ascii=False).encode()


def comment(text: str, *, public: Any, staff: Any = True, author: str = BEA, **detail: Any) -> bytes:
    """The event of a comment."""
    by = {"id": author, "is_staff": staff, "name": "Bea Berg"}
    said = {"id": "9001", "body": text, "is_public": public, "author": by}
    return event("comment_added", {"comment": said}, **detail)


def trigger(**given: Any) -> bytes:
    """A body of a trigger, as the README gives it."""
    base = {"hubbub": "update", "ticket": "35436", "at": "2026-11-22T10:00:00Z", "actor_id": BEA, "actor": "Bea Berg"}
    return json.dumps({**base, "requester_id": "8001", **given}, ensure_ascii=False).encode()


BODIES = (
    Told("a public comment of an agent", comment("We are on it 😀", public=True), (("reply", "We are on it 😀"),)),
    Told("an internal note", comment("Is this Ann again?", public=False), (("note", "Is this Ann again?"),)),
    Told("the author's own words", comment("it broke", public=True, staff=False, author="8001")),
    Told("a status", event("status_changed", {"current": "SOLVED", "previous": "OPEN"}), (("status", "solved"),)),
    Told("an assignee", event("agent_assignment_changed", {"current": BEA, "previous": None}), (("assignee", BEA),)),
    Told("nobody", event("agent_assignment_changed", {"current": None, "previous": BEA}), (("assignee", None),)),
    Told("tags", event("tags_changed", {"tags_added": ["vip"], "tags_removed": []}), (("tags", ["hubbub", "vip"]),)),
    Told("a merge", event("merged", {"target_ticket_id": "77"}), (("merged", "77"),)),
    Told("a deletion", event("soft_deleted", {}), (("deleted", None),)),
    Told("a deletion for good", event("permanently_deleted", {}), (("deleted", None),)),
    Told("something else of a ticket", event("priority_changed", {"current": "HIGH", "previous": "LOW"})),
    Told("something else", b'{"type": "zen:event-type:user.created", "detail": {"id": "1"}}'),
    Told("a probe", b""),
    Told(
        "a trigger's comment",
        trigger(hubbub="comment", comment={"id": "9002", "text": "Solved, sorry!", "public": "true"}),
        (("reply", "Solved, sorry!"),),
    ),
    Told(
        "a trigger's note",
        trigger(hubbub="comment", comment={"id": "9003", "text": "hm", "public": "false"}),
        (("note", "hm"),),
    ),
    Told(
        "a trigger's ticket",
        trigger(status="Pending", assignee="Bea Berg", tags="hubbub vip"),
        (("status", "pending"), ("assignee", "Bea Berg"), ("tags", ["hubbub", "vip"])),
    ),
    Told("a trigger fired by the author", trigger(status="Open", actor_id="8001")),
)


def sign(body: bytes, at: datetime = START, *, secret: str = SECRET, stamp: str = "") -> Request:
    """A request as Zendesk signs it, received when it was sent."""
    stamp = stamp or at.strftime("%Y-%m-%dT%H:%M:%SZ")
    mac = b64encode(hmac.new(secret.encode(), stamp.encode() + body, "sha256").digest()).decode()
    headers = {"x-zendesk-webhook-signature": mac, "x-zendesk-webhook-signature-timestamp": stamp}
    return Request("POST", "https://hub.example/in/helpdesk", headers, body, at)
