"""An instance of Mastodon that can be written to: statuses with local ids, idempotency keys for an hour, search by address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub import HttpResponse
from hub.sdk.testing.fakes import FakeClock, SentRequest, answer
from hub.sdk.testing.replies import Town, Trouble
from hub.sdk.testing.server import Failure, LocalServer, Scripted

Json = dict[str, Any]
TOKEN = "secret-token"
_TROUBLES = {
    Trouble.REVOKED: answer(401, {"error": "The access token was revoked"}),
    Trouble.LIMIT: answer(429, {"error": "Too many requests"}, headers={"Retry-After": "30"}),
    Trouble.REFUSED: answer(422, {"error": "Validation failed: Text is banned here"}),
}


@dataclass
class MastodonTown(Town):
    """The instance; `keeps_keys` is False for servers like snac, `most` is its limit, `posts` the requests that posted."""

    clock: FakeClock
    url: str = ""
    statuses: dict[str, Json] = field(default_factory=dict)
    keys: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    posts: list[SentRequest] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    next: Trouble | None = None
    suspended: set[str] = field(default_factory=set)
    down: HttpResponse | None = None
    keeps_keys: bool = True
    pages: bool = True
    most: int | None = 500
    page: int = 40

    # -------------------------------------------------------------------------------------------------- as a test uses it

    def call_us(self, text: str, *, private: bool = False) -> bytes:
        status = self.say("ann", f"@brand {text}", visibility="direct" if private else "public")
        return json.dumps({"id": "n1", "type": "mention", "account": status["account"], "status": status}).encode()

    def say(self, name: str, text: str, *, uri: str = "", **fields: Any) -> Json:
        """A status by an account; `uri` for one that came from elsewhere."""
        self.clock.advance(1)
        id_ = str(110_000_000_000_000_000 + len(self.statuses))
        account = {"id": str(sum(name.encode())), "username": name, "acct": name, "url": f"{self.url}/@{name}"}
        status = {
            "id": id_,
            "uri": uri or f"{self.url}/users/{name}/statuses/{id_}",
            "url": f"{self.url}/@{name}/{id_}",
            "created_at": self.clock().isoformat(),
            "content": _html(text),
            "visibility": "public",
            "account": {**account, "uri": f"{self.url}/users/{name}"},
            **fields,
        }
        self.statuses[id_] = status
        return status

    def answers(self) -> Sequence[bytes]:
        ours = [status for status in self.statuses.values() if status["account"]["username"] == "brand"]
        return [json.dumps(status).encode() for status in ours]

    def delete(self, payload: bytes) -> None:
        item = json.loads(payload)
        self.statuses.pop(item.get("status", item)["id"])

    def suspend(self, payload: bytes) -> None:
        self.suspended.add(json.loads(payload)["account"]["username"])

    def go_down(self) -> None:
        self.down = answer(503, {"error": "down"})

    def trouble(self, what: Trouble) -> None:
        self.next = what

    # --------------------------------------------------------------------------------------------------- as a server does

    def serve(self, request: SentRequest) -> Scripted:
        """One request."""
        url = urlsplit(request.url)
        self.asked.append(f"{request.method} {url.path}")
        if self.down:
            return self.down
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return answer(401, {"error": "The access token is invalid"})
        if request.method == "POST":
            return self._post(request)
        return self._get(url.path.rstrip("/"), parse_qs(url.query))

    def _post(self, request: SentRequest) -> Scripted:
        trouble, self.next = self.next, None
        self.posts.append(request)
        if trouble is Trouble.CUT:
            return Failure.RESET
        if trouble in _TROUBLES:
            return _TROUBLES[trouble]
        made = self._make(request)
        return Failure.RESET if trouble is Trouble.LOST else made

    def _make(self, request: SentRequest) -> HttpResponse:
        form = {name: values[-1] for name, values in parse_qs((request.content or b"").decode()).items()}
        parent, key = form.get("in_reply_to_id"), request.headers.get("idempotency-key", "")
        at, known = self.keys.get(key, (None, ""))
        if at and self.keeps_keys and self.clock() - at < timedelta(hours=1):
            return answer(json=self.statuses[known])
        if parent not in self.statuses:
            return answer(404, {"error": "The post you are trying to reply to does not appear to exist"})
        if self.most and len(form["status"]) > self.most:
            return answer(422, {"error": f"Validation failed: Text character limit of {self.most} exceeded"})
        status = self.say("brand", form["status"], visibility=form["visibility"], in_reply_to_id=parent)
        self.keys[key] = (self.clock(), status["id"])
        return answer(json=status)

    def _get(self, path: str, query: dict[str, list[str]]) -> HttpResponse:  # noqa: PLR0911 - one a path
        parts = path.removeprefix("/api/").split("/")
        match parts[1:]:
            case ["statuses"]:
                return answer(json=[one for id_ in query["id[]"] if (one := self._shown(id_))])
            case ["statuses", id_]:
                return _found(self._shown(id_))
            case ["search"]:
                found = [
                    one for one in self.statuses.values() if one["uri"] == query["q"][0] and self._shown(one["id"])
                ]
                return answer(json={"statuses": found, "accounts": [], "hashtags": []})
            case ["instance"]:
                about = {"configuration": {"statuses": {"max_characters": self.most}}} if self.most else None
                return _found(about)
            case ["accounts", "verify_credentials"]:
                return answer(json={"id": str(sum(b"brand")), "acct": "brand"})
            case ["accounts", "lookup"]:
                name = query["acct"][0]
                return answer(json={"id": "1", "acct": name} | ({"suspended": True} if name in self.suspended else {}))
            case ["accounts", id_, "statuses"]:
                return answer(json=self._own(id_, query))
            case _:
                return _found(None)

    def _shown(self, id_: str) -> Json | None:
        status = self.statuses.get(id_)
        return status if status and status["account"]["username"] not in self.suspended else None

    def _own(self, account: str, query: dict[str, list[str]]) -> list[Json]:
        """Newest first; a server that knows no paging gives the newest page each time."""
        mine = [one for one in reversed(self.statuses.values()) if one["account"]["id"] == account]
        if self.pages and "max_id" in query:
            mine = [one for one in mine if int(one["id"]) < int(query["max_id"][0])]
        return mine[: min(self.page, int(query["limit"][0]))]


def _found(status: Json | None) -> HttpResponse:
    return answer(json=status) if status else answer(404, {"error": "Record not found"})


def _html(text: str) -> str:
    """As Mastodon writes it: a mention by its local part, a link with its scheme hidden."""
    text = re.sub(
        r"@(\w+)(@[\w.:]*\w)?",
        r'<span class="h-card"><a href="#" class="u-url mention">@<span>\1</span></a></span>',
        escape(text),
    )
    text = re.sub(r"(https?://)(\S+)", r'<a href="\1\2"><span class="invisible">\1</span><span>\2</span></a>', text)
    return "".join(f"<p>{part}</p>" for part in text.replace("\n", "<br />").split("<br /><br />"))


@contextmanager
def serving(clock: FakeClock) -> Iterator[MastodonTown]:
    """The instance on a free port of 127.0.0.1."""
    town = MastodonTown(clock)
    with LocalServer(town.serve) as server:
        town.url = server.url
        yield town
