"""The inbound door, `/in/{connection}`: a bare ASGI endpoint. It verifies raw bytes, stores them, and answers.

Sources that are called stand behind it, and destinations that tell what people do there (a source of the same name wins).

All requests that wait share one commit (synchronous=FULL), so a 202 (or a destination's 200) means that the body is on the
disk. Nothing is parsed here but a large body that is genuine: its sender hears if it holds too many items.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import cache
from hashlib import sha256
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from hub.core.errors import HubError, TooManyItems
from hub.core.model import RawItem
from hub.flow.bugs import tell
from hub.flow.intake.poll import realm_of, usable_destination, usable_source
from hub.flow.intake.tally import Tally
from hub.runtime import Hub
from hub.sdk.connectors import Destination, Request, WebhookSource
from hub.web.bodies import BUSY, Answer, CutOff, Declined, Receive, Unverified, refusal
from hub.web.caller import LOOPBACK, Networks, caller_of
from hub.web.complaints import Complaints
from hub.web.limits import USUAL, Limits
from hub.web.shield import is_foreign_page, own_hosts

log = structlog.get_logger(__name__)
Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Called = WebhookSource[Any] | Destination[Any]

ACCEPTED: Answer = (202, b"", [])
PREFIX = "/in/"
JSON = b"application/json"
PATIENCE_S = 4.0
"""How long a sender waits for the disk: many give up after five seconds, and do not know then what became of it."""
DOUBT_S = 1.0
"""How long after a refused signature a secret's file is not looked into for the next one."""
MANY = 16 * 1024
"""Bytes of a body from which on its items are counted: less cannot hold very many."""


FAILED = refusal(503, "the connection's plugin fails to read this: send it again later", (b"retry-after", b"60"))
UNMADE = refusal(
    503, "this connection is configured and cannot work now: its admin sees why; send it again", (b"retry-after", b"60")
)
UNKNOWN = refusal(404, "no webhook source has this name, and no destination that calls")


class InboundDoor:
    """Webhooks of all connections. `open` before the first request, `close` after the last."""

    def __init__(self, hub: Hub, limits: Limits = USUAL) -> None:
        self.hub = hub
        self.called: dict[str, Called] = called_connections(hub)
        self.writer = GroupWriter(hub)
        self.tally = Tally(hub)
        self._complaints = Complaints()
        self._doubted: dict[str, float] = {}
        web = hub.settings.web
        self._hosts = own_hosts(web.host, hub.settings.public_url)
        self._public = urlsplit(hub.settings.public_url).netloc.lower()
        self._proxies = Networks((*LOOPBACK, *web.proxies))
        largest = max(map(largest_body, self.called.values()), default=0)
        self._unverified = Unverified(max(limits.unverified_bytes, largest))

    def open(self) -> None:
        """Start the threads; called inside the event loop that will be answered."""
        self.writer.open()
        self.tally.open()

    def close(self) -> None:
        """Commit what waits, then end."""
        self.writer.close()
        self.tally.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        202 (or 200) stored, 401 not genuine, 403 from a place that may not, 404, 405, 413 too large, 503 come again.
        """
        name = scope["path"][len(PREFIX) :]
        try:
            status, body, headers = await self.answer(name, scope, receive)
        except Declined as refused:
            status, body, headers = refused.answer
        except CutOff:
            return
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told; a plugin's bug must not cost the sender's call
            if self._complaints.passes(f"{name} {type(error).__name__}") is not None:
                tell(self.hub, name, error, event="a plugin failed at the door")
            status, body, headers = FAILED
        self.tally.count(name if status != 404 else "", status)  # strangers think of many names
        fixed = [(b"content-length", str(len(body)).encode())]
        if b"content-type" not in dict(headers):
            fixed.append((b"content-type", JSON))
        await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
        await send({"type": "http.response.body", "body": body})

    async def answer(self, name: str, scope: Scope, receive: Receive) -> Answer:
        """Return what to say to a request; signature before anything else is done with the body. Raises Declined or CutOff."""
        called = self._current(name) or await self._renewed(name)
        if scope["method"] != "POST":
            return (405, b'{"error": "POST"}', [(b"allow", b"POST")])
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        self._check_place(called, scope, headers)
        body = await self._unverified.read(headers, receive, largest_body(called))
        request = Request("POST", self._url(scope), headers, body, self.hub.now())
        if called.verify(request) is not True:  # a coroutine, or whatever else is taken for true, proves nothing
            called = await self._genuine(name, called, request)
        if len(body) > MANY and isinstance(called, WebhookSource):
            await asyncio.to_thread(_check_number, called, body)
        is_event = _is_destination(type(called))
        form, thanks = ("event", thank(called, request)) if is_event else ("body", ACCEPTED)  # type: ignore[arg-type]  # one then
        answer = await self.writer.add(self._item(name, called, request), form=form)
        return thanks if answer is ACCEPTED else answer

    def _current(self, name: str) -> Called | None:
        """Return a connection with the secret that holds now; None if that is to be looked up, or it is not known yet."""
        called = self.called.get(name)
        if called is None:
            return None
        return called if self.hub.settled((_table(called), name)) is called else None

    async def _renewed(self, name: str) -> Called:
        """Look a connection up: a secret that was taken back must not open the door any longer. Raises Declined."""
        called = self.called.get(name)
        if called is None:
            return await self._find(name)
        place = _table(called), name
        if self.hub.is_doubtful(*place):
            await asyncio.to_thread(find_called, self.hub, name)
        made = self.hub.made(*place)
        if made is not None and made is not called and isinstance(made, type(called)):
            called = self.called[name] = made
        return called

    async def _find(self, name: str) -> Called:
        """Return a connection that could not be made before, if it can be by now: its quarantine says when. Raises Declined."""
        is_configured = name in self.hub.settings.sources or name in self.hub.settings.destinations
        found = await asyncio.to_thread(find_called, self.hub, name) if is_configured else None
        if found is None:
            raise Declined(UNMADE if is_awaited(self.hub, name) else UNKNOWN)
        self.called[name] = found
        self._unverified.most = max(self._unverified.most, largest_body(found))
        return found

    async def _genuine(self, name: str, called: Called, request: Request) -> Called:
        """Return the connection with the secret that a call is signed by: its file may hold a new one. Raises Declined."""
        # A stranger must not have files read all the time.
        if monotonic() - self._doubted.get(name, -DOUBT_S) >= DOUBT_S:
            self._doubted[name] = monotonic()
            self.hub.doubt(_table(called), name)
        renewed = await asyncio.to_thread(find_called, self.hub, name)
        if renewed is None or renewed is called or renewed.verify(request) is not True:
            raise Declined(refusal(401, "the signature does not match, or its time is off"))
        self.called[name] = renewed
        return renewed

    def _check_place(self, called: Called, scope: Scope, headers: MutableMapping[str, str]) -> None:
        """Refuse calls without a signature from other places than the configuration names, and from pages. Raises Declined."""
        networks = None if _is_destination(type(called)) else called.open_to()  # type: ignore[union-attr]  # a source then
        if networks is None:
            return
        if is_foreign_page(headers, self._hosts, self._public):
            raise Declined(refusal(403, "this source has no signature: no page in a browser may post to it"))
        caller = caller_of(scope, self._proxies)
        if not Networks(networks).hold(caller):
            raise Declined(
                refusal(
                    403, "this source has no signature, and its option `networks` does not hold the caller's address"
                )
            )

    def _item(self, name: str, called: Called, request: Request) -> RawItem:
        return RawItem(
            source=name,
            plugin=called.name,
            payload=request.body,
            received_at=request.received_at,
            external_id=_event_id(called, request) or sha256(request.body).hexdigest(),
            realm="" if _is_destination(type(called)) else realm_of(called, name),  # type: ignore[arg-type]  # a source then
        )

    def _url(self, scope: Scope) -> str:
        query = scope["query_string"].decode("latin-1")
        return f"{self.hub.settings.public_url}{scope['path']}" + (f"?{query}" if query else "")


def called_connections(hub: Hub) -> dict[str, Called]:
    """Return the connections that are called, by name: destinations that tell of changes, and webhook sources before them."""
    found: dict[str, Called] = {}
    for name in (*hub.settings.destinations, *hub.settings.sources):
        called = find_called(hub, name)
        if called is not None:
            found[name] = called
    return found


@cache
def _is_destination(kind: type) -> bool:
    """Return True for a destination's class: an abstract class takes long to ask, and each call would."""
    return issubclass(kind, Destination)


def _table(called: Called) -> str:
    return "destinations" if _is_destination(type(called)) else "sources"


def find_called(hub: Hub, name: str) -> Called | None:
    """Return the connection that is called by this name; None if there is none, or it cannot be made."""
    source = usable_source(hub, name) if name in hub.settings.sources else None
    if isinstance(source, WebhookSource):
        return source
    destination = usable_destination(hub, name) if name in hub.settings.destinations else None
    return destination if destination is not None and "inbound" in destination.capabilities else None


def is_awaited(hub: Hub, name: str) -> bool:
    """Return True if a connection of this name is configured and on, and could not be made: it may be one that is called."""
    # Listed, also if it is about to be tried again.
    return any(hub.broken.get(place) is not None for place in (f"sources.{name}", f"destinations.{name}"))


def _check_number(called: WebhookSource[Any], body: bytes) -> None:
    """Raise Declined if a body holds more items than its source takes; what else is wrong with it is kept and shown."""
    try:
        called.parse(body)
    except TooManyItems as error:
        raise Declined((413, json.dumps({"error": str(error)}).encode(), [])) from None
    except Exception:  # noqa: BLE001 - the same is raised, and told, when the body is read
        return


def _event_id(called: Called, request: Request) -> str:
    """Return the sender's id of an event. Raises TypeError if it is no text: others wait for the same commit."""
    given: Any = called.event_id(request)
    if not isinstance(given, str):
        raise TypeError(f"event_id gives a {type(given).__name__}, no str")
    return given


def largest_body(called: Called) -> int:
    """Return how many bytes a call may hold."""
    return int(getattr(called.options, "max_body", called.max_body))


def thank(destination: Destination[Any], request: Request) -> Answer:
    """Return what a vendor wants to hear once its request is stored."""
    kind, body = destination.acknowledge(request)
    return (200, body, [(b"content-type", kind.encode("latin-1"))])


class Waiting(NamedTuple):
    """A verified request that waits for the disk."""

    item: RawItem
    form: str
    answer: asyncio.Future[Answer]


class GroupWriter:
    """One thread that commits everything waiting in one transaction, then answers all of it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.patience_s = PATIENCE_S
        self.limit = hub.settings.web.max_waiting_mb * 1024 * 1024
        self._waiting: list[Waiting] = []
        self._bytes = 0
        self._change = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ringer = Ringer(hub)
        self._asking: dict[asyncio.Future[Answer], float] = {}
        self._timer: asyncio.TimerHandle | None = None

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
            if self._closing or (self._bytes and self._bytes + len(item.payload) > self.limit):
                return BUSY
            self._waiting.append(Waiting(item, form, answer))
            self._bytes += len(item.payload)
            self._change.notify()
        self._asking[answer] = monotonic()
        if self._timer is None:
            self._timer = answer.get_loop().call_later(self.patience_s / 8, self._lose_patience)
        try:
            return await answer
        finally:
            del self._asking[answer]

    def _lose_patience(self) -> None:
        """Tell those that have waited too long to come again: one timer serves all, since one for each would cost more."""
        oldest = monotonic() - self.patience_s * 7 / 8
        for answer, since in self._asking.items():  # the oldest first
            if since > oldest:
                break
            _answer_all([answer], BUSY)
        self._timer = None
        if self._asking:
            self._timer = asyncio.get_running_loop().call_later(self.patience_s / 8, self._lose_patience)

    def _write_all(self) -> None:
        while True:
            with self._change:
                while not self._waiting and not self._closing:
                    self._change.wait()
                if not self._waiting:
                    return
                batch, self._waiting = self._waiting, []
            # A sender that was told 503 sends it again: written now, it would only be in the way of those who still wait.
            self._write([one for one in batch if not one.answer.done()])
            with self._change:
                # What is being written still takes memory: it counts until it is on the disk.
                self._bytes -= sum(len(one.item.payload) for one in batch)

    def _write(self, batch: Sequence[Waiting]) -> None:
        if not batch:
            return
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
