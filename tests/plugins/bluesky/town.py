"""Bluesky small enough for a test: repositories, the views of their posts, thread gates, blocks, accounts that are away."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub.core.keys import digest
from hub.testkit.contracts.acts import ActTown
from hub.testkit.contracts.replies import Trouble
from hub.testkit.fakes import FakeClock, SentRequest
from hub.testkit.server import Failure, LocalServer, Scripted
from tests.plugins.bluesky.xrpc import DID, Xrpc

Json = dict[str, Any]
POST = "app.bsky.feed.post"
ANN, BOB = "did:plc:ann", "did:plc:bob"
HANDLES = {"ann.test": ANN, "bob.test": BOB, "brand.test": DID}
_CUT = (Trouble.CUT, Trouble.LOST)


@dataclass
class BlueskyTown(Xrpc, ActTown):
    """`records` by at-uri; `blocks` names accounts that block us, `gated` threads in which we may not answer, `away` accounts
    with the code that hides them; `written` what we sent to be written; where it `lags`, views do not show our likes yet."""

    clock: FakeClock = field(default_factory=FakeClock)
    records: dict[str, Json] = field(default_factory=dict)
    written: list[Json] = field(default_factory=list)
    blocks: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    away: dict[str, tuple[str, str]] = field(default_factory=dict)
    next: Trouble | None = None
    lags: bool = False
    down: bool = False

    # -------------------------------------------------------------------------------------------------- as a test uses it

    def call_us(self, text: str, *, private: bool = False) -> bytes:
        if private:
            raise LookupError("everything is public")
        return json.dumps(
            {**self.view(self.say(ANN, f"@brand.test {text}", mention=DID)), "reason": "mention"}
        ).encode()

    def say(self, did: str, text: str, *, mention: str = "", **record: Any) -> str:
        """A post; its at-uri. The first 11 bytes mention somebody."""
        self.clock.advance(1)
        if mention:
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": mention}
            record["facets"] = [{"index": {"byteStart": 0, "byteEnd": 11}, "features": [feature]}]
        uri = f"at://{did}/{POST}/{len(self.records):013d}"
        self.records[uri] = {"$type": POST, "text": text, "createdAt": self.clock().isoformat(), **record}
        return uri

    def ref(self, uri: str) -> Json:
        """A strong reference."""
        return {"uri": uri, "cid": _cid(self.records[uri])}

    def view(self, uri: str) -> Json:
        """The post as it is shown to us."""
        record, did = self.records[uri], uri.split("/")[2]
        root = record.get("reply", {}).get("root", {}).get("uri", uri)
        handle = next(name for name, one in HANDLES.items() if one == did)
        author = {"did": did, "handle": handle, "viewer": {"muted": False, "blockedBy": False}}
        viewer: Json = {"replyDisabled": True} if root in self.gated else {"threadMuted": False}
        if like := self._like_of(uri):
            viewer["like"] = like
        return {**self.ref(uri), "author": author, "record": record, "indexedAt": record["createdAt"], "viewer": viewer}

    def answers(self) -> Sequence[bytes]:
        return [json.dumps(self.view(uri)).encode() for uri in self.records if uri.startswith(f"at://{DID}/{POST}/")]

    def delete(self, payload: bytes) -> None:
        self.records.pop(json.loads(payload)["uri"])

    def own(self, text: str) -> bytes:
        return json.dumps(self.view(self.say(DID, text))).encode()

    def below(self, payload: bytes, text: str) -> bytes:
        parent = json.loads(payload)
        root = parent["record"].get("reply", {}).get("root") or self.ref(parent["uri"])
        reply = {"root": root, "parent": self.ref(parent["uri"])}
        return json.dumps(self.view(self.say(ANN, text, reply=reply))).encode()

    def marks(self) -> Mapping[str, frozenset[str]]:
        """Likes and gates are records of our own."""
        ours = [record for uri, record in self.records.items() if uri.startswith(f"at://{DID}/")]
        liked = {one["subject"]["uri"] for one in ours if "subject" in one}
        hidden = {uri for one in ours for uri in one.get("hiddenReplies", ())}
        posts = [uri for uri in self.records if f"/{POST}/" in uri]
        shown = {"liked": liked, "hidden": hidden}
        return {uri: frozenset(name for name, marked in shown.items() if uri in marked) for uri in posts}

    def suspend(self, payload: bytes) -> None:
        self.away[json.loads(payload)["author"]["did"]] = ("AccountTakedown", "Account has been suspended")

    def go_down(self) -> None:
        self.down = True

    def trouble(self, what: Trouble) -> None:
        self.next = what

    # --------------------------------------------------------------------------------------------------- as a server does

    def serve(self, request: SentRequest) -> Scripted:
        """One request, or what befalls it."""
        trouble, writes = self.next, request.url.endswith("createRecord")
        if writes:
            self.next = None
            self._meet(trouble)
        if writes and trouble is Trouble.CUT:
            return Failure.RESET
        found = self.answer(request)
        return Failure.RESET if writes and trouble in _CUT else found

    def answer(self, request: SentRequest) -> Any:
        """An answer, an error of the network's while it is down."""
        if self.down:
            self.fail(urlsplit(request.url).path.rpartition(".")[2], 502)
        return super().answer(request)

    def _meet(self, trouble: Trouble | None) -> None:
        if trouble is Trouble.REVOKED:
            self.valid.clear()
            self.password = "another"
        elif trouble is Trouble.LIMIT:
            reset = str(int(self.clock().timestamp()) + 30)
            self.fail("createRecord", 429, body={"error": "RateLimitExceeded"}, headers={"ratelimit-reset": reset})
        elif trouble is Trouble.REFUSED:
            self.fail("createRecord", 400, body={"error": "InvalidRequest", "message": "Invalid post record"})

    def _content(self, name: str, query: dict[str, str], request: SentRequest) -> Any:
        uris = parse_qs(urlsplit(request.url).query).get("uris", [])
        match name:
            case "getPosts":
                return {"posts": [self.view(uri) for uri in uris if self._shown(uri)]}
            case "getRecord":
                return self._record(query)
            case "getProfile":
                return self._profile(query["actor"])
            case "resolveHandle":
                did = HANDLES.get(query["handle"])
                return {"did": did} if did else self._refuse("Unable to resolve handle")
            case "createRecord" | "putRecord" | "deleteRecord":
                return {"c": self._create, "p": self._put, "d": self._delete}[name[0]](request.json())
        return super()._content(name, query, request)

    def _shown(self, uri: str) -> bool:
        did = uri.split("/")[2]
        return uri in self.records and did not in self.blocks and did not in self.away

    def _record(self, query: dict[str, str]) -> Any:
        uri = f"at://{query['repo']}/{query['collection']}/{query['rkey']}"
        if query["repo"] in self.away:
            return self._refuse(f"Could not find repo: {query['repo']}")
        found = self.records.get(uri)
        return {**self.ref(uri), "value": found} if found else self._refuse("Could not locate record", "RecordNotFound")

    def _profile(self, did: str) -> Any:
        if did in self.away:
            code, message = self.away[did]
            return self._refuse(message, code)
        return {"did": did, "handle": "somebody.test"}

    def _delete(self, body: Json) -> Any:
        self.records.pop(_uri(body), None)
        return {}

    def _put(self, body: Json) -> Any:
        found = self.records.get(_uri(body))
        if body.get("swapRecord") != (_cid(found) if found else None):
            return self._refuse("Record was at another version", "InvalidSwap")
        self.records[_uri(body)] = body["record"]
        return self.ref(_uri(body))

    def _like_of(self, uri: str) -> str | None:
        """Our like of a post, unless the view lags."""
        ours = f"at://{DID}/app.bsky.feed.like/"
        likes = (
            one for one, record in self.records.items() if one.startswith(ours) and record["subject"]["uri"] == uri
        )
        return None if self.lags else next(likes, None)

    def _create(self, body: Json) -> Any:
        uri = _uri(body)
        self.written.append(body)
        if uri in self.records:
            return 500, {"error": "InternalServerError", "message": "Internal Server Error"}
        self.clock.advance(1)
        self.records[uri] = body["record"]
        return self.ref(uri)

    @staticmethod
    def _refuse(message: str, code: str = "InvalidRequest") -> tuple[int, Json]:
        return 400, {"error": code, "message": message}


def _uri(body: Json) -> str:
    return f"at://{body['repo']}/{body['collection']}/{body['rkey']}"


def _cid(record: Json) -> str:
    return f"bafy{digest(json.dumps(record, sort_keys=True))}"


@contextmanager
def serving(clock: FakeClock) -> Iterator[BlueskyTown]:
    """The network on a free port of 127.0.0.1."""
    town = BlueskyTown(clock=clock)
    with LocalServer(town.serve) as server:
        town.url = server.url
        yield town
