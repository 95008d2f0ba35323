"""The guest book, read."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from hub import Compliance, Context, RawItem, Translated
from hub.sdk.http.api import Api
from hub.sdk.http.auth import Bearer
from hub.sdk.streams import ByNumber, Stream, StreamItem, StreamPage, StreamsSource
from hubbub_echo.config import EchoOptions
from hubbub_echo.translate import translate


class EchoSource(StreamsSource[EchoOptions]):
    """Polls the entries after the last one that it knows."""

    name = "echo"
    network = "echo"
    Options = EchoOptions
    sandbox = "hubbub_echo.sandbox:build"
    compliance = Compliance(delete_within=timedelta(days=7), terms="the guest book's house rules")

    def egress(self) -> tuple[str, ...]:
        """The guest book's host."""
        return (self.options.url.partition("://")[2],)

    def streams(self, ctx: Context) -> Iterator[Stream]:
        """The one list that a guest book is."""
        api = Api(ctx, self.options.url, auth=Bearer(self.options.token.get_secret_value()))
        yield Stream("entries", partial(self._page, api), ByNumber())

    def _page(self, api: Api, since: int | None, more: int | None) -> StreamPage:
        """The entries after the last one that is known; the next page begins after this one's last."""
        entries: list[dict[str, Any]] = api.get("entries", {"after": more or since or 0}).data
        items = [StreamItem(msgspec.json.encode(one), one["id"], str(one["id"])) for one in entries]
        return StreamPage(items, more=items[-1].place if items else None)

    def translate(self, raw: RawItem) -> Translated:
        """One entry, one signal."""
        return translate(raw)
