"""The inbound door, `/in/{connection}`: a bare ASGI endpoint. It verifies raw bytes, stores them, and answers.

All requests that wait share one commit (synchronous=FULL), so a 202 means that the body is on the disk. Nothing is parsed here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any

import structlog

from hub.core.errors import HubError
from hub.core.model import RawItem
from hub.flow.intake import usable_source
from hub.runtime import Hub
from hub.sdk.connectors import Request, WebhookSource

log = structlog.get_logger(__name__)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]

ACCEPTED: Answer = (202, b"", [])
BUSY: Answer = (503, b'{"error": "busy, or the database cannot take it now: send it again"}', [(b"retry-after", b"5")])
PREFIX = "/in/"


def refusal(status: int, message: str) -> Answer:
    """An answer that says why."""
    return (status, f'{{"error": "{message}"}}'.encode(), [])


class InboundDoor:
    """Webhooks of all connections. `open` before the first request, `close` after the last."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.sources = {
            name: source
            for name in hub.settings.sources
            if isinstance(source := usable_source(hub, name), WebhookSource)
        }
        self.writer = GroupWriter(hub)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 202 stored, 401 not genuine, 404, 405, 413 too large, 503 come again."""
        status, body, headers = await self.answer(scope, receive)
        fixed = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
        await send({"type": "http.response.body", "body": body})

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """What to say to a request; signature before anything else is done with the body."""
        name = scope["path"][len(PREFIX) :]
        source = self.sources.get(name)
        if source is None:
            return refusal(404, "no webhook source has this name")
        if scope["method"] != "POST":
            return (405, b'{"error": "POST"}', [(b"allow", b"POST")])
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        limit = getattr(source.options, "max_body", source.max_body)
        body = await read_body(headers, receive, limit)
        if body is None:
            return refusal(413, f"the body is larger than {limit} bytes")
        request = Request("POST", self._url(scope), headers, body, self.hub.now())
        if not source.verify(request):
            return refusal(401, "the signature does not match, or its time is off")
        return await self.writer.add(self._item(name, source, request))

    def _item(self, name: str, source: WebhookSource[Any], request: Request) -> RawItem:
        return RawItem(
            source=name,
            plugin=source.name,
            payload=request.body,
            received_at=request.received_at,
            external_id=source.event_id(request) or sha256(request.body).hexdigest(),
            realm=getattr(source.options, "realm", ""),
        )

    def _url(self, scope: Scope) -> str:
        query = scope["query_string"].decode("latin-1")
        return f"{self.hub.settings.public_url}{scope['path']}" + (f"?{query}" if query else "")


async def read_body(headers: MutableMapping[str, str], receive: Receive, limit: int) -> bytes | None:
    """The whole body; None once it is larger than `limit`, whatever its header claims, or where it was cut off."""
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        return None
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


class GroupWriter:
    """One thread that commits everything waiting in one transaction, then answers all of it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.limit = hub.settings.web.max_waiting_mb * 1024 * 1024
        self._waiting: list[tuple[RawItem, asyncio.Future[Answer]]] = []
        self._bytes = 0
        self._change = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Start the thread; called inside the event loop that will be answered."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write_all, name="inbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Commit what waits, then end."""
        with self._change:
            self._closing = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join()

    async def add(self, item: RawItem) -> Answer:
        """Wait until the item is committed; refused at once where too much waits already."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        with self._change:
            if self._closing or self._bytes + len(item.payload) > self.limit:
                return BUSY
            self._waiting.append((item, answer))
            self._bytes += len(item.payload)
            self._change.notify()
        return await answer

    def _write_all(self) -> None:
        while True:
            with self._change:
                while not self._waiting and not self._closing:
                    self._change.wait()
                if not self._waiting:
                    return
                batch, self._waiting = self._waiting, []
            self._write(batch)
            with self._change:
                # What is being written still takes memory: it counts until it is on the disk.
                self._bytes -= sum(len(item.payload) for item, _ in batch)

    def _write(self, batch: list[tuple[RawItem, asyncio.Future[Answer]]]) -> None:
        try:
            self.hub.store.inbox.add([item for item, _ in batch], form="body")
            answer = ACCEPTED
        except HubError as error:
            log.warning("the inbox could not be written", error=str(error), requests=len(batch))
            answer = BUSY
        except Exception:
            log.exception("the inbox could not be written", requests=len(batch))
            answer = BUSY
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_answer_all, [future for _, future in batch], answer)
        if answer is ACCEPTED:
            self.hub.bell.ring("process")


def _answer_all(futures: list[asyncio.Future[Answer]], answer: Answer) -> None:
    for future in futures:
        if not future.done():
            future.set_result(answer)
