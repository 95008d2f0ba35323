"""Tokens of a provider of identities: only those that it signed for us, for this log-in, now."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from hub.config.people import OidcSection
from hub.core.accounts import BadAccount
from hub.core.errors import Unavailable
from hub.flow.accounts.entrance import session_of
from hub.flow.accounts.provider import LOGGED_OUT, Provider, ProviderTrouble, challenge_of, role_of
from hub.flow.actions import users
from hub.sdk.context import HttpResponse
from hub.testkit.fakes import FakeHttp
from tests.hub.flow.accounts.people import HERE
from tests.hub.flow.accounts.test_users import ADMIN
from tests.hubs import Made

NewHub = Callable[..., Made]
ISSUER = "https://id.example"
DESCRIPTION = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth?x=1",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "userinfo_endpoint": f"{ISSUER}/me",
    "end_session_endpoint": f"{ISSUER}/end",
}


@cache
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "a"}, private=True)


@cache
def other_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "a"}, private=True)


@dataclass
class Stage:
    """A hub and its provider, which answers with `token` and `told`."""

    made: Made
    provider: Provider
    http: FakeHttp
    answers: dict[str, Any]

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(self.made.clock().timestamp())
        own = {"iss": ISSUER, "aud": "hub", "sub": "s-1", "iat": now, "exp": now + 300, "groups": ["agents"]}
        return {**own, "preferred_username": "Bea", "name": "Bea Berg", "email": "bea@id.example", **more}

    def finish(
        self, claims: Mapping[str, Any], *, signer: Any = None, alg: str = "RS256", nonce: str | None = None
    ) -> Any:
        """Go through a log-in whose token has these claims (None: left out)."""
        _, begun = self.provider.begin("/")
        said = {"nonce": begun.nonce if nonce is None else nonce, **claims}
        said = {name: value for name, value in said.items() if value is not None}
        self.answers["token"] = {"id_token": signed(said, signer, alg), "access_token": "t"}
        return self.provider.finish(begun, state=begun.state, code="c", browser=HERE)


def part(data: bytes) -> str:
    """A part of a token."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims: Mapping[str, Any], signer: Any = None, alg: str = "RS256") -> str:
    return jwt.encode({"alg": alg, "kid": "a"}, dict(claims), signer or key(), algorithms=[alg])


@pytest.fixture
def stage(new_hub: NewHub, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("SECRET", "se+cret")
    made = new_hub()
    section = {
        "issuer": ISSUER,
        "client_id": "hub",
        "client_secret": {"env": "SECRET"},
        "roles": {"agents": "agent", "boss": "admin"},
    }
    made.hub.settings = made.hub.settings.model_copy(update={"oidc": OidcSection.model_validate(section)})
    answers: dict[str, Any] = {"description": DESCRIPTION, "keys": {"keys": [key().as_dict(private=False)]}, "told": {}}

    def answer(method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> HttpResponse:
        name = {"/token": "token", "/keys": "keys", "/me": "told"}.get(url.removeprefix(ISSUER), "description")
        if isinstance(found := answers[name], Exception):
            raise found
        return HttpResponse(200, {}, msgspec.json.encode(found), url)

    http = FakeHttp(answer)
    return Stage(made, Provider(made.hub, http), http, answers)


def test_who_the_provider_names_comes_in_with_the_role_of_the_group(stage: Stage) -> None:
    entered = stage.finish(stage.claims(sid="p-1"))
    found = session_of(stage.made.hub, entered.token)
    assert found is not None
    assert (found.user.name, found.user.full_name, found.user.role) == ("bea", "Bea Berg", "agent")
    assert (found.user.issuer, found.provider_session, found.waits_for_code) == (ISSUER, "p-1", False)


def test_the_address_asks_for_a_code_with_a_challenge(stage: Stage) -> None:
    url, begun = stage.provider.begin("/x")
    for piece in (
        f"code_challenge={challenge_of(begun.verifier)}",
        "code_challenge_method=S256",
        f"state={begun.state}",
        f"nonce={begun.nonce}",
    ):
        assert piece in url
    assert url.startswith(f"{ISSUER}/auth?x=1&response_type=code&client_id=hub&")
    assert begun.verifier not in url


def test_the_challenge_is_the_one_of_the_standard() -> None:
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_secret_goes_to_the_token_endpoint_alone_and_encoded(stage: Stage) -> None:
    stage.finish(stage.claims())
    sent = [one for one in stage.http.requests if one.url.endswith("/token")]
    assert [one.headers["authorization"] for one in sent] == ["Basic aHViOnNlJTJCY3JldA=="]
    assert not [one for one in stage.http.requests if "cret" in one.url or b"cret" in (one.content or b"")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["hub", "another"]},
        {"aud": ["hub", "another"], "azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"nonce": "of-another-log-in"},
        {"nonce": None},
    ],
)
def test_a_token_that_is_not_for_us_now_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderTrouble):
        stage.finish({**stage.claims(), **wrong})
    assert stage.made.hub.store.users.all() == []


def test_several_audiences_are_taken_if_the_token_is_ours(stage: Stage) -> None:
    assert stage.finish(stage.claims(aud=["hub", "another"], azp="hub"))


def test_a_token_by_another_key_or_method_is_refused(stage: Stage) -> None:
    with pytest.raises(ProviderTrouble):
        stage.finish(stage.claims(), signer=other_key())
    _, begun = stage.provider.begin("/")
    body = msgspec.json.encode({**stage.claims(), "nonce": begun.nonce})
    plain = ".".join((part(b'{"alg":"none"}'), part(body), ""))
    head = ".".join((part(b'{"alg":"HS256","kid":"a"}'), part(body)))
    confused = f"{head}.{part(hmac.digest(key().as_pem(private=False), head.encode(), 'sha256'))}"
    for token in (plain, confused, "", "x.y.z", plain[:-1]):
        stage.answers["token"] = {"id_token": token}
        with pytest.raises(ProviderTrouble):
            stage.provider.finish(begun, state=begun.state, code="c", browser=HERE)


@pytest.mark.parametrize(("state", "code"), [("other", "c"), ("", "c"), (None, "")])
def test_an_answer_to_another_question_is_refused(stage: Stage, state: str | None, code: str) -> None:
    _, begun = stage.provider.begin("/")
    with pytest.raises(ProviderTrouble):
        stage.provider.finish(begun, state=begun.state if state is None else state, code=code, browser=HERE)
    assert not [one for one in stage.http.requests if one.url.endswith("/token")]


def test_groups_that_the_token_lacks_are_asked_for_and_only_of_the_same_person(stage: Stage) -> None:
    stage.answers["told"] = {"sub": "s-1", "groups": ["boss"]}
    assert stage.finish(stage.claims(groups=None)).user.role == "admin"
    stage.answers["told"] = {"sub": "s-2", "groups": ["boss"]}
    with pytest.raises(BadAccount, match="none of your groups"):
        stage.finish(stage.claims(sub="s-3", groups=None))


def test_a_role_follows_the_groups_at_each_log_in_and_ends_older_sessions(stage: Stage) -> None:
    first = stage.finish(stage.claims())
    second = stage.finish(stage.claims(groups=["boss"]))
    assert session_of(stage.made.hub, first.token) is None
    found = session_of(stage.made.hub, second.token)
    assert found is not None
    assert found.user.role == "admin"


def test_who_has_no_role_any_more_is_logged_out(stage: Stage) -> None:
    first = stage.finish(stage.claims())
    with pytest.raises(BadAccount, match="role"):
        stage.finish(stage.claims(groups=[]))
    assert session_of(stage.made.hub, first.token) is None


def test_keys_that_the_provider_changed_are_asked_for_again_and_not_at_every_bad_token(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.finish(stage.claims())
    stage.answers["keys"] = {"keys": [other_key().as_dict(private=False)]}
    with pytest.raises(ProviderTrouble):
        stage.finish(stage.claims(), signer=other_key())
    monkeypatch.setattr(stage.provider, "_age_s", lambda _: 61.0)
    assert stage.finish(stage.claims(), signer=other_key())


def test_a_closed_account_stays_closed(stage: Stage) -> None:
    stage.finish(stage.claims())
    users.disable(stage.made.hub, ADMIN, "bea")
    with pytest.raises(BadAccount, match="closed"):
        stage.finish(stage.claims())


@pytest.mark.parametrize("called", ["../../x", "", "\u202e", "<script>", None])
def test_a_name_that_is_none_becomes_one(stage: Stage, called: str | None) -> None:
    user = stage.finish(stage.claims(preferred_username=called, email=None, name=called)).user
    assert user.name.isascii()
    assert "<" not in user.name


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["agents"], "agent"),
        (["agents", "boss"], "admin"),
        ("boss", "admin"),
        ([], None),
        (None, None),
        ([1, {}], None),
        ({"boss": 1}, None),
    ],
)
def test_the_group_that_goes_farthest_counts(groups: Any, role: str | None) -> None:
    assert role_of({"agents": "agent", "boss": "admin"}, groups) == role


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("description", {**DESCRIPTION, "issuer": "https://evil.example"}),
        ("description", {"issuer": ISSUER}),
        ("description", Unavailable("x")),
    ],
)
def test_a_provider_that_is_not_what_it_says_is_told(stage: Stage, name: str, answer: Any) -> None:
    stage.answers[name] = answer
    with pytest.raises(ProviderTrouble):
        stage.provider.begin("/")


# --------------------------------------------------------------------------------------------------- the end of sessions


def logout(stage: Stage, **more: Any) -> str:
    now = int(stage.made.clock().timestamp())
    own = {"iss": ISSUER, "aud": "hub", "iat": now, "events": {LOGGED_OUT: {}}, "sid": "p-1"}
    return signed({name: value for name, value in {**own, **more}.items() if value is not None})


def test_the_provider_ends_one_session_or_all_of_a_person(stage: Stage) -> None:
    tokens = [stage.finish(stage.claims(sid=sid)).token for sid in ("p-1", "p-2")]
    assert stage.provider.end_sessions(logout(stage)) == 1
    assert [session_of(stage.made.hub, one) is None for one in tokens] == [True, False]
    assert stage.provider.end_sessions(logout(stage, sid=None, sub="s-1")) == 1


def test_a_session_that_the_provider_gave_no_name_ends_with_its_person(stage: Stage) -> None:
    token = stage.finish(stage.claims()).token
    assert stage.provider.end_sessions(logout(stage, sub="s-1")) == 1
    assert session_of(stage.made.hub, token) is None


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "e30.e30.e30", "\ufffd" * 9, "bnVsbA.bnVsbA.bnVsbA", "W10.W10.W10"]
)
def test_what_is_no_token_is_told_so(stage: Stage, token: str) -> None:
    with pytest.raises(ProviderTrouble):
        stage.provider.end_sessions(token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": {}},
        {"events": None},
        {"nonce": "n"},
        {"sid": None},
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"events": 7},
        {"events": LOGGED_OUT},
        {"sid": 7},
        {"iat": 1},
    ],
)
def test_what_is_no_logout_token_ends_nothing(stage: Stage, wrong: dict[str, Any]) -> None:
    token = stage.finish(stage.claims(sid="p-1")).token
    with pytest.raises(ProviderTrouble):
        stage.provider.end_sessions(logout(stage, **wrong))
    assert session_of(stage.made.hub, token)


def test_an_id_token_ends_no_session(stage: Stage) -> None:
    token = stage.finish(stage.claims(sid="p-1")).token
    with pytest.raises(ProviderTrouble):
        stage.provider.end_sessions(signed(stage.claims(sid="p-1")))
    assert session_of(stage.made.hub, token)
    stage.made.clock.pass_(seconds=timedelta(hours=1).total_seconds())
    assert (
        stage.provider.end_address()
        == f"{ISSUER}/end?client_id=hub&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A8600%2Flogin"
    )
