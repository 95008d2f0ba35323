"""What every source and every destination owes, shown by the webhook's."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from hub import Request
from hub.sdk.signatures import StandardWebhook
from hub.testkit.contracts import DestinationContract, Sample, SourceContract
from plugins.webhook.destination import WebhookDestination
from plugins.webhook.source import WebhookInbound
from tests.plugins.webhook.given import SECRET
from tests.plugins.webhook.test_translate import FULL


class TestWebhookInbound(SourceContract):
    """Bodies with much and with little, signed as Standard Webhooks are."""

    source = WebhookInbound
    options: ClassVar[Mapping[str, Any]] = {"scheme": "standard", "secret": SECRET}

    @classmethod
    def samples(cls) -> Sequence[bytes]:
        return [msgspec.json.encode(FULL), b'{"id": "1", "text": "hi", "author": "ana"}']

    @classmethod
    def bodies(cls) -> Sequence[bytes]:
        return [*cls.samples(), b"[" + b",".join(cls.samples()) + b"]"]

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        stamp = int(at.timestamp())
        mac = StandardWebhook().sign(body, SECRET if key is None else key, id_="msg_1", stamp=str(stamp))
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(stamp), "webhook-signature": mac}
        return Request("POST", "https://hub.example/in/shop", headers, body, at)


class TestHubSignature(TestWebhookInbound):
    """Signed as WebSub, GitHub and Meta do: without a time."""

    options: ClassVar[Mapping[str, Any]] = {"scheme": "hub256", "secret": "s3cret-of-the-shop"}
    tolerance = None

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        own = "s3cret-of-the-shop" if key is None else key
        mac = hmac.new(own.encode(), body, "sha256").hexdigest()
        return Request("POST", "https://hub.example/in/shop", {"x-hub-signature-256": f"sha256={mac}"}, body, at)


class TestSharedSecret(TestWebhookInbound):
    """A header that carries the secret itself, and signs nothing."""

    options: ClassVar[Mapping[str, Any]] = {"scheme": "header", "secret": "s3cret-of-the-shop"}
    tolerance, signs_body = None, False

    def sign(self, body: bytes, at: datetime, key: str | None = None) -> Request:
        own = "s3cret-of-the-shop" if key is None else key
        return Request("POST", "https://hub.example/in/shop", {"x-webhook-secret": own}, body, at)


class TestOpenDoor(TestWebhookInbound):
    """What takes any call is told so."""

    options: ClassVar[Mapping[str, Any]] = {"scheme": "none"}
    unsigned = True


class TestWebhookDestination(DestinationContract):
    """Records to the receiver of the sandbox."""

    destination = WebhookDestination
    takes_plain_success = True  # a receiver of any kind: its 2xx is all that it says
    samples = (Sample("record", "upsert", lambda n: {"text": f"text {n}"}, "id"),)

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"url": f"{url}/records"}
