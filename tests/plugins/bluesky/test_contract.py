"""What every source owes the engine, shown by Bluesky's."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from hub.testkit.contracts import SourceContract
from plugins.bluesky.source import BlueskySource

DID = "did:plc:ann"
REPLY = {
    "parent": {"uri": "at://did:plc:b/app.bsky.feed.post/2"},
    "root": {"uri": "at://did:plc:c/app.bsky.feed.post/3"},
}
VIEW: dict[str, Any] = {
    "uri": f"at://{DID}/app.bsky.feed.post/1",
    "cid": "bafy1",
    "author": {"did": DID, "handle": "ann.test", "displayName": "Ann", "labels": [{"val": "bot", "src": DID}]},
    "record": {
        "$type": "app.bsky.feed.post",
        "text": "é😀 @bob #ab",
        "createdAt": "2026-01-01T10:00:00.000Z",
        "langs": ["en-US"],
        "reply": REPLY,
        "tags": ["cd"],
        "facets": [
            {
                "index": {"byteStart": 7, "byteEnd": 11},
                "features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:bob"}],
            }
        ],
        "embed": {
            "$type": "app.bsky.embed.record",
            "record": {"uri": "at://did:plc:d/app.bsky.feed.post/4", "cid": "c"},
        },
    },
    "embed": {"$type": "app.bsky.embed.images#view", "images": [{"alt": "a cat", "fullsize": "https://cdn.test/1"}]},
    "indexedAt": "2026-01-01T10:00:01.000Z",
    "likeCount": 3,
    "labels": [{"val": "!hide"}],
    "viewer": {"replyDisabled": True},
}
REPOST = {
    "$type": "app.bsky.feed.defs#reasonRepost",
    "by": {"did": "did:plc:bob", "handle": "bob.test"},
    "uri": "at://did:plc:bob/app.bsky.feed.repost/1",
    "indexedAt": "2026-01-01T11:00:00Z",
}


class TestBlueskyContract(SourceContract):
    source = BlueskySource
    options: ClassVar[dict[str, Any]] = {"handle": "brand.test", "app_password": "app-pass"}

    @classmethod
    def samples(cls) -> list[bytes]:
        record = {"uri": VIEW["uri"], "cid": VIEW["cid"], "value": VIEW["record"]}
        items = [
            {"post": VIEW, "reason": REPOST},
            {**VIEW, "reason": "mention"},
            record,
            {"uri": VIEW["uri"], "deleted": True},
        ]
        return [msgspec.json.encode(item) for item in items]
