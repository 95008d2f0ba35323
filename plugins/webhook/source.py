"""The webhook source: any system posts signed JSON to /in/NAME."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from hub import Compliance, Ignored, RawItem, Request, Translated, WebhookSource
from plugins.webhook.config import InboundOptions
from plugins.webhook.translate import parse, translate


class WebhookInbound(WebhookSource[InboundOptions]):
    """Verifies over raw bytes, then reads the body by the mapping."""

    name = "webhook"
    Options = InboundOptions
    network = "webhook"
    own_ids = True
    # The system that posts decides about its own content; a deletion comes as a tombstone within a day.
    compliance: ClassVar[Compliance] = Compliance(delete_within=timedelta(hours=24), terms="set by the sending system")

    def verify(self, request: Request) -> bool:
        """Return True if the request is signed as the options say."""
        options = self.options
        if options.scheme == "none":
            return True
        return options.checks.is_genuine(request, options.secret.get_secret_value() if options.secret else "")

    def open_to(self) -> Sequence[str] | None:
        """Return the networks that may post without a signature; None if requests are signed."""
        return self.options.networks if self.options.scheme == "none" else None

    def event_id(self, request: Request) -> str:
        """Return Standard Webhooks' id: the same for each try of one event."""
        return request.headers.get("webhook-id", "") if self.options.scheme == "standard" else ""

    def parse(self, body: bytes) -> Sequence[bytes]:
        """Return the objects in a body: one, or a list of them."""
        return parse(body)

    def translate(self, raw: RawItem) -> Translated | Ignored:
        """Return the body's fields as a Signal with its Author."""
        return translate(raw, self.options.reader, network=self.options.network)
