"""A small PDS over real HTTP for the tests: sessions, notifications, searches and threads, with a log of what was asked."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub import HttpResponse
from hub.testkit.fakes import SentRequest, answer
from hub.testkit.server import LocalServer

DID = "did:plc:brand"
FAR = 4_000_000_000
_Answer = tuple[int, Any, dict[str, str]]


def jwt(number: int, exp: int = FAR) -> str:
    """A token that atproto can read: header, payload with `exp` (seconds since 1970), no real signature."""
    parts = ({"alg": "none"}, {"exp": exp, "jti": str(number)})
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "c2ln"]
    )


@dataclass
class Xrpc:
    """What the server holds and what it was asked; `errors` are answers (status, body, headers) that come once each."""

    url: str = ""
    posts: list[Any] = field(default_factory=list)
    notifications: list[Any] = field(default_factory=list)
    threads: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, list[_Answer]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    page: int = 100
    exp: int = FAR
    valid: set[str] = field(default_factory=set)
    refresh: set[str] = field(default_factory=set)
    password: str = "app-pass"

    def fail(self, method: str, status: int, *, body: Any = None, headers: dict[str, str] | None = None) -> None:
        """The next call of `method` fails."""
        self.errors.setdefault(method, []).append((status, body or {"error": "Oops"}, headers or {}))

    def answer(self, request: SentRequest) -> HttpResponse:
        """One call."""
        url = urlsplit(request.url)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        status, body, headers = self._answer(url.path.rpartition(".")[2], query, request)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return answer(status, content=content, headers={"content-type": "application/json"} | headers)

    def _answer(self, name: str, query: dict[str, str], request: SentRequest) -> _Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.calls[name] += 1
        self.asked.append((name, query))
        if self.errors.get(name):
            return self.errors[name].pop(0)
        if name == "createSession":
            good = request.json()["password"] == self.password
            return self._session() if good else (401, {"error": "AuthenticationRequired", "message": "bad"}, {})
        if name == "refreshSession":
            return self._session() if token in self.refresh else (400, {"error": "ExpiredToken"}, {})
        if token not in self.valid:
            return 400, {"error": "ExpiredToken", "message": "Token has expired"}, {}
        found = self._content(name, query, request)
        return (*found, {}) if isinstance(found, tuple) else (200, found, {})

    def _session(self) -> _Answer:
        number = sum(self.calls.values())
        access, refresh = jwt(number, self.exp), jwt(-number)
        self.valid.add(access)
        self.refresh.add(refresh)
        return 200, {"did": DID, "handle": "brand.test", "accessJwt": access, "refreshJwt": refresh}, {}

    def _content(self, name: str, query: dict[str, str], request: SentRequest) -> Any:
        """The answer's body, or status and body of an error."""
        if name == "getSession":
            return {"did": DID, "handle": "brand.test"}
        if name == "getPostThread":
            return {"thread": self.threads[query["uri"]]}
        items, label = {
            "searchPosts": (self.posts, "posts"),
            "listNotifications": (self.notifications, "notifications"),
        }[name]
        start = int(query.get("cursor", 0))
        end = start + min(self.page, int(query.get("limit", 50)))
        return {label: items[start:end]} | ({"cursor": str(end)} if end < len(items) else {})


@contextmanager
def serving() -> Iterator[Xrpc]:
    """The server on a free port of 127.0.0.1, gone at the end."""
    world = Xrpc()
    with LocalServer(world.answer) as server:
        world.url = server.url
        yield world
