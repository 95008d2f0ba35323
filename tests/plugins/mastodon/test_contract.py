"""The contract of a source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hub.testkit.contracts import SourceContract
from plugins.mastodon.source import MastodonSource
from tests.plugins.mastodon.instance import status


class TestMastodonContract(SourceContract):
    source = MastodonSource
    options: ClassVar[Mapping[str, Any]] = {
        "instance": "https://m.example",
        "token": "t",
        "notifications": True,
        "own_account": "ann",
    }

    @classmethod
    def samples(cls) -> Sequence[bytes]:
        rich = status(
            "1",
            edited_at="2026-01-03T00:00:00Z",
            in_reply_to_id="9",
            quote={"state": "accepted", "quoted_status": status("2")},
            media_attachments=[{"type": "image", "url": "https://m.example/a.png", "description": "A cat"}],
            mentions=[{"id": "9", "acct": "bo@x.example", "url": "https://x.example/@bo"}],
            tags=[{"name": "acme"}],
            favourites_count=1,
        )
        mention = {"id": "5", "type": "mention", "account": rich["account"], "status": status("3")}
        talk = {"id": "4", "accounts": [], "last_status": status("6", visibility="direct")}
        follow = {"id": "6", "type": "follow", "account": rich["account"]}
        gone = {"type": "Tombstone", "id": "https://m.example/7", "deleted": "2026-01-01T00:00:00Z"}
        return [json.dumps(entity).encode() for entity in (rich, mention, talk, follow, gone)]
