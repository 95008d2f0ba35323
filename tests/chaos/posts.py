"""Raw posts as networks send them: recorded ones, repeated under other ids and by other accounts."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import Any

from hub import signal_key
from tests.material import shared

WORDS = ("toot", "hello", "hear", "bob", "dan", "carol", "alice", "again", "foo")
_WATCHED = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)
UNWATCHED_EVERY = 25
TOPICS = f'[[topic]]\nname = "talk"\nkeywords = {json.dumps(WORDS)}\n'


@dataclass(frozen=True, slots=True)
class Post:
    """A raw post: its network, its own id there, its JSON, and whether the watched words stand in it."""

    network: str
    native_id: str
    body: bytes
    watched: bool

    @property
    def key(self) -> str:
        """The signal's key."""
        return signal_key(self.network, self.native_id, self.network)


def posts(network: str, count: int, *, first: int = 0) -> list[Post]:
    """`count` posts of a network, each with its own id and author, one in 25 without a watched word."""
    recorded = {"mastodon": _statuses, "bluesky": _records}[network]()
    renewed = {"mastodon": _status, "bluesky": _record}[network]
    watched, other = (cycle([one for one in recorded if _is_watched(one) is want]) for want in (True, False))
    made = []
    for number in range(first, first + count):
        chosen = next(other if number % UNWATCHED_EVERY == UNWATCHED_EVERY - 1 else watched)
        native_id, entity = renewed(chosen, number)
        made.append(Post(network, native_id, json.dumps(entity).encode(), _is_watched(entity)))
    return made


def _is_watched(entity: dict[str, Any]) -> bool:
    text = re.sub(r"<[^>]*>", " ", entity["content"]) if "content" in entity else entity["record"]["text"]
    return _WATCHED.search(text) is not None


def _status(entity: dict[str, Any], number: int) -> tuple[str, dict[str, Any]]:
    """A status under another uri by another account; replies lose their parent, whose local id would mean nothing."""
    site = "https://m.example"
    uri, account = f"{site}/users/u{number}/statuses/{number}", f"{site}/users/u{number}"
    who = {**entity["account"], "id": str(number), "uri": account, "url": f"{site}/@u{number}", "acct": f"u{number}"}
    ids = {"id": str(number), "uri": uri, "url": f"{site}/@u{number}/{number}", "in_reply_to_id": None}
    return uri, {**entity, **ids, "account": who}


def _record(entity: dict[str, Any], number: int) -> tuple[str, dict[str, Any]]:
    """A post view under another at-uri by another account."""
    did = f"did:plc:u{number:022d}"
    uri = f"at://{did}/app.bsky.feed.post/3k{number:011d}"
    who = {**entity["author"], "did": did, "handle": f"u{number}.example"}
    record = {name: value for name, value in entity["record"].items() if name not in {"reply", "embed", "facets"}}
    view = {name: value for name, value in entity.items() if name not in {"embed", "threadgate"}}
    return uri, {**view, "uri": uri, "author": who, "record": {**record, "createdAt": "2026-05-01T10:00:00Z"}}


@cache
def _statuses() -> list[dict[str, Any]]:
    """The recorded public statuses that somebody wrote (boosts are none), each uri once."""
    found: dict[str, dict[str, Any]] = {}
    with lzma.open(shared("recordings/mastodon.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            for exchange in json.loads(line)["interactions"]:
                body = exchange["response"]["body"]
                for entity in _walk(json.loads(body)) if isinstance(body, str) and body[:1] in ("[", "{") else ():
                    if {"uri", "content", "account", "visibility"} <= entity.keys() and _is_plain(entity):
                        found.setdefault(entity["uri"], entity)
    return list(found.values())


def _is_plain(entity: dict[str, Any]) -> bool:
    public = entity["visibility"] in {"public", "unlisted"}
    return public and bool(entity["content"]) and not entity.get("reblog") and not entity.get("quote")


@cache
def _records() -> list[dict[str, Any]]:
    """The recorded post views, each uri once."""
    found: dict[str, dict[str, Any]] = {}
    with lzma.open(shared("recordings/payloads/bluesky_appview.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            for entity in _walk(json.loads(json.loads(line)["text"])):
                record = entity.get("record")
                if {"uri", "author"} <= entity.keys() and isinstance(record, dict) and record.get("text"):
                    found.setdefault(entity["uri"], entity)
    return list(found.values())


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(inner)
