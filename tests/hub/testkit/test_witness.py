"""The witness sees what a connector does beside its answer."""

from __future__ import annotations

import logging
import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from hub import Options
from hub.sdk.http import open_guard
from hub.testkit.contracts.means.witness import (
    calls_of,
    impurities,
    in_zone,
    secrets_of,
    spilt,
    strange_hosts,
    watching,
    within,
)
from hub.testkit.fakes import FakeClock, SentRequest, answer
from hub.testkit.server import LocalServer


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: datetime.now(UTC), "datetime.now"),  # noqa: TID251 - what must be seen
        (date.today, "date.today"),
        (time.monotonic, "time.monotonic"),
        (lambda: time.sleep(0), "time.sleep"),
        (random.random, "random.random"),
        (uuid.uuid4, "posix.urandom"),
        (lambda: Path(os.devnull).read_bytes(), "io.open"),
        (lambda: socket.getaddrinfo("127.0.0.1", 80), "socket.getaddrinfo"),
    ],
)
def test_what_a_call_asks_of_the_world_is_seen(call: Callable[[], object], name: str) -> None:
    asked = impurities(lambda: [call()])
    assert any(found.startswith(f"{name}()") for found in asked), asked


def test_pure_work_asks_nothing() -> None:
    assert impurities(lambda: [*sorted("cab"), datetime(2026, 1, 1, tzinfo=UTC).isoformat()]) == []


def test_a_log_line_is_no_question_to_a_clock() -> None:
    assert impurities(lambda: logging.getLogger("quiet").warning("a line")) == []


def test_the_built_ins_that_a_call_reaches_are_named() -> None:
    assert "compare_digest" in calls_of(lambda: __import__("hmac").compare_digest("a", "b"))


def test_lines_prints_and_sleeps_are_kept() -> None:
    clock = FakeClock()
    began = clock.at
    with watching(clock) as seen:
        logging.getLogger("toy").debug("a quiet %s", "line")
        print("a print")
        time.sleep(60)
    assert "DEBUG toy a quiet line" in seen.told()
    assert "a print" in seen.told()
    assert (seen.slept, (clock.at - began).total_seconds()) == (60, 60)


def test_a_connection_past_the_guard_is_seen_and_one_through_it_is_not() -> None:
    with LocalServer(lambda _: answer(200, {})) as server, watching(FakeClock()) as seen:
        with open_guard(allow_private=True) as guard:
            guard.send("GET", server.url)
        assert seen.dialled == []
        socket.create_connection(("127.0.0.1", server.port)).close()
        assert seen.dialled == [f"('127.0.0.1', {server.port})"]


def test_another_zone_holds_for_a_while() -> None:
    before = time.localtime(0).tm_hour
    with in_zone("Pacific/Kiritimati"):
        inside = time.localtime(0).tm_hour
    assert (inside != before, time.localtime(0).tm_hour) == (True, before)


def test_what_takes_too_long_is_left_behind() -> None:
    assert within(5, lambda: 7) == 7
    with pytest.raises(AssertionError, match="did not end within"):
        within(0.05, lambda: time.sleep(0.5))
    with pytest.raises(KeyError):
        within(5, lambda: {}["a"])


class Keyed(Options):
    """Two secrets and one that is too short to look for."""

    token: SecretStr = SecretStr("a secret/one")
    other: SecretStr | None = None
    short: SecretStr = SecretStr("abc")


def test_secrets_are_found_in_each_of_their_forms() -> None:
    secrets = secrets_of(Keyed())
    assert secrets == ["a secret/one"]
    for told in ("a secret/one", "?t=a%20secret%2Fone", "?t=a+secret%2Fone", b"a secret/one", {"x": ["a secret/one"]}):
        assert spilt(secrets, told) == secrets
    assert spilt(secrets, "a secret", {}) == []


def test_hosts_that_are_not_declared_are_named() -> None:
    asked = [SentRequest("GET", url) for url in ("https://a.example/x", "https://b.a.example/", "http://c.example:81/")]
    assert strange_hosts(asked, ("*.a.example", "c.example:81")) == ["a.example"]
    assert strange_hosts(asked, ("*",)) == []
