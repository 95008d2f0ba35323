"""What every connector owes; the part about translating belongs to the plugin that is named."""

from __future__ import annotations

from typing import Any

from hub.sdk.connectors import Connector
from hub.testkit.contracts.manners import ConnectorContract
from plugins.file.source import FileSource


class TestFileContract(ConnectorContract):
    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        return FileSource

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        return {"path": "exports/*.jsonl", "as_plugin": "mastodon"}
