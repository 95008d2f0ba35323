"""The fakes behave as what they stand for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.core.errors import Unavailable
from hub.testkit.fakes import START, FakeClock, FakeHttp, MemoryState, answer, context


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
