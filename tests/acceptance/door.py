"""Somebody knocks at the hub's own door for destinations, without a server between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hub.runtime import Hub
from hub.web.inbound import InboundDoor


def knock(hub: Hub, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """One POST; status and body of the answer."""
    return asyncio.run(_knock(InboundDoor(hub), path, headers, body))


async def _knock(door: InboundDoor, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        said.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    door.writer.open()
    await door({"path": path, "method": "POST", "query_string": b"", "headers": raw}, receive, send)
    door.writer.close()
    return int(said[0]["status"]), said[1]["body"]
