"""Requests and answers as they go over the wire: checked on the way out, read under the cap on the way in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import httpcore
import httpx

from hub.core.errors import Rejected
from hub.sdk.connectors import HttpResponse
from hub.sdk.http.body import ACCEPTED, read_body

_FOLLOWED = frozenset(("GET", "HEAD"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_UNSAFE_URL = re.compile(r"[\x00-\x20\x7f-\x9f\ud800-\udfff\\]")
_UNSAFE_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
# Set by the guard itself, or of one connection only (RFC 9110 7.6.1).
_OURS = frozenset(
    (
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer"),
        *("accept-encoding", "proxy-authorization", "proxy-connection", "expect"),
    )
)
_CREDENTIALS = re.compile(r"authori[sz]ation|cookie|token|secret|session|api-?key")


@dataclass(frozen=True, slots=True)
class Message:
    """A checked request; header names are lower case."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: bytes | None = None

    @property
    def server(self) -> str:
        """Method and host: what a log may say, since a path may name a person."""
        port = "" if self.url.port is None else f":{self.url.port}"
        return f"{self.method} {self.url.host}{port}"

    @property
    def where(self) -> str:
        """Method, host and path, without the query, which may hold credentials."""
        return f"{self.server}{self.url.path}"

    def wire_headers(self) -> list[tuple[bytes, bytes]]:
        """Return all headers as bytes, with those that the guard sets."""
        length = [("content-length", str(len(self.content or b"")))] if self.content or self.method in _BODIED else []
        own = [("host", self.url.netloc.decode("ascii")), ("accept-encoding", ACCEPTED), *length]
        return [(name.encode("ascii"), value.encode("utf-8")) for name, value in (*own, *self.headers.items())]

    def wire_url(self) -> httpcore.URL:
        """Return the URL in the form of the connection pool."""
        url = self.url
        return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


_BODIED = frozenset(("POST", "PUT", "PATCH"))


def checked(
    method: str, url: str, headers: Mapping[str, str] | None = None, *, content: bytes | None = None
) -> Message:
    """Return a request that cannot smuggle anything: no control characters, blanks or lone surrogates in URL or headers.

    Raises Rejected (code "request"). Headers that belong to the connection (Host, Content-Length ...) are set by the guard.
    """
    if not _TOKEN.fullmatch(method):
        raise Rejected("the method is not a token", code="request")
    named: dict[str, str] = {"accept": "*/*", "user-agent": "Hubbub"}
    for name, value in (headers or {}).items():
        if not _TOKEN.fullmatch(name) or _UNSAFE_VALUE.search(value):
            raise Rejected(f"header {name[:40]!r} holds characters that no header may hold", code="request")
        named[name.lower()] = value.strip(" \t")
    kept = {name: value for name, value in named.items() if name not in _OURS}
    return Message(method.upper(), parse_url(url), kept, content)


def parse_url(url: str) -> httpx.URL:
    """Return the URL parsed once, as it will be connected to; raises Rejected (code "request")."""
    if _UNSAFE_URL.search(url):
        raise Rejected("the URL holds blanks, backslashes or control characters", code="request")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise Rejected(f"the URL cannot be read: {error}", code="request") from None
    if parsed.port is not None and not 0 < parsed.port < 65_536:  # the system would quietly take it modulo 65,536
        raise Rejected("the URL's port is out of range", code="request")
    return parsed


def redirected(message: Message, answer: HttpResponse) -> Message | None:
    """Return the request that a redirect asks for, None if it is not followed (a write, no redirect, no target).

    On the way to another host credentials are left behind, also if https turns into http.
    """
    target = answer.headers.get("location")
    if not answer.is_redirect or not target or message.method not in _FOLLOWED:
        return None
    url = message.url.join(parse_url(target))
    headers = message.headers
    if not _same_place(message.url, url):
        headers = {name: value for name, value in headers.items() if not _CREDENTIALS.search(name)}
    return replace(message, url=url, headers=headers)


def _same_place(old: httpx.URL, new: httpx.URL) -> bool:
    upgraded = (old.scheme, new.scheme, old.port, new.port) == ("http", "https", None, None)
    return old.host == new.host and (upgraded or (old.scheme, old.port) == (new.scheme, new.port))


def read_answer(message: Message, response: httpcore.Response, *, limit: int) -> HttpResponse:
    """Return the answer, whole and decoded; raises Rejected (code "too_large") past the cap, BrokenBody if it is cut short."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", "replace")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if message.method == "HEAD":
        return HttpResponse(response.status, headers, b"", str(message.url))
    content, decoded = read_body(response.iter_stream(), headers.get("content-encoding", ""), limit=limit)
    if decoded:
        for name in ("content-encoding", "content-length", "transfer-encoding"):
            headers.pop(name, None)
    return HttpResponse(response.status, headers, content, str(message.url))
