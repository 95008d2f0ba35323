"""A vendor's API over the guard: renewing, doubts, the table of errors, pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.core.errors import (
    ConnectorError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.sdk.connectors import HttpResponse
from hub.sdk.http import open_guard
from hub.sdk.http.adapters import Tap, requests_session
from hub.sdk.http.api import Api, by_cursor, by_link, by_number, by_url
from hub.sdk.http.auth import Bearer
from hub.sdk.http.errors import ErrorTable, Refusal, refusal_of, wait_of
from hub.sdk.rates import next_midnight
from hub.testkit.fakes import START, Answer, FakeHttp, answer, context
from hub.testkit.server import LocalServer

BASE = "https://api.example/v2"


def api(*answers: Answer, **more: Any) -> tuple[Api, FakeHttp]:
    http = FakeHttp(answers)
    return Api(context(http), BASE, auth=Bearer("t0ken"), **more), http


# ------------------------------------------------------------------------------------------------------------ requests


def test_a_read_gives_json_and_sends_parameters_and_credentials() -> None:
    door, http = api(answer(200, {"me": {"name": "Ann"}}))
    assert door.get("/me", {"q": "a b", "ids": [1, 2]}).doc.text("me.name") == "Ann"
    sent = http.requests[0]
    assert (sent.method, sent.url) == ("GET", f"{BASE}/me?q=a+b&ids=1&ids=2")
    assert (sent.headers["authorization"], sent.headers["accept"]) == ("Bearer t0ken", "application/json")


def test_a_write_sends_json_or_a_form_and_names_what_was_made() -> None:
    door, http = api(answer(201, {"note": {"id": 7}}), answer(204))
    assert door.post("notes", {"text": "ü"}).named("note.id") == "7"
    assert door.post("forms", form={"a": "ü&"}).status == 204
    assert [one.content for one in http.requests] == ['{"text":"ü"}'.encode(), b"a=%C3%BC%26"]
    assert http.requests[1].headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_write_that_names_nothing_is_a_doubt() -> None:
    with pytest.raises(Uncertain, match=r"note\.id"):
        api(answer(200, {"note": {}}))[0].post("notes", {}).named("note.id")


PAGE = answer(200, content=b"<h1>Sign in</h1>")
ODD = {
    "a page": PAGE,
    "a number": answer(200, json=7),
    "a word": answer(201, json="ok"),
    "null": answer(200, content=b"null"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_success_that_is_no_object_or_list_proves_no_write(method: str, odd: HttpResponse) -> None:
    with pytest.raises(Uncertain, match="no JSON object or list"):
        api(odd)[0].call(method, "notes", body={})


@pytest.mark.parametrize("odd", [*ODD.values(), answer(204)], ids=[*ODD, "nothing"])
@pytest.mark.parametrize("call", [{"method": "GET"}, {"method": "POST", "effect": "reads"}], ids=str)
def test_a_success_that_is_no_object_or_list_says_nothing_to_a_read(call: dict[str, Any], odd: HttpResponse) -> None:
    with pytest.raises(Unavailable, match="no JSON object or list"):
        api(odd)[0].call(path="notes", **call)


def test_what_a_caller_takes_for_an_answer_is_one() -> None:
    assert api(PAGE, plain=True)[0].post("hook", {}).content == b"<h1>Sign in</h1>"
    assert api(answer(204))[0].get("news", also=(204,)).data is None
    assert api(answer(404, content=b"gone"))[0].delete("notes/7").status == 404


@pytest.mark.parametrize("body", [{}, {"me": {}}, [], {"me": {"name": " "}}], ids=str)
def test_what_was_asked_for_and_is_missing_is_no_sign_that_all_is_well(body: Any) -> None:
    with pytest.raises(Unavailable, match=r"has no me\.name"):
        api(answer(200, json=body))[0].get("me").need("me.name")


def test_a_list_is_read_and_an_answer_without_one_is_no_empty_list() -> None:
    door, _ = api(answer(200, json=[1]), answer(200, {"notes": []}), answer(200, {"error": "later"}), answer(200, {}))
    assert (door.get("a").listed(), door.get("b").listed("notes")) == ([1], [])
    for path in ("", "notes"):
        with pytest.raises(Unavailable, match="has no list"):
            door.get("c").listed(path)


@pytest.mark.parametrize("content", [b"<html>login</html>", b"", b"{"])
def test_a_read_without_json_is_no_answer(content: bytes) -> None:
    with pytest.raises(Unavailable, match="no JSON"):
        api(answer(200, content=content))[0].get("me")


def test_what_is_not_there_is_deleted_already() -> None:
    door, _ = api(answer(404), answer(204), answer(403))
    assert (door.delete("notes/7").status, door.delete("notes/8").status) == (404, 204)
    with pytest.raises(Rejected):
        door.delete("notes/9")


def test_a_status_may_be_asked_for_as_an_answer() -> None:
    assert api(answer(304))[0].get("feed", also=(304,)).status == 304


# -------------------------------------------------------------------------------------------------------------- doubts


@pytest.mark.parametrize(
    ("method", "effect", "lost", "broken"),
    [
        ("POST", None, Uncertain, Uncertain),
        ("PATCH", None, Uncertain, Uncertain),
        ("PUT", None, Uncertain, Unavailable),
        ("DELETE", None, Uncertain, Unavailable),
        ("PUT", "once", Uncertain, Uncertain),
        ("POST", "again", Uncertain, Unavailable),
        ("POST", "reads", Unavailable, Unavailable),
        ("GET", None, Unavailable, Unavailable),
    ],
)
def test_a_doubt_is_what_the_calls_effect_makes_it(method: str, effect: Any, lost: type, broken: type) -> None:
    door, _ = api(Uncertain("no answer", code="dropped"), answer(502), answer(503))
    for kind in (lost, broken, Unavailable):
        with pytest.raises(ConnectorError) as caught:
            door.call(method, "x", effect=effect)
        assert type(caught.value) is kind


# ------------------------------------------------------------------------------------------------------------ renewing


class Renewing(Bearer):
    """Gets a new token as often as it is asked to."""

    def __init__(self) -> None:
        super().__init__("t0")
        self.renewed: list[Any] = []

    def renew(self, ctx: Any, spent: Any) -> bool:
        self.renewed.append(spent["Authorization"])
        self._headers = {"Authorization": f"Bearer t{len(self.renewed)}"}
        return True


def test_a_refused_credential_is_renewed_and_the_call_goes_again() -> None:
    http, auth = FakeHttp([answer(401), answer(200, {"id": 1})]), Renewing()
    assert Api(context(http), BASE, auth=auth).post("notes", {"a": 1}).named("id") == "1"
    assert [one.headers["authorization"] for one in http.requests] == ["Bearer t0", "Bearer t1"]
    assert http.requests[0].content == http.requests[1].content


def test_a_second_refusal_is_unauthorised() -> None:
    http, auth = FakeHttp([answer(401), answer(401)]), Renewing()
    with pytest.raises(Unauthorised):
        Api(context(http), BASE, auth=auth).get("me")
    assert auth.renewed == ["Bearer t0"]


def test_a_lasting_refusal_renews_once_and_not_again_before_a_success() -> None:
    answers = [answer(401), answer(401), answer(401), answer(200, {}), answer(401), answer(200, {})]
    http, auth = FakeHttp(answers), Renewing()
    door = Api(context(http), BASE, auth=auth)
    for _ in range(2):
        with pytest.raises(Unauthorised):
            door.get("me")
    assert len(auth.renewed) == 1
    assert door.get("me").status == door.get("me").status == 200
    assert len(auth.renewed) == 2


def test_a_vendors_own_word_for_a_worn_token_renews_too_and_a_missing_right_does_not() -> None:
    table = ErrorTable(expired=frozenset({"ExpiredToken"}), meanings={403: Unauthorised})
    http, auth = FakeHttp([answer(400, {"error": "ExpiredToken"}), answer(403)]), Renewing()
    with pytest.raises(Unauthorised):
        Api(context(http), BASE, auth=auth, errors=table).get("me")
    assert len(auth.renewed) == 1


def test_a_fixed_token_is_not_tried_again() -> None:
    door, http = api(answer(401))
    with pytest.raises(Unauthorised):
        door.get("me")
    assert len(http.requests) == 1


# ----------------------------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, {"message": "no", "code": "X1"}, Rejected, "X1"),
        (401, {}, Unauthorised, "401"),
        (403, {"error": {"code": "scope", "message": "no right"}}, Rejected, "scope"),
        (403, {"code": "DAILY"}, QuotaExhausted, "DAILY"),
        (404, [], Rejected, "404"),
        (409, {}, Retryable, "409"),
        (422, {"errors": [{"code": "long", "detail": "too long", "field": "text"}]}, Rejected, "long"),
        (429, {}, RateLimited, "429"),
        (400, {"errorCode": "BUSY"}, RateLimited, "BUSY"),
        (503, "<html>", Unavailable, "503"),
        (529, None, Unavailable, "529"),
        (302, None, Rejected, "302"),
    ],
)
def test_an_answer_is_named_by_code_first_and_then_by_status(status: int, body: Any, kind: type, code: str) -> None:
    table = ErrorTable(vendor="Acme", meanings={"DAILY": QuotaExhausted, "BUSY": RateLimited, 409: Retryable})
    error = table.error_of(answer(status, body), START)
    assert type(error) is kind
    assert error is not None
    assert (error.code, error.details["status"]) == (code, status)


def test_a_success_is_no_error_and_a_field_is_named() -> None:
    assert ErrorTable().error_of(answer(207), START) is None
    error = ErrorTable().error_of(answer(422, {"errors": [{"field": "text", "message": "too long"}]}), START)
    assert isinstance(error, Rejected)
    assert (error.field, str(error)) == ("text", "too long")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Fri, 02 Jan 2026 03:05:05 GMT"}, 60.0),
        ({"x-reset": "12"}, 12.0),
        ({"x-reset": str(int(START.timestamp()) + 30)}, 30.0),
        ({"x-reset": (START + timedelta(seconds=9)).isoformat()}, 9.0),
        ({"retry-after": "1", "x-reset": "12"}, 1.0),
        ({"retry-after": "soon", "x-reset": "later"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_from_any_spelling(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_of(headers, START, ("retry-after", "x-reset")) == seconds
    error = ErrorTable(waits=("retry-after", "x-reset")).error_of(answer(429, headers=headers), START)
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


@pytest.mark.parametrize("kind", [RateLimited, QuotaExhausted])
def test_a_days_quota_waits_for_the_midnight_of_its_zone(kind: type[ConnectorError]) -> None:
    table = ErrorTable(meanings={"daily": kind, "burst": kind}, midnights={"daily": "America/Los_Angeles"})
    until = next_midnight(START, "America/Los_Angeles")
    error, burst = (table.error_of(answer(403, {"code": code}), START) for code in ("daily", "burst"))
    assert _until(error) == until
    assert _until(burst) is None
    asked = table.error_of(answer(403, {"code": "daily"}, headers={"retry-after": "9"}), START)
    assert _until(asked) == START + timedelta(seconds=9)


def _until(error: ConnectorError | None) -> datetime | None:
    if isinstance(error, QuotaExhausted):
        return error.until
    wait = error.retry_after if isinstance(error, RateLimited) else None
    return None if wait is None else START + timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": 403, "errors": [{"reason": "quotaExceeded"}], "status": "PERMISSION_DENIED"}, "quotaExceeded"),
        ({"code": 400, "errors": [{"reason": "badRequest"}], "details": [{"reason": "KEY_INVALID"}]}, "KEY_INVALID"),
        ({"code": 403, "message": "no"}, "403"),
    ],
)
def test_googles_reasons_are_read(error: dict[str, Any], code: str) -> None:
    assert refusal_of({"error": error}).code == code


def test_googles_words_are_plain_text() -> None:
    error = {"message": 'you have used up your <a href="/q#quota">quota</a>.', "errors": [{"reason": "quotaExceeded"}]}
    assert refusal_of({"error": error}).message == "you have used up your quota."


def test_a_quota_parks_until_its_reset() -> None:
    table = ErrorTable(meanings={429: QuotaExhausted})
    error = table.error_of(answer(429, headers={"retry-after": "60"}), START)
    assert isinstance(error, QuotaExhausted)
    assert error.until == START + timedelta(seconds=60)


def test_a_vendors_judge_has_the_last_word() -> None:
    def judge(error: ConnectorError, got: HttpResponse) -> ConnectorError:
        return Unauthorised(f"no scope: {error}") if got.status == 403 else error

    table = ErrorTable(read=lambda body: Refusal("c", f"said {body}"), judge=judge)
    assert str(table.error_of(answer(403, {"a": 1}), START)) == "no scope: said {'a': 1}"
    assert str(table.error_of(answer(400, 7), START)) == "said 7"


def test_a_wait_that_the_answer_names_outlasts_the_judge() -> None:
    table = ErrorTable(judge=lambda error, _: RateLimited(str(error), retry_after=5))
    waits = [table.error_of(answer(429, headers=headers), START) for headers in ({"retry-after": "120"}, {})]
    assert [isinstance(one, RateLimited) and one.retry_after for one in waits] == [120.0, 5]


def test_no_error_tells_a_secret() -> None:
    echo = answer(400, {"message": "bad token s3cret-value", "code": "s3cret-value"})
    with (
        LocalServer(lambda _: echo) as server,
        open_guard(allow_private=True, secrets=("s3cret-value",)) as guard,
        pytest.raises(Rejected) as caught,
    ):
        Api(context(guard), server.url).get("me")
    assert "s3cret" not in f"{caught.value} {caught.value.code} {caught.value.details}"


# --------------------------------------------------------------------------------------------------------------- pages


def test_pages_go_on_by_a_cursor() -> None:
    more = {"items": [1], "meta": {"more": True, "after": "c2"}}
    door, http = api(answer(200, more), answer(200, {"items": [2], "meta": {"more": False, "after": "c3"}}))
    follow = by_cursor("meta.after", "after", more="meta.more")
    assert [page.doc.get("items") for page in door.pages("list", follow, params={"q": "x"})] == [[1], [2]]
    assert [one.url for one in http.requests] == [f"{BASE}/list?q=x", f"{BASE}/list?q=x&after=c2"]


def test_pages_are_counted_until_one_is_empty_or_the_last_is_reached() -> None:
    door, http = api(answer(200, {"items": [1]}), answer(200, {"items": []}), answer(200, {"items": [1], "pages": 1}))
    assert len(list(door.pages("list", by_number("items")))) == 2
    assert len(list(door.pages("list", by_number("items", last="pages")))) == 1
    assert http.requests[1].url == f"{BASE}/list?page=2"


def test_an_address_is_followed_on_the_same_server_only() -> None:
    link = {"link": '<https://api.example/v2/list?max=1>; rel="next", <https://x/>; rel="prev"'}
    door, http = api(answer(200, [], headers=link), answer(200, []), answer(200, {"next": "https://evil.example/"}))
    assert len(list(door.pages("list", by_link))) == 2
    assert http.requests[1].url == "https://api.example/v2/list?max=1"
    with pytest.raises(Rejected, match="another server"):
        list(door.pages("list", by_url("next")))


def test_a_list_longer_than_we_read_is_a_doubt_unless_its_beginning_will_do() -> None:
    endless = FakeHttp(lambda *_: answer(200, {"items": [1]}))
    door = Api(context(endless), BASE)
    with pytest.raises(Uncertain, match="more pages"):
        list(door.pages("list", by_number("items"), most=3))
    assert len(list(door.pages("list", by_number("items"), most=3, whole=False))) == 3


# ----------------------------------------------------------------------------------------------------- a vendor's client


def test_a_vendors_client_may_send_in_the_guards_place_and_sees_only_successes() -> None:
    http = FakeHttp([answer(200, {"id": 1}), answer(422, {"message": "no"})])
    tap = Tap(http)
    session, seen = requests_session(tap), []

    def send(method: str, url: str, *, headers: Any, content: Any, timeout: Any) -> HttpResponse:
        return tap.take(lambda: seen.append(session.request(method, url, headers=headers, data=content).status_code))

    door = Api(context(http), BASE, via=send)
    assert door.post("notes", {"a": 1}).named("id") == "1"
    with pytest.raises(Rejected, match=r"^no$"):
        door.post("notes", {"a": 2})
    assert seen == [200]


def test_what_is_learnt_behind_a_client_is_hidden_by_the_guard_below_it() -> None:
    guard = open_guard()
    tap, error = Tap(guard), Unavailable("the token t0k3n-of-today is worn")
    tap.learn_secret("t0k3n-of-today")
    tap.redact_error(error)
    assert "t0k3n-of-today" not in guard.redact("t0k3n-of-today") + str(error)


def test_a_client_that_sends_nothing_is_no_answer() -> None:
    with pytest.raises(Unavailable, match="sent nothing"):
        Tap(FakeHttp()).take(lambda: None)
