"""The guest book, read."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from hub import Compliance, Context, Page, PollingSource, RawItem, Translated
from hub.sdk.http.api import Api
from hub.sdk.http.auth import Bearer
from hubbub_echo.config import EchoOptions
from hubbub_echo.translate import translate


class EchoSource(PollingSource[EchoOptions]):
    """Polls the entries after the last one that it knows."""

    name = "echo"
    network = "echo"
    Options = EchoOptions
    compliance = Compliance(delete_within=timedelta(days=7), terms="the guest book's house rules")

    def egress(self) -> tuple[str, ...]:
        """The guest book's host."""
        return (self.options.url.partition("://")[2],)

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        """Page by page, oldest first; the cursor is the last entry's number."""
        api = Api(ctx, self.options.url, auth=Bearer(self.options.token.get_secret_value()))
        while entries := api.get("entries", {"after": cursor or 0}).data:
            cursor = entries[-1]["id"]
            yield Page(tuple(self._raw(ctx, entry) for entry in entries), cursor)

    def translate(self, raw: RawItem) -> Translated:
        """One entry, one signal."""
        return translate(raw)

    def _raw(self, ctx: Context, entry: dict[str, Any]) -> RawItem:
        return RawItem(ctx.connection, self.name, msgspec.json.encode(entry), ctx.now(), str(entry["id"]))
