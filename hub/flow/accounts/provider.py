"""Log-in at a provider of identities: OpenID Connect's authorization code flow with PKCE, and the end of sessions.

By OpenID Connect Core 1.0, RFC 7636 (PKCE), RP-Initiated Logout 1.0 and Back-Channel Logout 1.0. Who a person is says the
provider's issuer and subject, never the mail address, which people can change.
"""

from __future__ import annotations

import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

import msgspec
from msgspec.structs import replace

from hub.config.logs import LateLogger
from hub.config.people import OidcSection
from hub.config.references import SecretReference
from hub.config.secrets import read_secrets
from hub.core.access import ROLES, Role
from hub.core.accounts import BadAccount, User, fold_name
from hub.core.errors import Conflict, ConnectorError, HubError
from hub.flow.accounts.entrance import Browser, Entered, enter
from hub.flow.accounts.tokens import new_token
from hub.runtime import Hub
from hub.sdk.context import Http
from hub.sdk.http.redaction import Redactor
from hub.store import Connection
from hub.store.audit import AuditEntry

if TYPE_CHECKING:
    from hub.sdk.http import Guard

log = LateLogger(__name__)
NEEDS = "the log-in at a provider needs 'joserfc': pip install 'hubbub[oidc]'"
KEPT_S = 3600.0
"""How long the provider's description and keys are kept."""
LEEWAY_S = 60
LOGOUT_WITHIN_S = 300 + LEEWAY_S
"""A logout token that is older ends nothing: it may have been kept, to be sent again."""
FRESH_S = 60.0
"""Keys that were asked for so lately are not asked for again: who sends bad tokens must not make the hub ask."""
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
LOGGED_OUT = "http://schemas.openid.net/event/backchannel-logout"


class ProviderTrouble(HubError):
    """The provider of identities did not say who this is: try again, or log in by a password."""


class Begun(msgspec.Struct, frozen=True):
    """A log-in that is under way at the provider: what the browser keeps until it comes back, and where it goes on."""

    state: str
    nonce: str
    verifier: str
    onward: str


class Provider:
    """The provider that the configuration names; one for each process, for many threads."""

    def __init__(self, hub: Hub, http: Http | None = None) -> None:
        self.hub = hub
        self._given = http
        self._kept: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._guard: Guard | None = None

    @property
    def section(self) -> OidcSection:
        """What the configuration says of it."""
        return self.hub.settings.oidc

    @property
    def is_there(self) -> bool:
        """True if the configuration names one."""
        return bool(self.section.issuer)

    def begin(self, onward: str) -> tuple[str, Begun]:
        """Return the address at which a person logs in, and what the browser keeps until it is back. Raises ProviderTrouble."""
        begun = Begun(new_token(), new_token(), new_token(), onward)
        asked = {
            "response_type": "code",
            "client_id": self.section.client_id,
            "redirect_uri": self._back,
            "scope": self.section.scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge_of(begun.verifier),
            "code_challenge_method": "S256",
        }
        return with_query(self._described("authorization_endpoint"), asked), begun

    def finish(self, begun: Begun, *, state: str, code: str, browser: Browser) -> Entered:
        """Return a session of the person that the provider names. Raises ProviderTrouble, and BadAccount without a role."""
        if not code or state != begun.state:
            raise ProviderTrouble
        tokens = self._exchange(code, begun.verifier)
        claims = self._claims(str(tokens.get("id_token", "")), nonce=begun.nonce)
        if self.section.groups_claim not in claims:
            claims = {**self._told_of(claims["sub"], tokens), **claims}
        user = meet(self.hub, self.section, claims)
        return enter(self.hub, user, browser, by=self.section.issuer, provider_session=_text(claims.get("sid")))

    def end_address(self) -> str | None:
        """Return the address at which the session at the provider ends too, None if it has none."""
        end = self._description().get("end_session_endpoint")
        back = f"{self.hub.settings.public_url}/login"
        asked = {"client_id": self.section.client_id, "post_logout_redirect_uri": back}
        return with_query(end, asked) if isinstance(end, str) else None

    def end_sessions(self, logout_token: str) -> int:
        """End the sessions that the provider says are over; returns how many. Raises ProviderTrouble for a token that is none."""
        claims = self._claims(logout_token)
        events, age_s = claims.get("events"), self.hub.now().timestamp() - claims["iat"]
        if not isinstance(events, dict) or LOGGED_OUT not in events or "nonce" in claims or age_s > LOGOUT_WITHIN_S:
            raise ProviderTrouble
        subject, session = _text(claims.get("sub")), _text(claims.get("sid"))
        if not (subject or session):
            raise ProviderTrouble
        with self.hub.store.database.write() as conn:
            return self.hub.store.sessions.end_of_provider(conn, self.section.issuer, subject=subject, session=session)

    # ------------------------------------------------------------------------------------------------------ the provider

    @property
    def _back(self) -> str:
        return f"{self.hub.settings.public_url}/login/oidc/back"

    def _exchange(self, code: str, verifier: str) -> Mapping[str, Any]:
        """Return the tokens for a code."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        client, secret = self.section.client_id, self._secret()
        methods = self._description().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if secret and "client_secret_basic" in methods:
            pair = f"{quote_plus(client)}:{quote_plus(secret)}"
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            fields |= {"client_id": client, **({"client_secret": secret} if secret else {})}
        return self._ask("POST", self._described("token_endpoint"), headers, urlencode(fields).encode())

    def _told_of(self, subject: str, tokens: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the provider tells of a person beside the token, nothing if it is of another one."""
        address = self._description().get("userinfo_endpoint")
        if not isinstance(address, str):
            return {}
        found = self._ask("GET", address, {"authorization": f"Bearer {tokens.get('access_token', '')}"})
        return found if found.get("sub") == subject else {}

    def _claims(self, token: str, *, nonce: str | None = None) -> Mapping[str, Any]:
        """Return what a token of the provider claims, its signature, issuer, audience and time checked."""
        try:
            from joserfc import jwt  # noqa: PLC0415 - an extra
            from joserfc.errors import JoseError  # noqa: PLC0415 - an extra
        except ImportError:
            raise ProviderTrouble(NEEDS) from None
        wanted: dict[str, Any] = {
            "iss": {"essential": True, "value": self.section.issuer},
            "aud": {"essential": True, "value": self.section.client_id},
            "iat": {"essential": True},
        }
        if nonce is not None:
            wanted |= {"sub": {"essential": True}, "exp": {"essential": True}}
            wanted["nonce"] = {"essential": True, "value": nonce}
        try:
            found = self._decoded(token)
            checks = jwt.JWTClaimsRegistry(now=int(self.hub.now().timestamp()), leeway=LEEWAY_S, **wanted)
            checks.validate(found.claims)
        except (JoseError, ValueError) as error:
            log.warning("a token of the provider of identities is not valid", error=str(error))
            raise ProviderTrouble from error
        audience = found.claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and found.claims.get("azp") != self.section.client_id:
            raise ProviderTrouble
        return dict(found.claims)

    def _decoded(self, token: str) -> Any:
        """Return a token whose signature is right; the keys are asked for again if it is not, since a provider changes them."""
        from joserfc import jwt  # noqa: PLC0415 - an extra
        from joserfc.errors import JoseError  # noqa: PLC0415 - an extra

        try:
            return jwt.decode(token, self._keys(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            if self._age_s("keys") < FRESH_S:
                raise
            self._kept.pop("keys", None)
        return jwt.decode(token, self._keys(), algorithms=ALGORITHMS)

    def _age_s(self, name: str) -> float:
        kept = self._kept.get(name)
        return 0.0 if kept is None else time.monotonic() + KEPT_S - kept[0]

    def _keys(self) -> Any:
        from joserfc.jwk import KeySet  # noqa: PLC0415 - an extra

        return KeySet.import_key_set(self._get("keys", self._described("jwks_uri")))  # type: ignore[arg-type]  # JSON

    def _described(self, name: str) -> str:
        found = self._description().get(name)
        if not isinstance(found, str):
            raise ProviderTrouble(f"the provider's description names no {name}")
        return found

    def _description(self) -> Mapping[str, Any]:
        address = f"{self.section.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._get("description", address)
        if found.get("issuer") != self.section.issuer:
            raise ProviderTrouble(f"the provider calls itself {found.get('issuer')!r}: write that as oidc.issuer")
        return found

    def _get(self, name: str, address: str) -> Mapping[str, Any]:
        kept = self._kept.get(name)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        found = self._ask("GET", address, {"accept": "application/json"})
        self._kept[name] = (time.monotonic() + KEPT_S, found)
        return found

    def _ask(
        self, method: str, address: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> Mapping[str, Any]:
        try:
            answer = self._http().send(method, address, headers=headers, content=content)
            found = msgspec.json.decode(answer.content, type=dict[str, Any])
        except (ConnectorError, msgspec.DecodeError) as error:
            log.warning(
                "the provider of identities did not answer as it should", method=method, error=type(error).__name__
            )
            raise ProviderTrouble from error
        if answer.status != 200:
            said = Redactor([self._secret()]).redact(str(found.get("error", "")))[:100]
            log.warning("the provider of identities refused", method=method, status=answer.status, error=said)
            raise ProviderTrouble
        return found

    def _http(self) -> Http:
        from hub.sdk.http import open_guard  # noqa: PLC0415 - pages without a provider need none

        if self._given is not None:
            return self._given
        if self._guard is None:
            self._guard = open_guard(allow_private=self.section.allow_private, secrets=[self._secret()])
        return self._guard

    def close(self) -> None:
        """Close the connections to it."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def _secret(self) -> str:
        secret = self.section.client_secret
        if not isinstance(secret, SecretReference):
            return ""
        found = read_secrets(self.hub.settings, [secret], at="oidc.client_secret")
        return found[0].get_secret_value()


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a code verifier (RFC 7636)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def with_query(address: str, query: Mapping[str, str]) -> str:
    """Return an address with more parameters."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


# ---------------------------------------------------------------------------------------------------------- its people


def meet(hub: Hub, section: OidcSection, claims: Mapping[str, Any]) -> User:
    """Return the user of these claims, made at the first log-in; the role follows the groups at each. Raises BadAccount."""
    role = role_of(section.roles, claims.get(section.groups_claim))
    if role is None:
        _end_sessions(hub, section.issuer, str(claims["sub"]))
        raise BadAccount("none of your groups has a role here: ask an admin to name one in oidc.roles")
    subject = str(claims["sub"])
    with hub.store.database.write() as conn:
        user = hub.store.users.of_provider(section.issuer, subject, conn=conn)
        if user is None:
            user = _add(hub, conn, {**claims, "sub": subject}, issuer=section.issuer, role=role)
        elif user.disabled_at is not None:
            raise BadAccount("this account is closed: ask an admin")
        elif user.role != role:
            user = hub.store.users.change(conn, replace(user, role=role))
            hub.store.sessions.end_all(conn, user.id)
            _note(hub, conn, "user changed", user)
    return user


def _end_sessions(hub: Hub, issuer: str, subject: str) -> None:
    """End the sessions of a person whose groups have no role any more."""
    with hub.store.database.write() as conn:
        hub.store.sessions.end_of_provider(conn, issuer, subject=subject, session=None)


def _text(claim: Any) -> str | None:
    return claim if isinstance(claim, str) and claim else None


def role_of(roles: Mapping[str, Role], groups: Any) -> Role | None:
    """Return the role that goes farthest of those that a person's groups have, None if none has one."""
    named: Sequence[Any] = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    found = {roles[one] for one in named if isinstance(one, str) and one in roles}
    return next((role for role in reversed(ROLES) if role in found), None)


def _add(hub: Hub, conn: Connection, claims: Mapping[str, Any], *, issuer: str, role: Role) -> User:
    """Add a user under a name that is free: a local account of the same name is another person's."""
    wanted = str(claims.get("preferred_username") or claims.get("email") or claims["sub"]).partition("@")[0]
    try:
        name = fold_name(wanted)
    except BadAccount:
        name = f"user-{new_token()[:8].lower().replace('_', '-')}"
    full_name = str(claims.get("name") or wanted)[:100]
    mail = str(claims["email"])[:200] if claims.get("email") else None
    for number in range(1, 100):
        called = name if number == 1 else f"{name[:60]}.{number}"
        fresh = User(0, called, full_name, role, hub.now(), mail=mail, issuer=issuer)
        try:
            user = hub.store.users.add(conn, fresh, subject=claims["sub"])
        except Conflict:
            continue
        _note(hub, conn, "user", user)
        return user
    raise BadAccount(f"too many users are called {name}: ask an admin")


def _note(hub: Hub, conn: Connection, word: str, user: User) -> None:
    entry = AuditEntry(word, user.name, "hub", {"role": user.role, "by": user.issuer})
    hub.store.audit.note_in(conn, entry, now=hub.now())
