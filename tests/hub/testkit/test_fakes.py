"""The fakes behave as what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from hub.core.errors import Unavailable, Uncertain
from hub.testkit.fakes import START, FakeClock, FakeHttp, FaultyHttp, MemoryState, Runaway, answer, context
from hub.testkit.sandbox import Answer


def test_answers_come_in_order_and_requests_are_kept() -> None:
    http = FakeHttp([answer(201, {"id": 1}), answer(204)])
    first = http.send("POST", "http://x/a", headers={"X-One": "1"}, content=b'{"a":2}', timeout=3)
    assert (first.status, first.json(), first.url) == (201, {"id": 1}, "http://x/a")
    assert http.send("GET", "http://x/b").content == b""
    sent = http.requests[0]
    assert (sent.method, sent.headers, sent.json(), sent.timeout) == ("POST", {"x-one": "1"}, {"a": 2}, 3)


def test_a_request_past_the_last_answer_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="no answer is left for GET http://x/"):
        FakeHttp().send("GET", "http://x/")


def test_answers_may_be_a_function_and_errors_are_raised() -> None:
    error = Unavailable("down")
    http = FakeHttp(lambda method, url, headers, content: error if method == "GET" else answer(200, [url, content]))
    assert http.send("PUT", "http://x/", content=b"a").status == 200
    with pytest.raises(Unavailable) as caught:
        http.send("GET", "http://x/")
    assert caught.value is error


def test_the_memory_keeps_json_and_nothing_else() -> None:
    state = MemoryState({"a": {"b": (1, 2)}})
    assert (state.get("a"), state.get("none")) == ({"b": [1, 2]}, None)
    kept = state.get("a")
    kept["b"] = "changed"
    assert state.get("a") == {"b": [1, 2]}
    with pytest.raises(TypeError):
        state.set("x", object())


def test_the_clock_moves_when_told_and_when_slept() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(5)
    clock.sleep(2.5)
    assert (clock(), clock.slept) == (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=7.5), [2.5])


def test_a_context_needs_nothing() -> None:
    ctx = context()
    assert (ctx.now(), ctx.state.get("x"), ctx.connection, ctx.public_url) == (START, None, "test", None)


# ------------------------------------------------------------------------------------------------------ faults on the way


def faulty(*faults: Mapping[str, Any], **settings: Any) -> FaultyHttp:
    """A server that answers `{"id": n}`, behind faults."""
    numbers = count(1)
    http = FaultyHttp(FakeHttp(lambda *_: answer(200, {"items": [{"id": next(numbers)}]})), **settings)
    http.set_faults(*faults)
    return http


@pytest.mark.parametrize("fault", [{"reset_before": True}, {"reset_after": True}, {"latency_ms": 5}], ids=str)
def test_no_answer_is_told_as_the_guard_tells_it(fault: Mapping[str, Any]) -> None:
    http = faulty(fault)
    for method in ("GET", "HEAD", "OPTIONS"):
        with pytest.raises(Unavailable):
            http.send(method, "http://x/a")
    with pytest.raises(Uncertain):
        http.send("POST", "http://x/a")


def test_faults_hit_the_calls_that_they_match() -> None:
    http = faulty({"match": {"path": "/b$"}, "status": 503, "body": {"error": "down"}}, {"after": 3, "status": 500})
    assert [http.send("GET", f"http://x/{path}").status for path in "abaa"] == [200, 503, 200, 500]
    assert [one.url[-1] for one in http.requests] == list("abaa")


def test_a_refusal_and_a_limit_may_be_the_networks_own() -> None:
    own = {
        "refused": lambda: Answer(400, {"error": "ExpiredToken"}),
        "limited": lambda: Answer(429, None, {"X-Reset": "9"}),
    }
    assert faulty({"expired_token": True}, **own).send("GET", "http://x/").json() == {"error": "ExpiredToken"}
    assert faulty({"rate_per_s": 0}, **own).send("GET", "http://x/").headers["x-reset"] == "9"
    assert faulty({"expired_token": True}).send("GET", "http://x/").status == 401
    assert faulty({"rate_per_s": 0}).send("GET", "http://x/").headers["retry-after"] == "120"


def test_an_answer_is_spoilt_after_it_was_given() -> None:
    http = faulty({"garble": "short"}, {"after": 1, "fails_after": True})
    assert http.send("GET", "http://x/").json() == {"items": []}
    assert http.send("POST", "http://x/").status == 502


def test_a_server_that_is_stuck_answers_a_path_as_it_did_first() -> None:
    http = faulty()
    http.stuck = True
    given = [http.send("GET", f"http://x/{path}").json()["items"][0]["id"] for path in ("a?n=1", "b", "a?n=2")]
    assert given == [1, 2, 1]
    http.stuck = False
    assert (http.stuck, http.send("GET", "http://x/a").json()["items"][0]["id"]) == (False, 3)


def test_calls_without_end_are_ended() -> None:
    http = faulty(most=3)
    with pytest.raises(Runaway, match="more than 3 requests"):
        while True:
            with suppress(Exception):
                http.send("GET", "http://x/")
