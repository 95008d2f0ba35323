"""What every source and every destination owes, shown by the webhook's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from hub.testkit.contracts import DestinationContract, Sample, SourceContract
from plugins.webhook.destination import WebhookDestination
from plugins.webhook.source import WebhookInbound
from tests.plugins.webhook.test_translate import FULL


class TestWebhookInbound(SourceContract):
    """Bodies with much and with little."""

    source = WebhookInbound
    options: ClassVar[Mapping[str, Any]] = {"scheme": "none"}

    @classmethod
    def samples(cls) -> Sequence[bytes]:
        return [msgspec.json.encode(FULL), b'{"id": "1", "text": "hi", "author": "ana"}']


class TestWebhookDestination(DestinationContract):
    """Records to the receiver of the sandbox."""

    destination = WebhookDestination
    samples = (Sample("record", "upsert", lambda n: {"text": f"text {n}"}, "id"),)

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"url": f"{url}/records"}
