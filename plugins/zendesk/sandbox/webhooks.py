"""Webhooks of the look-alike: events as Zendesk shapes and signs them, tried again as Zendesk does."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from hub.testkit.sandbox import Attempt

AGAIN = {409: 3, 429: 3, 503: 3, 0: 5}  # status (0: no answer in time) -> how often it is sent again
LONGEST_WAIT_S = 60.0


def again(attempt: Attempt) -> float | None:
    """Return seconds until it is sent again.

    A Retry-After of a minute or more is not waited for (Zendesk docs, "Webhook retries").
    """
    told = attempt.headers.get("retry-after", "1")
    wait = float(told) if told.isdecimal() else 1.0
    return wait if attempt.number <= AGAIN.get(attempt.status, 0) and wait < LONGEST_WAIT_S else None


def signed(invocation: str, secret: str, stamp: str, body: bytes) -> dict[str, str]:
    """Return the headers of an attempt: every one carries the same id and body, and a signature of its own."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Zendesk Webhook",
        "X-Zendesk-Webhook-Id": "01SANDBOXWEBHOOK",
        "X-Zendesk-Webhook-Invocation-Id": invocation,
        "X-Zendesk-Webhook-Signature": signature(secret, stamp, body),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
    }


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Return Zendesk's signature of a body (Zendesk docs, "Verifying webhook requests")."""
    return b64encode(hmac.new(secret.encode(), stamp.encode() + body, "sha256").digest()).decode()


def event(kind: str, *, id_: str, at: str, detail: Mapping[str, Any], change: Mapping[str, Any]) -> bytes:
    """Return the body of an event (Zendesk docs, "Ticket events"): `detail` is the ticket after it, `change` what happened."""
    shown = {
        "type": f"zen:event-type:ticket.{kind}",
        "account_id": 12_514_403,
        "id": id_,
        "time": at,
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{detail['id']}",
        "detail": detail,
        "event": change,
    }
    return json.dumps(shown, ensure_ascii=False).encode()
