"""The door: zenpy's defects kept out, errors named, credentials worn with care."""

from __future__ import annotations

import base64
import logging
import time
from typing import Any

import pytest

from hub import ConnectorError, Context, RateLimited, Rejected, Retryable, Unauthorised, Unavailable, Uncertain
from hub.testkit.fakes import FakeClock, FakeHttp, answer, context
from plugins.zendesk.client import ZendeskClient, auth_of
from plugins.zendesk.config import ZendeskOptions

OK = answer(200, {"ok": True})
BEARER = ZendeskOptions(subdomain="acme", token="first-token")
CLIENT = ZendeskOptions(subdomain="acme", client_id="hub", client_secret="hush")


def client_over(answers: Any, options: ZendeskOptions = BEARER) -> tuple[ZendeskClient, FakeHttp, Context]:
    http = FakeHttp(answers)
    ctx = context(http)
    return ZendeskClient(options, ctx, auth_of(options)), http, ctx


def failure(given: Any, method: str = "GET") -> ConnectorError:
    client, _, _ = client_over([given])
    with pytest.raises(ConnectorError) as caught:
        client.get("tickets") if method == "GET" else getattr(client, method.lower())("tickets", {})
    return caught.value


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0.5", 0.5), ("Fri, 02 Jan 2026 03:05:05 GMT", 60), ("soon", None), ("0", 0), (None, None)],
)
def test_a_429_is_ours_at_once_and_zenpy_never_sleeps(header: str | None, seconds: float | None) -> None:
    began = time.monotonic()
    error = failure(answer(429, {"error": "APIRateLimitExceeded"}, headers={"Retry-After": header} if header else {}))
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    ("status", "body", "method", "kind"),
    [
        (400, {"error": "TooManyValues", "description": "no"}, "POST", Rejected),
        (401, {"error": "invalid_token"}, "GET", Unauthorised),
        (401, {"error": "Couldn't authenticate you"}, "POST", Unauthorised),
        (403, {"error": {"title": "Forbidden", "message": "You do not have access"}}, "POST", Rejected),
        (403, {"error": "insufficient_scope", "error_description": "no scope"}, "POST", Unauthorised),
        (404, {"error": "RecordNotFound", "description": "Not found"}, "GET", Rejected),
        (409, {"error": "Conflict"}, "PUT", Retryable),
        (422, {"error": "RecordInvalid"}, "POST", Rejected),
        (500, {"error": "InternalError"}, "POST", Unavailable),
        (500, None, "PUT", Uncertain),
        (503, None, "PUT", Unavailable),
        (502, None, "GET", Unavailable),
    ],
)
def test_statuses_mean_what_the_engine_must_do(status: int, body: Any, method: str, kind: type) -> None:
    assert type(failure(answer(status, body), method)) is kind


def test_a_refused_record_names_its_field() -> None:
    said = [{"description": "Email: x is already being used by another user", "error": "DuplicateValue"}]
    error = failure(answer(422, {"error": "RecordInvalid", "description": "Record errors", "details": {"email": said}}))
    assert isinstance(error, Rejected)
    assert (error.field, error.code, str(error)) == ("email", "RecordInvalid", said[0]["description"])


@pytest.mark.parametrize("body", [b"<html>502 Bad Gateway</html>", b"[]", b"[1]", b"", b"null", b'"text"', b"\xff"])
@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_an_answer_of_any_shape_ends_in_one_of_our_errors(status: int, body: bytes) -> None:
    assert isinstance(failure(answer(status, content=body)), ConnectorError)


def test_a_success_without_json_is_a_doubt_for_a_write_only() -> None:
    page = answer(200, content=b"<html>log in</html>")
    assert type(failure(page, "POST")) is Uncertain
    assert type(failure(page, "GET")) is Unavailable


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_of_a_write_is_no_success(status: int) -> None:
    client, http, _ = client_over([answer(status, headers={"Location": "https://www.zendesk.com/"}), OK])
    with pytest.raises(Rejected, match="subdomain"):
        client.post("tickets", {"ticket": {}})
    assert len(http.requests) == 1


def test_the_environment_does_not_turn_requests_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENPY_FORCE_NETLOC", "evil.example")
    monkeypatch.setenv("ZENPY_FORCE_SCHEME", "http")
    client, http, _ = client_over([OK])
    client.get("users/me")
    assert http.requests[0].url == "https://acme.zendesk.com/api/v2/users/me"


def test_a_local_server_is_reached_by_the_origin_of_the_options() -> None:
    options = ZendeskOptions(subdomain="acme", token="t", base_url="http://127.0.0.1:8703/")
    client, http, _ = client_over([OK], options)
    client.get("tickets", external_id="a:b")
    assert http.requests[0].url == "http://127.0.0.1:8703/api/v2/tickets?external_id=a%3Ab"


def test_an_api_token_goes_with_its_email() -> None:
    options = ZendeskOptions(subdomain="acme", email="ada@example.com", api_token="tok")
    client, http, _ = client_over([OK], options)
    client.get("users/me")
    sent = http.requests[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"ada@example.com/token:tok"


def grant(token: str, seconds: int = 7200) -> Any:
    return answer(200, {"access_token": token, "token_type": "bearer", "expires_in": seconds})


def test_client_credentials_get_a_token_once_and_keep_it() -> None:
    client, http, ctx = client_over([grant("a"), OK, OK], CLIENT)
    client.get("users/me")
    client.get("users/me")
    assert [request.url.rsplit("/", 1)[1] for request in http.requests] == ["tokens", "me", "me"]
    assert http.requests[2].headers["authorization"] == "Bearer a"
    assert ctx.state.get("token") is None


def test_an_expired_token_is_renewed_before_it_is_used() -> None:
    auth, clock = auth_of(CLIENT), FakeClock()
    ctx = context(FakeHttp([grant("a", 3600), grant("b")]), clock=clock)
    assert auth.headers(ctx) == {"Authorization": "Bearer a"}
    clock.advance(3600)
    assert auth.headers(ctx) == {"Authorization": "Bearer b"}


def test_a_401_renews_the_token_once_and_sends_again() -> None:
    client, http, _ = client_over([grant("a"), answer(401, {"error": "invalid_token"}), grant("b"), OK], CLIENT)
    assert client.post("tickets", {}, key="k").data == {"ok": True}
    assert http.requests[3].headers["authorization"] == "Bearer b"
    assert http.requests[3].headers["idempotency-key"] == "k"


def test_a_second_401_is_the_engines() -> None:
    refused = answer(401, {"error": "invalid_token"})
    client, http, _ = client_over([grant("a"), refused, grant("b"), refused], CLIENT)
    with pytest.raises(Unauthorised):
        client.get("users/me")
    assert len(http.requests) == 4


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"}), Unauthorised),
        (answer(400, {"error": "invalid_scope"}), Unauthorised),
        (answer(200, {}), Unavailable),
        (answer(503), Unavailable),
        (Uncertain("no answer"), Unavailable),
    ],
)
def test_a_token_that_cannot_be_had_says_why(given: Any, kind: type) -> None:
    client, _, _ = client_over([given], CLIENT)
    with pytest.raises(kind):
        client.get("users/me")


def test_no_secret_and_no_body_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client, _, _ = client_over([grant("secret-token"), OK], CLIENT)
    client.post("tickets", {"ticket": {"comment": {"body": "private words"}}})
    assert not [word for word in ("hush", "secret-token", "private words") if word in caplog.text]
    assert "hush" not in repr(CLIENT)


def test_paging_stops_at_its_limit_with_a_doubt() -> None:
    endless = answer(200, {"audits": [{}], "meta": {"has_more": True, "after_cursor": "x"}})
    client, http, _ = client_over(lambda *_: endless)
    with pytest.raises(Uncertain):
        list(client.pages("tickets/1/audits", "audits"))
    assert len(http.requests) == 100
    assert "page%5Bafter%5D=x" in http.requests[1].url


def test_a_next_link_to_another_host_is_not_followed() -> None:
    first = answer(200, {"audits": [{}], "links": {"next": "https://evil.example/"}, "meta": {"has_more": False}})
    client, http, _ = client_over([first])
    assert [one.data for one in client.pages("tickets/1/audits", "audits")] == [{}]
    assert len(http.requests) == 1
