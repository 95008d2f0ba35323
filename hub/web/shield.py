"""What stands before every page: which names the hub answers to, how large a form may be, and what a browser may do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from hub.web.caller import Readers, host_of, is_local

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]

LARGEST_FORM = 64 * 1024
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
FIRST_PATHS = ("/welcome/", "/static/")
"""What a hub without users answers to everybody too: the first admin comes by a link that works once."""
CLOSED: Mapping[Readers, str] = {
    "machine": "the page and the API answer this machine only, since the hub knows no users: see web.console",
    "none": "the page and the API are closed, since a proxy passes on what the world asks (web.public_url): see web.console",
}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, no-cache"),
)


def no_users() -> bool:
    """Return False: no log-in opens the page to others than this machine."""
    return False


class Shield:
    """An ASGI application around another: it refuses foreign hosts and large bodies, and adds the headers."""

    def __init__(
        self,
        app: App,
        *,
        host: str,
        public_url: str,
        readers: Readers = "machine",
        has_users: Callable[[], bool] = no_users,
    ) -> None:
        self.app = app
        self.has_users = has_users
        self.bound = host
        self.readers = readers
        self.hosts = own_hosts(host, public_url)
        self.everywhere = host in {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        """Hand the request on, or say why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = dressed(message["headers"])
            await send(message)

        refused = self.refusal(scope) or await self._beyond(scope)
        if refused is None:
            await self.app(scope, receive, send_dressed)
            return
        status, reason = refused
        body = f'{{"error": "{reason}"}}'.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send_dressed({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def refusal(self, scope: Message) -> tuple[int, str] | None:
        """Return status and reason if a request may not go on."""
        headers = scope["headers"]
        named = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if scope["path"] not in OPEN_PATHS:
            if len(named) != 1:
                return 400, "one Host header is needed"
            if not self.answers_to(host_of(named[0])):
                return 421, "the hub does not answer to this host: set web.public_url to the address it is reached by"
        if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            return None
        lengths = [value for name, value in headers if name == b"content-length"]
        if len(lengths) != 1 or not lengths[0].isdigit():
            return 411, "a form needs a Content-Length"
        return (413, "the form is too large") if int(lengths[0]) > LARGEST_FORM else None

    async def _beyond(self, scope: Message) -> tuple[int, str] | None:
        """Return status and reason if the page and the API are closed to a caller, since the hub knows no users."""
        if scope["path"] in OPEN_PATHS or scope["path"].startswith(FIRST_PATHS):
            return None
        if self.readers == "all" or (self.readers == "machine" and is_local(scope, bound=self.bound)):
            return None
        if await asyncio.to_thread(self.has_users):  # they log in
            return None
        return 403, CLOSED[self.readers]

    def answers_to(self, host: str) -> bool:
        """Return True if a host is ours. Bound to all addresses, any address is: only a name can be made to point elsewhere."""
        return host in self.hosts or (self.everywhere and is_address(host))


def own_hosts(host: str, public_url: str) -> frozenset[str]:
    """Return the hosts that the hub is reached by: its own machine's, `web.host`, and that of `web.public_url`."""
    named = {host.lower(), urlsplit(public_url).hostname or ""}
    return frozenset({"localhost", "127.0.0.1", "::1", *named} - {""})


def is_address(host: str) -> bool:
    """Return True if a host is an IP address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def dressed(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with ours; what the answer says itself stays."""
    given = list(headers)
    said = {name.lower() for name, _ in given}
    return [*given, *(one for one in HEADERS if one[0] not in said)]


def is_foreign_page(headers: Mapping[str, str], hosts: frozenset[str], public: str = "") -> bool:
    """Return True if a page of another site sends a request, by what its browser says, or asks by a name that is not ours.

    A browser names the origin with every POST; a name that is made to point here (DNS rebinding) shows in Host.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    given, origin = headers.get("host"), headers.get("origin")
    if given is None:
        return origin is not None
    host = host_of(given)
    if host not in hosts and not is_address(host):
        return True
    return origin is not None and origin.partition("://")[2].lower() not in {given.lower(), public}
