"""A webhook source with options, and raw items for it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from hub.core.model import Author, RawItem, Signal, Translated
from plugins.webhook.source import WebhookInbound

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes at least").decode()


def inbound(folder: Path | None = None, mapping: str = "", **options: Any) -> WebhookInbound:
    """A source; `mapping` is the text of its mapping file."""
    if folder is not None:
        (folder / "map.toml").write_text(mapping, "utf-8")
        options["mapping"] = "map.toml"
    given = {"scheme": "none", **options}
    return WebhookInbound(WebhookInbound.Options.model_validate(given, context={"folder": folder}))


def raw(body: Any, realm: str = "") -> RawItem:
    """A raw item of a JSON value, or of bytes as they are."""
    payload = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return RawItem("shop", "webhook", payload, NOW, "1", realm)


def read(source: WebhookInbound, body: Any) -> tuple[Signal, Author | None]:
    """The one signal of a body, and its author."""
    found = source.translate(raw(body))
    assert isinstance(found, Translated)
    (signal,) = found.signals
    return signal, next(iter(found.authors), None)
