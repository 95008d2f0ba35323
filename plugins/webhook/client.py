"""Signatures over raw bytes, compared in constant time: Standard Webhooks, `X-Hub-Signature-256`, a shared header."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256


def standard_key(secret: str) -> bytes:
    """The key of a Standard Webhooks secret (`whsec_` and base64, 24 to 64 bytes); raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("a Standard Webhooks secret is `whsec_` followed by base64") from None
    if not key:
        raise ValueError("the secret is empty")
    return key


def sign_standard(secret: str, *, id_: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a body (standardwebhooks.com: HMAC-SHA256 over `id.timestamp.body`)."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(standard_key(secret), signed, sha256)).decode()


def is_standard(secret: str, headers: Mapping[str, str], body: bytes, *, now: datetime, tolerance_s: int) -> bool:
    """Whether one of the signatures in the header is ours, and the stamp is neither stale nor in the future."""
    id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (id_ and stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    if abs(now.timestamp() - int(stamp)) > tolerance_s:
        return False
    expected = sign_standard(secret, id_=id_, timestamp=int(stamp), body=body)
    return any(_same(given, expected) for given in headers.get("webhook-signature", "").split())


def is_hub256(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether `X-Hub-Signature-256: sha256=<hex>` is ours (WebSub, GitHub, Meta)."""
    expected = "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()
    return _same(headers.get("x-hub-signature-256", ""), expected)


def is_shared(secret: str, headers: Mapping[str, str], header: str) -> bool:
    """Whether the named header carries the shared secret."""
    return _same(headers.get(header.lower(), ""), secret)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
