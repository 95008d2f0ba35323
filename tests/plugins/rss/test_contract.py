"""The contract of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hub.testkit.contracts import SourceContract
from plugins.rss.client import read
from plugins.rss.source import RssSource
from tests.plugins.rss.feeds import FEED, item, rss
from tests.plugins.rss.test_translate import ATOM, JSON_FEED_DOCUMENT


class TestRssContract(SourceContract):
    source = RssSource
    options: ClassVar[Mapping[str, Any]] = {"feeds": [FEED]}
    realm = FEED

    @classmethod
    def samples(cls) -> Sequence[bytes]:
        return [
            payload for document in (ATOM, rss(item("a")), JSON_FEED_DOCUMENT) for payload in read(document).payloads
        ]
