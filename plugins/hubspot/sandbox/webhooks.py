"""Webhook events of the look-alike: gathered, signed as HubSpot does (v3), sent to the app's target."""

from __future__ import annotations

import hmac
import json
import threading
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from hub.testkit.sandbox import Attempt, Event, Teller

MOST = 10_000  # events that are kept while no one takes them
ATTEMPTS = 3  # HubSpot tries ten times in a day
PERSON = "userId:7"
_NAMES = {"contacts": "contact", "companies": "company", "tickets": "ticket"}


class Webhooks:
    """The app's subscriptions: all that happens to any object. `target` is where events go, "" keeps them."""

    def __init__(self, secret: str, app: str, teller: Teller) -> None:
        self.target = ""
        self._secret, self._app, self._teller = secret, app, teller
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._count = 0
        self._lock = threading.Lock()

    def tell(self, what: str, object_: str, type_id: str, id_: str, **more: Any) -> None:
        """Note an event; `what` is propertyChange, deletion or merge, `id_` the record's."""
        with self._lock:
            self._count += 1
            event = {
                "eventId": self._count,
                "subscriptionId": 100,
                "portalId": 1,
                "appId": int(self._app),
                "occurredAt": int(self._teller.now().timestamp() * 1000),
                "subscriptionType": f"{_NAMES.get(object_, 'object')}.{what}",
                "attemptNumber": 0,
                "objectId": int(id_),
                "changeSource": "CRM_UI",
                "sourceId": PERSON,
            }
            typed = {} if object_ in _NAMES else {"objectTypeId": type_id}
            self._waiting.append({**event, **typed, **more})

    def take(self) -> list[dict[str, Any]]:
        """Take the events that were not yet sent, which are then gone."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def sign(self, url: str, body: bytes) -> dict[str, str]:
        """Return the headers of a request to the target."""
        stamp = str(int(self._teller.now().timestamp() * 1000))
        said = f"POST{url}".encode() + body + stamp.encode()
        signature = b64encode(hmac.new(self._secret.encode(), said, sha256).digest()).decode()
        return {
            "Content-Type": "application/json",
            "X-HubSpot-Signature-v3": signature,
            "X-HubSpot-Request-Timestamp": stamp,
        }

    def flush(self) -> None:
        """Send what waits, beside the caller: at HubSpot no one waits for a webhook."""
        events = self.take() if self.target else []
        for start in range(0, len(events), 100):
            self._post(self.target, events[start : start + 100])

    def _post(self, target: str, events: list[dict[str, Any]]) -> None:
        def compose(number: int) -> tuple[Mapping[str, str], bytes]:
            body = json.dumps([{**event, "attemptNumber": number - 1} for event in events]).encode()
            return self.sign(target, body), body

        self._teller.send(Event("events", target, compose, _again))


def _again(attempt: Attempt) -> float | None:
    """Allow a few attempts; a 4xx ends them, as at HubSpot."""
    return None if 200 <= attempt.status < 500 or attempt.number >= ATTEMPTS else 0.0
