"""The look-alike of an instance as tests play it: over HTTP for the contract, handed single requests elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub import ConnectorError, HttpResponse, Uncertain
from hub.testkit.contracts.acts import ActTown
from hub.testkit.contracts.replies import Trouble
from hub.testkit.fakes import FakeClock, answer
from hub.testkit.sandbox import Call, SandboxOptions, serve
from hub.testkit.sandbox.app import Reset
from plugins.mastodon.sandbox import build

Json = dict[str, Any]
HOME = "https://m.example"
TOKEN = "secret-token"
_POST = {"match": {"method": "POST", "path": "/api/v1/statuses$"}, "times": 1}
_TROUBLES: dict[Trouble, Json] = {
    Trouble.LOST: {"reset_after": True},
    Trouble.CUT: {"reset_before": True},
    Trouble.REVOKED: {"expired_token": True},
    Trouble.LIMIT: {"status": 429, "headers": {"Retry-After": "30"}, "body": {"error": "Too many requests"}},
    Trouble.REFUSED: {"status": 422, "body": {"error": "Validation failed: Text is banned here"}},
}


class MastodonTown(ActTown):
    """An instance of "brand": `extra` are its settings, `pages` is False for servers that ignore a position (snac).

    `posts` holds the calls that posted, `asked` method and path of all that came by `ask`.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.url = clock, HOME
        self.extra: Json = {"brand": "brand"}
        self.sandbox = build(SandboxOptions(token=TOKEN, clock=clock, extra=self.extra))
        self.sandbox.url = HOME
        self.pages = True
        self.posts: list[Call] = []
        self.asked: list[str] = []

    def ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Any:
        """What comes of a request, for a `FakeHttp`."""
        parts = urlsplit(url)
        query = {name: values for name, values in parse_qs(parts.query).items() if self.pages or name != "max_id"}
        call = Call(method, parts.path, query, headers, content or b"", HOME)
        self.asked.append(f"{method} {call.path}")
        if method == "POST":
            self.posts.append(call)
        return self._answer(call)

    def _answer(self, call: Call) -> HttpResponse | ConnectorError:
        try:
            found = self.sandbox.handle(call)
        except Reset:
            return Uncertain("the connection broke")
        return answer(found.status, found.body, headers=found.headers)

    def say(self, name: str, text: str, *, visibility: str = "public", uri: str = "") -> Json:
        """A status by an account; `uri` for one that came from elsewhere."""
        self.clock.advance(1)
        id_ = self.sandbox.say(name, text, visibility=visibility)
        if uri:
            self.change(id_, uri=uri)
        return self.sandbox.entity(id_, self.sandbox.existing(id_))

    def change(self, id_: str, **fields: Any) -> None:
        """What a status holds from now on."""
        self.sandbox.store.update("status", id_, fields)

    # ----------------------------------------------------------------------------------------- as the contract plays it

    def call_us(self, text: str, *, private: bool = False) -> bytes:
        status = self.say("ann", f"@brand {text}", visibility="direct" if private else "public")
        return json.dumps({"id": "1", "type": "mention", "account": status["account"], "status": status}).encode()

    def answers(self) -> Sequence[bytes]:
        ours = [(id_, one) for id_, one in self.sandbox.store.all("status") if one["account"] == "brand"]
        return [json.dumps(self.sandbox.entity(id_, one)).encode() for id_, one in ours]

    def delete(self, payload: bytes) -> None:
        item = json.loads(payload)
        self.sandbox.take_back(item.get("status", item)["id"])

    def own(self, text: str) -> bytes:
        return json.dumps(self.say("brand", text)).encode()

    def below(self, payload: bytes, text: str) -> bytes:
        self.clock.advance(1)
        item = json.loads(payload)
        id_ = self.sandbox.say("ann", text, parent=item.get("status", item)["id"])
        return json.dumps(self.sandbox.entity(id_, self.sandbox.existing(id_))).encode()

    def marks(self) -> Mapping[str, frozenset[str]]:
        """Mastodon hides nothing."""
        found = [one for _, one in self.sandbox.store.all("status")]
        return {one["uri"]: frozenset({"liked"} if one.get("favourited") else ()) for one in found}

    def suspend(self, payload: bytes) -> None:
        self.sandbox.store.update("account", json.loads(payload)["account"]["username"], {"suspended": True})

    def go_down(self) -> None:
        self.sandbox.faults.set([{"status": 503, "body": {"error": "down"}}])

    def trouble(self, what: Trouble) -> None:
        self.sandbox.faults.set([_POST | _TROUBLES[what]])


@contextmanager
def serving(clock: FakeClock) -> Iterator[MastodonTown]:
    """The instance on a free port of 127.0.0.1."""
    town = MastodonTown(clock)
    with serve(town.sandbox) as running:
        town.url = running.url
        yield town
    assert town.sandbox.violations == []
