"""What statuses and Retry-After mean, and what is hidden from logs and errors."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import RateLimited, Rejected, Retryable, Unauthorised, Unavailable
from hub.sdk.http import open_guard
from hub.sdk.http.errors import error_for, retry_after
from hub.sdk.http.redaction import HIDDEN, Redactor
from hub.testkit.fakes import answer
from hub.testkit.server import LocalServer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("2026-01-02T03:04:15Z", 10.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_a_date_is_read_against_the_servers_own_clock_where_none_is_given() -> None:
    headers = {"retry-after": "Fri, 02 Jan 2026 03:05:05 GMT", "date": "Fri, 02 Jan 2026 03:04:35 GMT"}
    assert retry_after(headers) == 30.0
    assert retry_after({"retry-after": headers["retry-after"]}) is None


@given(st.text())
def test_any_retry_after_gives_seconds_or_nothing(value: str) -> None:
    found = retry_after({"retry-after": value}, NOW)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorised),
        (429, RateLimited),
        *((status, Unavailable) for status in (408, 425, 500, 502, 503, 504, 529)),
        *((status, Rejected) for status in (400, 403, 404, 409, 410, 413, 422)),
    ],
)
def test_a_status_is_named_by_what_the_engine_must_do(status: int, kind: type) -> None:
    error = error_for(answer(status, {"why": "x"}, headers={"Retry-After": "9"}))
    assert type(error) is kind
    assert error is not None
    assert (error.code, error.details["status"], error.details["body"]) == (str(status), status, '{"why":"x"}')
    assert not isinstance(error, Retryable) or error.retry_after == 9.0


@pytest.mark.parametrize("status", [200, 201, 204, 302])
def test_success_is_no_error(status: int) -> None:
    assert error_for(answer(status)) is None


def test_the_body_of_an_error_is_kept_short() -> None:
    error = error_for(answer(500, content="ü".encode() * 5000))
    assert error is not None
    assert error.details["body"] == "ü" * 1999 + "…"


# ------------------------------------------------------------------------------------------------------------- redaction

SECRET = 'p"ss wörd/+='


@pytest.mark.parametrize(
    "text",
    [
        f"the password is {SECRET}!",
        "p%22ss%20w%C3%B6rd%2F%2B%3D",
        "p%22ss+w%C3%B6rd%2F%2B%3D",
        r'{"x": "p\"ss w\u00f6rd/+="}',
    ],
)
def test_a_known_secret_is_hidden_in_every_spelling(text: str) -> None:
    redacted = Redactor([SECRET]).redact(text)
    assert HIDDEN in redacted
    assert "ss" not in redacted.replace("password", "")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("{'Authorization': 'Basic QWxhZGRpbg=='}", "{'Authorization': '***'}"),
        ("got Bearer eyJhbGciOiJI back", "got Bearer *** back"),
        ("https://x/y?access_token=abc&z=1#f", "https://x/y?access_token=***&z=1#f"),
        ("https://x/y?z=1&API_KEY=abc", "https://x/y?z=1&API_KEY=***"),
        ("https://x/y?key=abc&pwd=def", "https://x/y?key=***&pwd=***"),
        ("https://x/y?X-Amz-Signature=abc&sub_key=d", "https://x/y?X-Amz-Signature=***&sub_key=***"),
        ('{"refreshJwt": "abc", "did": "d"}', '{"refreshJwt": "***", "did": "d"}'),
        ("https://me:pw@host/x", "https://***@host/x"),
        ("Set-Cookie: sid=1; Path=/", "Set-Cookie: ***"),
        ("a token of love, the key to success", "a token of love, the key to success"),
        ("https://x/y?page=2&keyword=z", "https://x/y?page=2&keyword=z"),
    ],
)
def test_credentials_are_hidden_where_they_usually_stand(text: str, redacted: str) -> None:
    assert Redactor().redact(text) == redacted


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert Redactor(["abcd", "abcdefgh"]).redact("abcdefgh abcd") == "*** ***"


def test_a_secret_learnt_on_the_way_is_hidden_and_a_tiny_one_is_not() -> None:
    redactor = Redactor(["", "a"])
    redactor.learn("session-1")
    assert redactor.redact("a session-1") == "a ***"


def test_headers_and_details_are_redacted() -> None:
    redactor = Redactor(["hunter22"])
    headers = {"Authorization": "x", "X-Api-Key": "y", "Idempotency-Key": "z", "X-A": "hunter22", "Cookie": "c"}
    shown = {"Authorization": HIDDEN, "X-Api-Key": HIDDEN, "Idempotency-Key": "z", "X-A": HIDDEN, "Cookie": HIDDEN}
    assert redactor.redact_headers(headers) == shown
    details = {"a": ["hunter22", {"token": "t", "n": 1, "none": None}]}
    assert redactor.redact_value(details) == {"a": [HIDDEN, {"token": HIDDEN, "n": 1, "none": None}]}


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor(["secret-value"])
    once = redactor.redact(text)
    assert redactor.redact(once) == once


@pytest.mark.parametrize("piece", ["bearer ", "?token=", "authorization:", "a://b:", '"token":"', "cookie: "])
def test_redaction_takes_linear_time(piece: str) -> None:
    long = piece * (1_000_000 // len(piece))
    assert len(Redactor(["secret-value"]).redact(long)) > 0


def test_the_guard_logs_without_secrets_and_without_what_a_path_may_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reply = answer(200, headers={"Set-Cookie": "sid=c00kie-value"})
    with LocalServer(lambda _: reply) as server, open_guard(allow_private=True, secrets=("s3cret-part",)) as guard:
        guard.send(
            "GET", f"{server.url}/@eve/s3cret-part?token=t0ken-value", headers={"Authorization": "Bearer b3arer-value"}
        )
    written = "\n".join(record.getMessage() for record in caplog.records)
    assert f"GET {server.url.removeprefix('http://')}: 200" in written
    assert not any(secret in written for secret in ("@eve", "s3cret", "t0ken", "b3arer", "c00kie"))
