"""Forms that only our own pages can send: a token bound to the browser's cookie, and the Origin held against the Host."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request, Response

COOKIE = "hub_forms"
FIELD = "token"
MAX_FIELDS = 20


class RefusedForm(Exception):
    """The form did not come from a page of this hub, or from one of before its last start: open the page again."""


class Forms:
    """Hand out tokens and check them. The secret lives as long as the process; nothing is stored."""

    def __init__(self, public_url: str) -> None:
        self._secret = secrets.token_bytes(32)
        self._public = urlsplit(public_url)

    def nonce(self, request: Request) -> str:
        """Return the browser's nonce; a new one if it has none."""
        return request.cookies.get(COOKIE) or secrets.token_urlsafe(24)

    def token(self, nonce: str) -> str:
        """Return the token that forms of this browser carry."""
        return hmac.new(self._secret, nonce.encode(), sha256).hexdigest()

    def give(self, response: Response, nonce: str) -> None:
        """Set the cookie: never sent along from another site, never read by a script."""
        secure = self._public.scheme == "https"
        response.set_cookie(COOKIE, nonce, httponly=True, samesite="strict", secure=secure, path="/")

    def read(self, request: Request, body: bytes) -> dict[str, str]:
        """Return the fields of a form, the last of each name. Raises RefusedForm."""
        if not self._is_own(request.headers.get("origin", ""), request.headers.get("host", "")):
            raise RefusedForm
        fields = _fields(body)
        nonce = request.cookies.get(COOKIE, "")
        given = fields.pop(FIELD, "").encode()
        if not nonce or not hmac.compare_digest(given, self.token(nonce).encode()):
            raise RefusedForm
        return fields

    def _is_own(self, origin: str, host: str) -> bool:
        # Browsers name the origin with every POST: a missing one is no browser's form, "null" is a foreign frame's.
        try:
            found = urlsplit(origin)
        except ValueError:
            return False
        return found.scheme in {"http", "https"} and found.netloc.lower() in {host.lower(), self._public.netloc.lower()}


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise RefusedForm from None
