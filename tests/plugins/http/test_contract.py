"""What every source owes the engine, shown by each shipped file."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from hub.testkit.contracts import SourceContract
from plugins.http.source import HttpSource
from tests.plugins.http.answers import HITS, comment, question, recorded, review


class TestHackerNews(SourceContract):
    source = HttpSource
    options: ClassVar[dict[str, Any]] = {"file": "hackernews", "given": {"query": "acme"}}

    @classmethod
    def samples(cls) -> list[bytes]:
        return [msgspec.json.encode(one) for one in HITS]


class TestStackExchange(SourceContract):
    source = HttpSource
    realm = "stackoverflow"
    options: ClassVar[dict[str, Any]] = {
        "file": "stackexchange",
        "given": {"site": "stackoverflow", "tagged": "acme"},
        "secret": "s3cret",
    }

    @classmethod
    def samples(cls) -> list[bytes]:
        return [msgspec.json.encode(one) for one in (question(1), question(2, last_edit_date=1459980000))]


class TestWordPress(SourceContract):
    source = HttpSource
    realm = "blog.example.com"
    options: ClassVar[dict[str, Any]] = {"file": "wordpress", "given": {"site": "blog.example.com"}}

    @classmethod
    def samples(cls) -> list[bytes]:
        return [msgspec.json.encode(one) for one in (comment(1), comment(2, parent=1))]


class TestAppStore(SourceContract):
    source = HttpSource
    realm = "us/383298204"
    options: ClassVar[dict[str, Any]] = {"file": "appstore", "given": {"app": "383298204"}}

    @classmethod
    def samples(cls) -> list[bytes]:
        real = [one for one in recorded("appstore_rss")[0]["feed"]["entry"] if "im:rating" in one]
        return [msgspec.json.encode(one) for one in (review(1), *real)]
