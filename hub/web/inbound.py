"""The inbound door, `/in/{connection}`: a bare ASGI endpoint. It verifies raw bytes, stores them, and answers.

Sources that are called stand behind it, and destinations that tell what people do there (a source of the same name wins).

All requests that wait share one commit (synchronous=FULL), so a 202 (or a destination's 200) means that the body is on the
disk. Nothing is parsed here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import structlog

from hub.core.errors import HubError
from hub.core.model import RawItem
from hub.flow.intake.poll import usable_destination, usable_source
from hub.runtime import Hub
from hub.sdk.connectors import Destination, Request, WebhookSource

log = structlog.get_logger(__name__)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]
Called = WebhookSource[Any] | Destination[Any]

ACCEPTED: Answer = (202, b"", [])
BUSY: Answer = (503, b'{"error": "busy, or the database cannot take it now: send it again"}', [(b"retry-after", b"5")])
PREFIX = "/in/"
JSON = b"application/json"


def refusal(status: int, message: str) -> Answer:
    """Return an answer that says why."""
    return (status, f'{{"error": "{message}"}}'.encode(), [])


class InboundDoor:
    """Webhooks of all connections. `open` before the first request, `close` after the last."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.called: dict[str, Called] = called_connections(hub)
        self.writer = GroupWriter(hub)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 202 (or 200) stored, 401 not genuine, 404, 405, 413 too large, 503 come again."""
        status, body, headers = await self.answer(scope, receive)
        fixed = [(b"content-length", str(len(body)).encode())]
        if b"content-type" not in dict(headers):
            fixed.append((b"content-type", JSON))
        await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
        await send({"type": "http.response.body", "body": body})

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """Return what to say to a request; signature before anything else is done with the body."""
        name = scope["path"][len(PREFIX) :]
        called = self.called.get(name)
        if called is None:
            return refusal(404, "no webhook source has this name, and no destination that calls")
        if scope["method"] != "POST":
            return (405, b'{"error": "POST"}', [(b"allow", b"POST")])
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        limit = getattr(called.options, "max_body", called.max_body)
        body = await read_body(headers, receive, limit)
        if body is None:
            return refusal(413, f"the body is larger than {limit} bytes")
        request = Request("POST", self._url(scope), headers, body, self.hub.now())
        if not called.verify(request):
            return refusal(401, "the signature does not match, or its time is off")
        form, thanks = ("event", thank(called, request)) if isinstance(called, Destination) else ("body", ACCEPTED)
        answer = await self.writer.add(self._item(name, called, request), form=form)
        return thanks if answer is ACCEPTED else answer

    def _item(self, name: str, called: Called, request: Request) -> RawItem:
        return RawItem(
            source=name,
            plugin=called.name,
            payload=request.body,
            received_at=request.received_at,
            external_id=called.event_id(request) or sha256(request.body).hexdigest(),
            realm="" if isinstance(called, Destination) else getattr(called.options, "realm", ""),
        )

    def _url(self, scope: Scope) -> str:
        query = scope["query_string"].decode("latin-1")
        return f"{self.hub.settings.public_url}{scope['path']}" + (f"?{query}" if query else "")


def called_connections(hub: Hub) -> dict[str, Called]:
    """Return the connections that are called, by name: destinations that tell of changes, and webhook sources before them."""
    found: dict[str, Called] = {}
    for name in hub.settings.destinations:
        destination = usable_destination(hub, name)
        if destination is not None and "inbound" in destination.capabilities:
            found[name] = destination
    for name in hub.settings.sources:
        source = usable_source(hub, name)
        if isinstance(source, WebhookSource):
            found[name] = source
    return found


def thank(destination: Destination[Any], request: Request) -> Answer:
    """Return what a vendor wants to hear once its request is stored."""
    kind, body = destination.acknowledge(request)
    return (200, body, [(b"content-type", kind.encode("latin-1"))])


async def read_body(headers: MutableMapping[str, str], receive: Receive, limit: int) -> bytes | None:
    """Return the whole body; None once it is larger than `limit`, whatever its header claims, or if it was cut off."""
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


class Waiting(NamedTuple):
    """A verified request that waits for the disk."""

    item: RawItem
    form: str
    answer: asyncio.Future[Answer]


class GroupWriter:
    """One thread that commits everything waiting in one transaction, then answers all of it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.limit = hub.settings.web.max_waiting_mb * 1024 * 1024
        self._waiting: list[Waiting] = []
        self._bytes = 0
        self._change = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ringer = Ringer(hub)

    def open(self) -> None:
        """Start the threads; called inside the event loop that will be answered."""
        self._ringer.open()
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
        self._ringer.close()

    async def add(self, item: RawItem, *, form: str = "body") -> Answer:
        """Wait until the item is committed; refused at once if too much waits already."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        with self._change:
            if self._closing or self._bytes + len(item.payload) > self.limit:
                return BUSY
            self._waiting.append(Waiting(item, form, answer))
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
                self._bytes -= sum(len(one.item.payload) for one in batch)

    def _write(self, batch: Sequence[Waiting]) -> None:
        try:
            # What is stored twice, because the second half failed, is known by its id when it is sent again.
            for form in dict.fromkeys(one.form for one in batch):
                self.hub.store.inbox.add([one.item for one in batch if one.form == form], form=form)
            answer = ACCEPTED
        except HubError as error:
            log.warning("the inbox could not be written", error=str(error), requests=len(batch))
            answer = BUSY
        except Exception:
            log.exception("the inbox could not be written", requests=len(batch))
            answer = BUSY
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_answer_all, [one.answer for one in batch], answer)
        if answer is ACCEPTED:
            self._ringer.ring()


class Ringer:
    """Rings for the process workers beside the writer: Redis would hold up the next commit, and every commit need not ring."""

    PAUSE_S = 0.01

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._asked = False
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Ring soon: what was committed before this call is rung for after it."""
        self._asked = True
        self._wake.set()

    def close(self) -> None:
        """Ring what was asked for, then end."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            self._ring()
            self._closing.wait(self.PAUSE_S)
        self._ring()

    def _ring(self) -> None:
        if self._asked:
            self._asked = False
            self.hub.bell.ring("process")


def _answer_all(futures: list[asyncio.Future[Answer]], answer: Answer) -> None:
    for future in futures:
        if not future.done():
            future.set_result(answer)
