"""Credentials: fixed ones, tokens that are minted, renewed and told to the redactor."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hub.core.errors import ConnectorError, RateLimited, Unauthorised, Unavailable, Uncertain
from hub.sdk.http import open_guard
from hub.sdk.http.auth import Basic, Bearer, ClientCredentials, JwtBearer, RefreshToken, TokenEndpoint
from hub.testkit.fakes import Answer, FakeClock, FakeHttp, MemoryState, answer, context

POINT = TokenEndpoint(url="https://id.example/token")


def form(http: FakeHttp, index: int = -1) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((http.requests[index].content or b"").decode()).items()}


def granted(token: str, **more: Any) -> Answer:
    return answer(200, {"access_token": token, "token_type": "bearer", **more})


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        (Bearer("abc"), {"Authorization": "Bearer abc"}),
        (Bearer("1-2-x", scheme="token"), {"Authorization": "token 1-2-x"}),
        (Bearer("k", scheme="", header="X-Api-Key"), {"X-Api-Key": "k"}),
        (Basic("ann", "pä:ss"), {"Authorization": "Basic YW5uOnDDpDpzcw=="}),
    ],
)
def test_fixed_credentials_are_a_header_and_nobody_renews_them(auth: Any, headers: dict[str, str]) -> None:
    ctx = context()
    assert auth.headers(ctx) == headers
    assert auth.renew(ctx, headers) is False


def test_the_code_of_a_name_and_password_is_hidden_like_the_password() -> None:
    http = FakeHttp()
    Basic("ann", "secret").headers(context(http))
    assert [b64decode(one) for one in http.secrets] == [b"ann:secret"]


def test_a_client_asks_once_and_again_when_the_token_is_worn() -> None:
    http, clock = FakeHttp([granted("t1", expires_in=600), granted("t2")]), FakeClock()
    ctx, auth = context(http, clock=clock), ClientCredentials(POINT, "id", "s3cret", scope="read")
    assert [auth.token(ctx), auth.token(ctx)] == ["t1", "t1"]
    clock.advance(541)
    assert auth.headers(ctx) == {"Authorization": "Bearer t2"}
    wanted = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "s3cret", "scope": "read"}
    assert form(http) == wanted
    assert http.secrets == ["t1", "t1", "t2", "t2"]


def test_a_minted_token_is_hidden_by_the_guard() -> None:
    with open_guard() as guard:
        guard.learn_secret("t0ken-of-today")
        assert guard.redact("it was t0ken-of-today") == "it was ***"


def test_old_tokens_are_forgotten_and_configured_secrets_are_not() -> None:
    with open_guard(secrets=("configured",)) as guard:
        for number in range(100):
            guard.learn_secret(f"token-{number:03}")
        assert guard.redact("configured token-000 token-099") == "*** token-000 ***"


def test_threads_that_come_with_one_refused_token_share_the_new_one() -> None:
    http = FakeHttp([granted("t1"), granted("t2")])
    ctx, auth = context(http), ClientCredentials(POINT, "id", "s3cret")
    spent = auth.headers(ctx)
    assert auth.renew(ctx, spent)
    assert auth.renew(ctx, spent)
    assert (auth.token(ctx), len(http.requests)) == ("t2", 2)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(400, {"error": "invalid_client", "error_description": "unknown"}), Unauthorised),
        (answer(401), Unauthorised),
        (answer(200, {"error": "invalid_grant"}), Unauthorised),
        (answer(200, {"token_type": "bearer"}), Unavailable),
        (answer(200, content=b"<html>"), Unavailable),
        (answer(302), Unauthorised),
        (answer(429, headers={"retry-after": "9"}), RateLimited),
        (answer(400, {"error": "Login Rate Exceeded"}), RateLimited),
        (answer(500), Unavailable),
        (Uncertain("no answer"), Unavailable),
    ],
)
def test_a_refused_grant_says_what_can_be_done(reply: Answer, kind: type[ConnectorError]) -> None:
    point = TokenEndpoint(url="https://id.example/token", busy=("login rate exceeded",))
    with pytest.raises(ConnectorError) as caught:
        ClientCredentials(point, "id", "s3cret").token(context(FakeHttp([reply])))
    assert type(caught.value) is kind


def test_a_form_may_go_as_json() -> None:
    http = FakeHttp([granted("t1")])
    point = TokenEndpoint(url="https://id.example/token", as_json=True)
    ClientCredentials(point, "id", "s3cret").token(context(http))
    assert http.requests[0].json()["client_secret"] == "s3cret"


# ----------------------------------------------------------------------------------------------------------------- JWT


def test_a_statement_is_signed_with_the_private_key() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    http, clock = FakeHttp([granted("t1")]), FakeClock()
    auth = JwtBearer(POINT, lambda: pem, {"iss": "app", "sub": "ann@x", "aud": "https://id.example"})
    assert auth.token(context(http, clock=clock)) == "t1"
    said = jwt.decode(
        form(http)["assertion"],
        key.public_key(),
        ["RS256"],
        options={"verify_exp": False},
        audience="https://id.example",
    )
    assert said["exp"] == int((clock.at + timedelta(minutes=3)).timestamp())
    assert (said["iss"], said["sub"]) == ("app", "ann@x")


def test_a_key_that_cannot_sign_is_unauthorised_and_not_shown() -> None:
    with pytest.raises(Unauthorised, match="the private key cannot sign") as caught:
        JwtBearer(POINT, lambda: "-----BEGIN NOTHING-----", {}).token(context())
    assert "NOTHING" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------------- refresh


def refreshing(first: str = "r1") -> RefreshToken:
    return RefreshToken(POINT, {"client_id": "id"}, first)


def test_a_refresh_token_that_changes_is_kept_for_the_next_process() -> None:
    http, state = FakeHttp([granted("a1", refresh_token="r2", expires_in=600), granted("a2")]), MemoryState()
    clock = FakeClock()
    ctx = context(http, state=state, clock=clock)
    assert refreshing().token(ctx) == "a1"
    assert refreshing().token(ctx) == "a1"
    clock.advance(600)
    assert refreshing().token(ctx) == "a2"
    assert [form(http, index)["refresh_token"] for index in (0, 1)] == ["r1", "r2"]
    assert {"r1", "r2", "a1", "a2"} <= set(http.secrets)


def test_a_refused_token_is_replaced_and_what_another_process_got_is_taken_first() -> None:
    http, state = FakeHttp([granted("a1", refresh_token="r2"), granted("a2", refresh_token="r3")]), MemoryState()
    ctx, here, there = context(http, state=state), refreshing(), refreshing()
    assert (here.token(ctx), there.token(ctx)) == ("a1", "a1")
    assert here.token(ctx, spent="a1") == "a2"
    assert there.token(ctx, spent="a1") == "a2"
    assert len(http.requests) == 2


def test_a_race_for_one_refresh_token_is_lost_without_harm() -> None:
    state = MemoryState()

    def ask(*_: Any) -> Answer:
        refreshing().token(context(FakeHttp([granted("a2", refresh_token="r3")]), state=state))
        return answer(400, {"error": "invalid_grant"})

    assert refreshing().token(context(FakeHttp(ask), state=state)) == "a2"


def test_a_new_consent_replaces_what_was_kept() -> None:
    http, state = FakeHttp([granted("a1", refresh_token="r2"), granted("b1")]), MemoryState()
    ctx = context(http, state=state)
    refreshing("r1").token(ctx)
    assert refreshing("new").token(ctx) == "b1"
    assert form(http)["refresh_token"] == "new"


def test_a_consent_that_was_taken_back_is_unauthorised() -> None:
    with pytest.raises(Unauthorised, match="invalid_grant"):
        refreshing().token(context(FakeHttp([answer(400, {"error": "invalid_grant"})])))
