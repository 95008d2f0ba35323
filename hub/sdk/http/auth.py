"""How a connection proves who it is: fixed credentials, or tokens that are minted, told to the redactor and renewed.

One object serves a connection for the life of its connector; many threads may use it. `Api` asks for `headers` before each
request, and for `renew` after a 401.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import msgspec

from hub.core.errors import ConnectorError, RateLimited, Retryable, Unauthorised, Unavailable, Uncertain
from hub.sdk.connectors import Context, HttpResponse
from hub.sdk.doc import Doc
from hub.sdk.http.errors import ErrorTable, refusal_of, retry_after

MARGIN = timedelta(seconds=60)  # a token is not used in its last minute
_BEARER = "Bearer "


class Auth(ABC):
    """A connection's proof of who it is."""

    @abstractmethod
    def headers(self, ctx: Context) -> Mapping[str, str]:
        """Return the headers of the next request. May ask for a token, and raise what that raises."""

    def renew(self, ctx: Context, spent: Mapping[str, str]) -> bool:
        """Get a new credential in place of the refused one in these headers; False if only a person can."""
        return False


class Bearer(Auth):
    """A fixed token: `Authorization: Bearer ...`, or another scheme or header ("token", "X-Api-Key" and an empty scheme)."""

    def __init__(self, token: str, *, scheme: str = "Bearer", header: str = "Authorization") -> None:
        self._headers = {header: f"{scheme} {token}" if scheme else token}

    def headers(self, ctx: Context) -> Mapping[str, str]:
        """Return the token's header."""
        return self._headers


class Basic(Auth):
    """A name and a password (RFC 7617, as UTF-8)."""

    def __init__(self, name: str, password: str) -> None:
        self._code = b64encode(f"{name}:{password}".encode()).decode("ascii")

    def headers(self, ctx: Context) -> Mapping[str, str]:
        """Return the header; its code is as good as the password, so the redactor learns it."""
        ctx.http.learn_secret(self._code)
        return {"Authorization": f"Basic {self._code}"}


# -------------------------------------------------------------------------------------------------------------- minted


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that was minted, and when it wears out (None: the vendor does not say)."""

    value: str
    until: datetime | None = None

    def is_worn(self, now: datetime) -> bool:
        """Return True if it has run out, or will within a minute."""
        return self.until is not None and now >= self.until - MARGIN


class MintedAuth(Auth):
    """A bearer token that is asked for when it is first needed, kept in memory, and asked for again when it is worn."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: AccessToken | None = None

    @abstractmethod
    def mint(self, ctx: Context, spent: str) -> AccessToken:
        """Ask for a token in place of `spent` ("" at first). Raises Unauthorised if the credentials are refused."""

    def headers(self, ctx: Context) -> Mapping[str, str]:
        """Return the token's header."""
        return {"Authorization": _BEARER + self.token(ctx)}

    def renew(self, ctx: Context, spent: Mapping[str, str]) -> bool:
        """Mint a new token, unless another thread has done so since."""
        self.token(ctx, spent=spent.get("Authorization", "").removeprefix(_BEARER))
        return True

    def token(self, ctx: Context, *, spent: str = "") -> str:
        """Return the token, a new one if there is none, it is worn, or it is the `spent` one."""
        with self._lock:
            held = self._held
            if held is None or held.is_worn(ctx.now()) or held.value == spent:
                held = self._held = self.mint(ctx, held.value if held else "")
                ctx.http.learn_secret(held.value)
            return held.value


@dataclass(frozen=True, kw_only=True)
class TokenEndpoint:
    """The endpoint that gives tokens (RFC 6749 section 3.2), and how it is asked.

    `as_json` sends the form as JSON; `busy` are words in a refusal that mean "later", not "never".
    """

    url: str
    as_json: bool = False
    busy: tuple[str, ...] = ()
    timeout: float = 30.0

    def ask(self, ctx: Context, form: Mapping[str, str]) -> Doc:
        """Return the answer to a grant. Raises Unauthorised if it is refused, RateLimited or Unavailable if it may be had later.

        A lost answer is Unavailable: a token that is held by none does no harm.
        """
        kind = "application/json" if self.as_json else "application/x-www-form-urlencoded"
        content = msgspec.json.encode(form) if self.as_json else urlencode(form).encode("ascii")
        headers = {"Content-Type": kind, "Accept": "application/json"}
        try:
            answer = ctx.http.send("POST", self.url, headers=headers, content=content, timeout=self.timeout)
        except Uncertain as error:
            raise Unavailable(f"no answer from the token endpoint: {error}", code=error.code) from error
        doc = Doc(answer.json(), "the token endpoint's answer")
        if answer.status == 200 and doc.exact("access_token"):
            ctx.http.learn_secret(*(found for name in ("access_token", "refresh_token") if (found := doc.exact(name))))
            return doc
        refusal = self._refusal(ctx, answer)
        ctx.http.redact_error(refusal)
        raise refusal

    def _refusal(self, ctx: Context, answer: HttpResponse) -> ConnectorError:
        said = refusal_of(answer.json())
        found = ErrorTable(vendor="the token endpoint").error_of(answer, ctx.now())
        text = (
            f"no access token: {' '.join(filter(None, (said.code, said.message))) or found or 'the answer holds none'}"
        )
        if any(word.lower() in text.lower() for word in self.busy):
            wait = retry_after(answer.headers, ctx.now())
            return RateLimited(text, retry_after=60 if wait is None else wait, code=said.code)
        if isinstance(found, Retryable):
            return type(found)(text, retry_after=found.retry_after, code=found.code)
        if found is None and not said.code:  # a page of some proxy refuses no credentials
            return Unavailable(text, code="no_token")
        return Unauthorised(text, code=said.code or str(answer.status))


def token_in(doc: Doc, now: datetime) -> AccessToken:
    """Return the token in an endpoint's answer."""
    lasts = doc.count("expires_in")
    until = now + timedelta(seconds=min(lasts, 10**8)) if lasts is not None else None
    return AccessToken(doc.exact("access_token") or "", until)


class ClientCredentials(MintedAuth):
    """A client that acts for itself (RFC 6749 section 4.4); `more` are further fields of the form, such as `scope`."""

    def __init__(self, endpoint: TokenEndpoint, client_id: str, client_secret: str, **more: str) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            **{name: value for name, value in more.items() if value},
        }

    def mint(self, ctx: Context, spent: str) -> AccessToken:
        """Ask with the client's secret."""
        return token_in(self._endpoint.ask(ctx, self._form), ctx.now())


class JwtBearer(MintedAuth):
    """A client that signs a statement about itself with its private key (RFC 7523), by RS256.

    `key` gives the key as PEM when it is needed; `claims` are `iss`, `sub`, `aud` and the like, `exp` is `lasts` from now.
    Needs PyJWT and cryptography: declare `PyJWT[crypto]`.
    """

    def __init__(
        self,
        endpoint: TokenEndpoint,
        key: Callable[[], str],
        claims: Mapping[str, Any],
        *,
        lasts: timedelta = timedelta(minutes=3),
    ) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._key, self._claims, self._lasts = key, claims, lasts

    def mint(self, ctx: Context, spent: str) -> AccessToken:
        """Ask with a fresh statement."""
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        form = {"grant_type": grant, "assertion": self._signed(ctx.now())}
        return token_in(self._endpoint.ask(ctx, form), ctx.now())

    def _signed(self, now: datetime) -> str:
        import jwt  # noqa: PLC0415 - for those who sign only

        try:
            claims = {**self._claims, "exp": int((now + self._lasts).timestamp())}
            return jwt.encode(claims, self._key(), algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError, OSError) as error:
            raise Unauthorised(f"the private key cannot sign: {type(error).__name__}") from None


class RefreshToken(MintedAuth):
    """A person's consent, kept alive by a refresh token (RFC 6749 section 6), also one that changes with each use.

    What was got is kept in the connection's memory under `name`, so that all processes share it; a new `refresh_token` in the
    configuration (a person has authorised again) replaces it.
    """

    def __init__(
        self, endpoint: TokenEndpoint, form: Mapping[str, str], refresh_token: str, *, name: str = "oauth"
    ) -> None:
        super().__init__()
        self._endpoint, self._form, self._name = endpoint, form, name
        self._first = refresh_token
        self._mark = sha256(refresh_token.encode()).hexdigest()[:16]

    def mint(self, ctx: Context, spent: str) -> AccessToken:
        """Take what another process has got since, else refresh."""
        kept = self._kept(ctx)
        other = kept.exact("access_token")
        if other and other != spent:
            found = AccessToken(other, kept.time("until"))
            if not found.is_worn(ctx.now()):
                return found
        try:
            return self._refresh(ctx, kept.exact("refresh_token") or self._first)
        except Unauthorised:
            now = self._kept(ctx)  # another process may have used the refresh token just before us
            if now.exact("access_token") == other or not now:
                raise
            return AccessToken(now.exact("access_token") or "", now.time("until"))

    def _kept(self, ctx: Context) -> Doc:
        kept = Doc(ctx.state.get(self._name))
        return kept if kept.exact("mark") == self._mark else Doc({})

    def _refresh(self, ctx: Context, refresh_token: str) -> AccessToken:
        ctx.http.learn_secret(refresh_token)
        doc = self._endpoint.ask(ctx, {"grant_type": "refresh_token", "refresh_token": refresh_token, **self._form})
        found = token_in(doc, ctx.now())
        kept = {
            "mark": self._mark,
            "access_token": found.value,
            "refresh_token": doc.exact("refresh_token") or refresh_token,
        }
        ctx.state.set(self._name, kept | ({"until": found.until.isoformat()} if found.until else {}))
        return found


__all__ = [
    "AccessToken",
    "Auth",
    "Basic",
    "Bearer",
    "ClientCredentials",
    "JwtBearer",
    "MintedAuth",
    "RefreshToken",
    "TokenEndpoint",
    "token_in",
]
