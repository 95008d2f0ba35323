"""Forms that only our own pages can send: a token bound to the session or the browser, and the Origin held against the Host."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request, Response

from hub.web.cookies import Cookies

FIELD = "token"
MAX_FIELDS = 60


class RefusedForm(Exception):
    """The form did not come from a page of this hub, or from one of before your last log-in: open the page again."""


class Forms:
    """Hand out tokens and check them. Nothing is kept in the process: a restart, or another web process, takes them too."""

    def __init__(self, public_url: str, cookies: Cookies) -> None:
        self._public = urlsplit(public_url)
        self._cookies = cookies

    def token(self, request: Request) -> str:
        """Return the token that forms of this answer carry: the session's, else one by the browser's nonce, made if need be."""
        return _of_session(request) or _by_nonce(self._nonce(request))

    def give(self, request: Request, response: Response) -> None:
        """Set the browser's nonce if it was made for this answer."""
        if made := getattr(request.state, "nonce", ""):
            self._cookies.give_nonce(response, made)

    def read(self, request: Request, body: bytes) -> dict[str, str]:
        """Return the fields of a form, the last of each name. Raises RefusedForm."""
        return dict(self.read_all(request, body))

    def read_all(self, request: Request, body: bytes) -> list[tuple[str, str]]:
        """Return the fields of a form in their order; a name may stand more than once. Raises RefusedForm."""
        if not self._is_own(request.headers.get("origin", ""), request.headers.get("host", "")):
            raise RefusedForm
        fields = _fields(body)
        given = dict(fields).get(FIELD, "").encode()
        is_bound = _of_session(request) or request.cookies.get(self._cookies.forms)
        if not is_bound or not hmac.compare_digest(given, self.token(request).encode()):
            raise RefusedForm
        return [one for one in fields if one[0] != FIELD]

    def _nonce(self, request: Request) -> str:
        if known := request.cookies.get(self._cookies.forms):
            return known
        if not getattr(request.state, "nonce", ""):
            request.state.nonce = secrets.token_urlsafe(24)
        return str(request.state.nonce)

    def _is_own(self, origin: str, host: str) -> bool:
        # Browsers name the origin with every POST: a missing one is no browser's form, "null" is a foreign frame's.
        try:
            found = urlsplit(origin)
        except ValueError:
            return False
        return found.scheme in {"http", "https"} and found.netloc.lower() in {host.lower(), self._public.netloc.lower()}


def _of_session(request: Request) -> str:
    """Return the token of the session that asks, "" without one."""
    return str(getattr(request.state, "form_token", ""))


def _by_nonce(nonce: str) -> str:
    """Return a form's token: who cannot read the browser's cookie cannot make it, and the cookie cannot be told from it."""
    return sha256(f"form {nonce}".encode()).hexdigest()


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise RefusedForm from None
