"""Is an inbound request genuine? Signatures over raw bytes, compared in constant time, within a time tolerance. Pure.

    SCHEME = Hmac("x-acme-signature", stamp="x-acme-timestamp", encoding="hex", prefix="v0=")
    SCHEME.is_genuine(request, secret)

An empty or blank secret makes nothing genuine. Several secrets may be given while one replaces another.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from hub.core.signs import trimmed
from hub.sdk.context import Request
from hub.sdk.text import parse_time

TOLERANCE = timedelta(minutes=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Signed = Callable[[Request, str], bytes]
"""What is signed, made of a request and the text of its stamp."""


def stamp_then_body(request: Request, stamp: str) -> bytes:
    """Return the stamp, word for word, and the raw body."""
    return _bytes(stamp) + request.body


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """How a stamp is written: a time as text, or digits that count seconds or milliseconds since 1970."""

    written: Literal["text", "s", "ms"]
    tolerance: timedelta

    def is_near(self, stamp: str, now: datetime) -> bool:
        """Return True if the stamp is neither stale nor of the future."""
        at = parse_time(stamp) if self.written == "text" else self._counted(stamp)
        return at is not None and abs(now - at) <= self.tolerance

    def _counted(self, stamp: str) -> datetime | None:
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 14):
            return None
        unit = timedelta(seconds=1) if self.written == "s" else timedelta(milliseconds=1)
        try:
            return _EPOCH + int(stamp) * unit
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Hmac:
    """A keyed hash of the body (and of what `signed` puts to it), in a header.

    `header` holds `prefix` and the hash in `encoding`; `stamp` names the header of the time at which it was signed ("" if the
    sender sends none: then an old request can come again), `written` says how that looks. Header names are lower case.
    """

    header: str
    stamp: str = ""
    encoding: Literal["base64", "hex"] = "base64"
    algorithm: str = "sha256"
    tolerance: timedelta = TOLERANCE
    prefix: str = ""
    written: Literal["text", "s", "ms"] = "text"
    signed: Signed = stamp_then_body

    def is_genuine(self, request: Request, *secrets: str) -> bool:
        """Return True if one of the secrets signed this request, within the tolerance of now, either way."""
        stamp = request.headers.get(self.stamp, "") if self.stamp else ""
        if self.stamp and not _Stamp(written=self.written, tolerance=self.tolerance).is_near(
            stamp, request.received_at
        ):
            return False
        given, said = request.headers.get(self.header, ""), self.signed(request, stamp)
        return _is_one_of(given, (self.sign(said, secret) for secret in _usable(secrets)))

    def sign(self, said: bytes, secret: str) -> str:
        """Return what the header holds for these bytes."""
        made = hmac.digest(_bytes(secret), said, self.algorithm)
        return self.prefix + (made.hex() if self.encoding == "hex" else base64.b64encode(made).decode("ascii"))


@dataclass(frozen=True, slots=True)
class StandardWebhook:
    """Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`, several signatures in one header."""

    tolerance: timedelta = TOLERANCE

    def is_genuine(self, request: Request, *secrets: str) -> bool:
        """Return True if one of the signatures is by one of the secrets, and the stamp is near now."""
        id_, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not id_ or not _Stamp(written="s", tolerance=self.tolerance).is_near(stamp, request.received_at):
            return False
        keys = [secret for secret in secrets if self.is_key(secret)]
        wanted = [self.sign(request.body, secret, id_=id_, stamp=stamp) for secret in keys]
        return any(_is_one_of(given, wanted) for given in request.headers.get("webhook-signature", "").split())

    def sign(self, body: bytes, secret: str, *, id_: str, stamp: str) -> str:
        """Return the `webhook-signature` of a body; `stamp` is in whole seconds since 1970."""
        said = _bytes(f"{id_}.{stamp}.") + body
        return "v1," + base64.b64encode(hmac.digest(self.key_of(secret), said, "sha256")).decode("ascii")

    def is_key(self, secret: str) -> bool:
        """Return True if this is a secret of Standard Webhooks."""
        try:
            return bool(self.key_of(secret))
        except ValueError:
            return False

    @staticmethod
    def key_of(secret: str) -> bytes:
        """Return the key of a secret: `whsec_` and base64. Raises ValueError if it is none, or empty."""
        try:
            key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("a Standard Webhooks secret is `whsec_` followed by base64") from None
        if not key:
            raise ValueError("the secret is empty: whsec_ and nothing behind it")
        return key


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """A word that both sides know, in a header or in a parameter of the address, for senders that sign nothing."""

    header: str = ""
    param: str = ""

    def is_genuine(self, request: Request, *secrets: str) -> bool:
        """Return True if the request carries one of the secrets."""
        try:
            asked = parse_qs(urlsplit(request.url).query).get(self.param, [""])[0] if self.param else ""
        except ValueError:
            return False
        given = asked or (request.headers.get(self.header.lower(), "") if self.header else "")
        return _is_one_of(given, _usable(secrets))


def _usable(secrets: Iterable[str]) -> list[str]:
    return [secret for secret in secrets if trimmed(secret)]


def _is_one_of(given: str, wanted: Iterable[str]) -> bool:
    """Compare with each in full, so that the time tells nothing."""
    found = [hmac.compare_digest(_bytes(given), _bytes(one)) for one in wanted]
    return any(found)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


__all__ = ["TOLERANCE", "Hmac", "SharedSecret", "Signed", "StandardWebhook", "stamp_then_body"]
