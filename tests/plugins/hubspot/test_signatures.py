"""HubSpot's signature v3 keeps the contract of all verifiers."""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import datetime
from functools import partial
from typing import Any

from hub import Request
from hub.testkit.contracts import SignaturesContract
from plugins.hubspot.inbound import is_genuine

URL = "https://hub.example/in/crm"


class TestSignatureOfHubSpot(SignaturesContract):
    key, other_key = "the-secret-of-our-app", "the-secret-of-an-app"

    def verifier(self, key: str | None) -> Any:
        return partial(is_genuine, secret=self.key if key is None else key)

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        stamp = str(int(at.timestamp() * 1000))
        said = b"POST" + URL.encode() + body + stamp.encode()
        mac = hmac.new((self.key if key is None else key).encode(), said, "sha256").digest()
        headers = {"x-hubspot-request-timestamp": stamp, "x-hubspot-signature-v3": b64encode(mac).decode()}
        return Request("POST", URL, headers, body, at)
