"""The guest book, read."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from hub import Compliance, Context, Page, PollingSource, RawItem, Translated, Unavailable
from hub.sdk.http.errors import error_for
from hubbub_echo.config import EchoOptions
from hubbub_echo.translate import translate


class EchoSource(PollingSource[EchoOptions]):
    """Polls the entries after the last one that it knows; the cursor is that entry's number."""

    name = "echo"
    network = "echo"
    Options = EchoOptions
    sandbox = "hubbub_echo.sandbox:build"
    compliance = Compliance(delete_within=timedelta(days=7), terms="the guest book's house rules")

    def egress(self) -> tuple[str, ...]:
        """The guest book's host."""
        return (self.options.url.partition("://")[2],)

    def check(self, ctx: Context) -> str:
        """Ask the guest book for its name, which needs the token."""
        about = self._ask(ctx, "/me")
        if not isinstance(about, dict):
            raise Unavailable("the guest book does not say its name")
        return f"the guest book '{about.get('title')}'"

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        """Page by page, oldest first; ends with the first page that brings nothing new."""
        last = cursor if isinstance(cursor, int) else 0
        while entries := self._after(ctx, last):
            last = entries[-1]["id"]
            yield Page(tuple(self._raw(ctx, entry) for entry in entries), last)

    def translate(self, raw: RawItem) -> Translated:
        """One entry, one signal."""
        return translate(raw)

    def _after(self, ctx: Context, last: int) -> list[dict[str, Any]]:
        """The next entries. An answer that is no list is no news of "nothing new": raise, and the engine comes back."""
        found = self._ask(ctx, f"/entries?after={last}")
        if not isinstance(found, list):
            raise Unavailable("the guest book did not answer with a list")
        entries = [entry for entry in found if isinstance(entry, dict) and isinstance(entry.get("id"), int)]
        return [entry for entry in entries if entry["id"] > last]

    def _ask(self, ctx: Context, path: str) -> Any:
        headers = {"authorization": f"Bearer {self.options.token.get_secret_value()}"}
        response = ctx.http.send("GET", self.options.url + path, headers=headers)
        if error := error_for(response, ctx.now()):
            raise error
        return response.json()

    def _raw(self, ctx: Context, entry: dict[str, Any]) -> RawItem:
        return RawItem(ctx.connection, self.name, msgspec.json.encode(entry), ctx.now(), str(entry["id"]))
