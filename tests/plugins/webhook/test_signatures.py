"""Signatures: published vectors, and what must not pass."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from hub import Request
from hub.sdk.signatures import StandardWebhook
from tests.plugins.webhook.given import NOW, SECRET, inbound

# The example that the Standard Webhooks libraries test themselves with.
GOLDEN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GOLDEN_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
GOLDEN_TIME = 1614265330
GOLDEN_BODY = b'{"test": 2432232314}'
GOLDEN = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
# GitHub Docs, "Validating webhook deliveries".
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def request(body: bytes, headers: dict[str, str], at: datetime = NOW) -> Request:
    """A request as the door hands it over."""
    return Request("POST", "http://127.0.0.1:8600/in/shop", headers, body, at)


def test_the_published_vector_of_standard_webhooks_is_ours() -> None:
    assert StandardWebhook().sign(GOLDEN_BODY, GOLDEN_SECRET, id_=GOLDEN_ID, stamp=str(GOLDEN_TIME)) == GOLDEN


@pytest.mark.parametrize(("body", "passes"), [(GOLDEN_BODY, True), (GOLDEN_BODY + b" ", False), (b"", False)])
def test_the_published_vector_passes_and_no_other_body(body: bytes, *, passes: bool) -> None:
    source = inbound(scheme="standard", secret=GOLDEN_SECRET)
    headers = {"webhook-id": GOLDEN_ID, "webhook-timestamp": str(GOLDEN_TIME), "webhook-signature": GOLDEN}
    at = datetime.fromtimestamp(GOLDEN_TIME, UTC)
    assert source.verify(request(body, headers, at)) is passes


@pytest.mark.parametrize(
    ("signature", "passes"),
    [
        (GITHUB, True),
        (GITHUB.upper(), False),
        (GITHUB[:-1], False),
        (GITHUB[7:], False),
        ("", False),
        ("sha256=é", False),
    ],
)
def test_githubs_published_vector_passes_and_nothing_like_it(signature: str, *, passes: bool) -> None:
    source = inbound(scheme="hub256", secret=GITHUB_SECRET)
    assert source.verify(request(GITHUB_BODY, {"x-hub-signature-256": signature})) is passes


def test_a_missing_signature_does_not_pass() -> None:
    for scheme in ("standard", "hub256", "header"):
        assert not inbound(scheme=scheme, secret=SECRET).verify(request(b"{}", {}))


@pytest.mark.parametrize(("given", "passes"), [("s3cret", True), ("S3cret", False), ("s3cre", False), ("", False)])
def test_a_shared_header_must_be_the_secret(given: str, *, passes: bool) -> None:
    source = inbound(scheme="header", secret="s3cret", header="X-Shop-Key")
    assert source.verify(request(b"{}", {"x-shop-key": given})) is passes


@pytest.mark.parametrize("secret", [None, "", " ", "whsec_", "whsec_not base64!", "é"])
def test_a_secret_that_cannot_be_one_is_refused_at_the_start(secret: str | None) -> None:
    with pytest.raises(ValidationError):
        inbound(scheme="standard", secret=secret)


def test_a_secret_is_base64_with_or_without_its_prefix() -> None:
    key = base64.b64encode(b"k" * 24).decode()
    assert StandardWebhook.key_of(key) == StandardWebhook.key_of(f"whsec_{key}") == b"k" * 24


def test_an_event_is_known_by_its_id_where_the_scheme_has_one() -> None:
    headers = {"webhook-id": "msg_1"}
    assert inbound(scheme="standard", secret=SECRET).event_id(request(b"{}", headers)) == "msg_1"
    assert inbound().event_id(request(b"{}", headers)) == ""
