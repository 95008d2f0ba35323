"""Signatures: golden values, hostile headers, blank keys, stale and future stamps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk.connectors import Request
from hub.sdk.signatures import Hmac, SharedSecret, StandardWebhook

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"text": "caf\xc3\xa9"}'
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
# RFC 4231, test case 2: key "Jefe".
RFC_BODY = b"what do ya want for nothing?"
RFC_HEX = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
RFC_512 = (
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
    "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
)
SLACK = Hmac(
    "x-slack-signature",
    stamp="x-slack-request-timestamp",
    encoding="hex",
    prefix="v0=",
    written="s",
    signed=lambda request, stamp: f"v0:{stamp}:".encode() + request.body,
)
SCHEMES: list[Any] = [SLACK, Hmac("x-sig"), StandardWebhook(), SharedSecret("x-secret"), SharedSecret(param="secret")]


def request(body: bytes = BODY, url: str = "https://hub.example/in/x", **headers: str) -> Request:
    return Request("POST", url, {name.replace("_", "-"): value for name, value in headers.items()}, body, NOW)


def slack(stamp: str = STAMP, body: bytes = BODY, secret: str = SECRET) -> Request:
    signature = SLACK.sign(f"v0:{stamp}:".encode() + body, secret)
    return request(body, x_slack_signature=signature, x_slack_request_timestamp=stamp)


def standard(stamp: str = STAMP, id_: str = "msg_1", secret: str = SECRET) -> Request:
    signature = f"v1,AAAA {StandardWebhook().sign(BODY, secret, id_=id_, stamp=stamp)}"
    return request(webhook_id=id_, webhook_timestamp=stamp, webhook_signature=signature)


@pytest.mark.parametrize(
    ("scheme", "header"),
    [
        (Hmac("x-sig", encoding="hex"), RFC_HEX),
        (Hmac("x-sig", encoding="hex", prefix="sha256="), f"sha256={RFC_HEX}"),
        (Hmac("x-sig"), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="),
        (Hmac("x-sig", encoding="hex", algorithm="sha512"), RFC_512),
    ],
)
def test_the_golden_hash_is_genuine_in_each_spelling(scheme: Hmac, header: str) -> None:
    assert scheme.is_genuine(request(RFC_BODY, x_sig=header), "Jefe")
    assert scheme.is_genuine(request(RFC_BODY, x_sig=header), "another", "Jefe")
    assert not scheme.is_genuine(request(RFC_BODY, x_sig=header), "jefe")
    assert not scheme.is_genuine(request(RFC_BODY + b" ", x_sig=header), "Jefe")


@pytest.mark.parametrize(("seconds", "good"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_stale_and_a_future_stamp_are_refused(seconds: int, good: bool) -> None:
    stamp = str(int((NOW + timedelta(seconds=seconds)).timestamp()))
    assert SLACK.is_genuine(slack(stamp), SECRET) is good
    assert StandardWebhook().is_genuine(standard(stamp), SECRET) is good


@pytest.mark.parametrize("stamp", ["", "soon", "²", "-1795341600", "9" * 14, "9" * 40, f" {STAMP}", f"{STAMP}.0"])
def test_a_signed_stamp_that_is_no_time_is_refused(stamp: str) -> None:
    assert not SLACK.is_genuine(slack(stamp), SECRET)
    assert not StandardWebhook().is_genuine(standard(stamp), SECRET)


def test_milliseconds_and_texts_are_stamps_too() -> None:
    counted = Hmac("x-sig", stamp="x-at", written="ms")
    told = Hmac("x-sig", stamp="x-at")
    for scheme, stamp in ((counted, f"{STAMP}123"), (told, "2026-11-22T10:00:00Z")):
        assert scheme.is_genuine(request(x_sig=scheme.sign(stamp.encode() + BODY, "k"), x_at=stamp), "k")


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0", "\u200b", "\ufeff\u2060", "\u3164", "\ufe0f"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
def test_a_blank_secret_makes_nothing_genuine(scheme: Any, blank: str) -> None:
    signed = [request(), slack(secret=blank), request(x_sig=Hmac("x-sig").sign(BODY, blank), x_secret=blank)]
    for one in [*signed, request(url=f"https://hub.example/in/x?secret={blank.strip()}")]:
        assert not scheme.is_genuine(one, blank)
        assert not scheme.is_genuine(one)


def test_a_standard_webhook_is_held_to_its_id() -> None:
    good = standard()
    assert StandardWebhook().is_genuine(good, SECRET)
    assert not StandardWebhook().is_genuine(replace(good, headers={**good.headers, "webhook-id": "msg_2"}), SECRET)
    assert not StandardWebhook().is_genuine(standard(id_=""), SECRET)


@pytest.mark.parametrize("secret", ["whsec_%", "whsec_", "", "no base64 at all", "whsec_é"])
def test_a_standard_secret_of_another_form_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        StandardWebhook.key_of(secret)
    assert not StandardWebhook().is_genuine(standard(), secret)


def test_a_shared_word_may_stand_in_a_header_or_in_the_address() -> None:
    both = SharedSecret(header="X-Secret", param="secret")
    assert both.is_genuine(request(x_secret="word"), "word")
    assert both.is_genuine(request(url="https://hub.example/in/x?a=1&secret=w%20d"), "w d")
    assert not both.is_genuine(request(url="https://hub.example/in/x?secret=other", x_secret="word"), "word")
    assert not both.is_genuine(request(url="https://[hub.example/?secret=word"), "word")


@given(st.binary(max_size=40), st.text(max_size=20), st.text(max_size=40))
def test_no_header_or_body_breaks_a_check(body: bytes, stamp: str, signature: str) -> None:
    names = ("x-sig", "x-secret", "webhook-id", "webhook-timestamp", "webhook-signature")
    names += ("x-slack-signature", "x-slack-request-timestamp")
    headers = {name: stamp if "time" in name else signature for name in names}
    one = Request("POST", "https://hub.example/in/x", headers, body, NOW)
    assert not any(scheme.is_genuine(one, SECRET) for scheme in SCHEMES)
