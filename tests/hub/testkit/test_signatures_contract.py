"""The contract of verifiers passes well-made ones and catches each kind of careless one."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import Request
from hub.testkit.contracts import SignaturesContract
from tests.hub.testkit.trial import assert_caught

SECRET = "the-secret-of-this-hook"
NEAR = timedelta(minutes=5)


def mac(secret: str, *parts: bytes) -> str:
    return hmac.new(secret.encode(), b".".join(parts), "sha256").hexdigest()


def stamp_of(request: Request) -> str:
    return request.headers.get("x-stamp", "")


def is_near(request: Request) -> bool:
    stamp = stamp_of(request)
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    return abs(request.received_at - datetime.fromtimestamp(int(stamp), UTC)) <= NEAR


def is_signed(secret: str, request: Request) -> bool:
    wanted = mac(secret, stamp_of(request).encode("utf-8", "replace"), request.body)
    return hmac.compare_digest(wanted.encode(), request.headers.get("x-mac", "").encode("utf-8", "replace"))


def good(secret: str, request: Request) -> bool:
    return bool(secret.strip()) and is_near(request) and is_signed(secret, request)


class TestGoodVerifier(SignaturesContract):
    """A stamp and a body under one signature."""

    key, other_key = SECRET, "the-secret-of-that-hook"
    verify: Callable[[str, Request], Any] = staticmethod(good)

    def verifier(self, key: str | None) -> Any:
        return lambda request: type(self).verify(SECRET if key is None else key, request)

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        stamp = str(int(at.timestamp()))
        headers = {"x-stamp": stamp, "x-mac": mac(SECRET if key is None else key, stamp.encode(), body), "x-id": "7"}
        return Request("POST", "https://hub.example/in/x", headers, body, at)


class Door:
    """A verifier that is an object."""

    def __init__(self, secret: str) -> None:
        if not secret.strip():
            raise ValueError("an empty secret")
        self.secret = secret

    def verify(self, request: Request) -> bool:
        return good(self.secret, request)


class TestGoodDoor(TestGoodVerifier):
    """The same, refusing an empty key when it is made."""

    def verifier(self, key: str | None) -> Any:
        return Door(SECRET if key is None else key)


def parsed(secret: str, request: Request) -> bool:
    """Signs what it reads instead of the raw bytes."""
    try:
        body = json.dumps(json.loads(request.body or b"null")).encode()
    except ValueError:
        return False
    return is_near(request) and mac(secret, stamp_of(request).encode(), body) == request.headers.get("x-mac")


def text(secret: str, request: Request) -> bool:
    """Takes the body for text."""
    decoded = request.body.decode("utf-8", "ignore").encode()
    wanted = mac(secret, stamp_of(request).encode("utf-8", "replace"), decoded)
    return is_near(request) and hmac.compare_digest(wanted.encode(), request.headers.get("x-mac", "").encode())


def stampless(secret: str, request: Request) -> bool:
    """Looks at the stamp, and does not sign it."""
    first = request.headers.get("x-first", "")
    wanted = mac(secret, first.encode() or b"1767323045", request.body)
    return is_near(request) and hmac.compare_digest(
        wanted.encode(), request.headers.get("x-mac", "").encode("utf-8", "replace")
    )


def prefix(secret: str, request: Request) -> bool:
    wanted = mac(secret, stamp_of(request).encode("utf-8", "replace"), request.body)
    return is_near(request) and hmac.compare_digest(
        wanted[:8], request.headers.get("x-mac", "")[:8].encode("ascii", "ignore").decode()
    )


def late(secret: str, request: Request) -> bool:
    """Refuses the past and takes the future."""
    stamp = stamp_of(request)
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    return request.received_at - datetime.fromtimestamp(int(stamp), UTC) <= NEAR and is_signed(secret, request)


def wide(secret: str, request: Request) -> bool:
    stamp = stamp_of(request)
    fine = stamp.isascii() and stamp.isdigit() and len(stamp) <= 12
    return fine and abs(request.received_at.timestamp() - int(stamp)) <= 3600 and is_signed(secret, request)


CHANGED = "test_a_request_that_was_changed_is_not_genuine"
GENUINE, HEADER = "test_a_signed_request_is_genuine", "test_no_header_may_be_anything_but_what_was_sent"
TIME, OTHER = "test_a_request_out_of_its_time_is_not_genuine", "test_another_key_opens_nothing"
EMPTY, HOSTILE = "test_an_empty_key_opens_nothing", "test_hostile_headers_are_refused_without_a_bug"
CARELESS: list[tuple[Callable[[str, Request], Any], str]] = [
    (lambda secret, request: True, CHANGED),
    (lambda secret, request: bool(request.headers.get("x-mac")) and is_near(request), CHANGED),
    (parsed, GENUINE),
    (text, GENUINE),
    (stampless, HEADER),
    (prefix, HEADER),
    (lambda secret, request: is_near(request) and is_signed(secret, request), EMPTY),
    (lambda secret, request: bool(secret) and is_near(request) and is_signed(secret, request), EMPTY),
    (lambda secret, request: is_near(request) and is_signed(SECRET, request), OTHER),
    (lambda secret, request: is_near(request) and (not secret.strip() or is_signed(secret, request)), EMPTY),
    (lambda secret, request: bool(secret.strip()) and is_signed(secret, request), TIME),
    (late, TIME),
    (wide, TIME),
    (lambda secret, request: request.headers["x-mac"] and good(secret, request), CHANGED),
    (lambda secret, request: request.headers.get("x-mac") if good(secret, request) else None, GENUINE),
    (lambda secret, request: int(stamp_of(request)) > 0 and good(secret, request), HOSTILE),
    (
        lambda secret, request: (
            bool(secret.strip())
            and is_near(request)
            and mac(secret, stamp_of(request).encode("utf-8", "replace"), request.body) == request.headers.get("x-mac")
        ),
        "test_signatures_are_compared_in_constant_time",
    ),
    (
        lambda secret, request: datetime.now(UTC) > datetime(2020, 1, 1, tzinfo=UTC) and good(secret, request),  # noqa: TID251 - careless
        "test_verifying_asks_nothing_of_the_world",
    ),
]


@pytest.mark.long
@pytest.mark.parametrize(("verify", "test"), CARELESS, ids=[f"{n} {test}" for n, (_, test) in enumerate(CARELESS)])
def test_a_careless_verifier_is_caught(verify: Callable[[str, Request], Any], test: str) -> None:
    assert_caught(type("Careless", (TestGoodVerifier,), {"verify": staticmethod(verify)}), test)


def test_an_event_that_is_named_by_what_is_not_signed_is_caught() -> None:
    named = {"event_id": lambda self, request: request.headers.get("x-id", "")}
    assert_caught(type("Careless", (TestGoodVerifier,), named), "test_a_header_of_no_weight_names_no_event")
