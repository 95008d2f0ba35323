"""The guest book's API: the only place that knows its addresses."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from hub import Context, RemoteRef
from hub.sdk.doc import Doc
from hub.sdk.http.api import Api
from hub.sdk.http.auth import Bearer
from hub.sdk.http.errors import ErrorTable, Refusal
from hub.sdk.replies import OwnPost
from hub.sdk.streams import StreamPage
from hubbub_echo.config import EchoOptions
from hubbub_echo.translate import item_of


def _refusal(body: Any) -> Refusal:
    """Read the guest book's way to refuse: `{"error": "words"}`."""
    return Refusal(message=Doc(body).text("error") or "")


class EchoClient:
    """Makes the calls of one poll, check, recheck, reply or batch."""

    def __init__(self, options: EchoOptions, ctx: Context) -> None:
        errors = ErrorTable(vendor="the guest book", read=_refusal)
        self._api = Api(ctx, options.url, auth=Bearer(options.token.get_secret_value()), errors=errors)

    def account(self) -> str:
        """Return our name in the guest book."""
        return self._api.get("me").need("name")  # a page of some proxy is no sign that all is well

    def page(self, _since: datetime | None, more: str | None) -> StreamPage:
        """Return one page of entries, the newest change first; `more` is what the page before it named."""
        answer = self._api.get("entries", {"before": more} if more else {})
        entries = [item_of(msgspec.json.encode(entry)) for entry in answer.listed("entries")]
        return StreamPage(entries, answer.doc.text("next"))

    def is_gone(self, id_: str) -> bool:
        """Return True if the guest book itself says so: a proxy's 404 is a page for people, a 403 is a hidden entry."""
        answer = self._api.call("GET", f"entries/{id_}", also=(403, 404))
        return answer.status == 404 and bool(answer.doc)

    def answer(self, parent: str, text: str, key: str) -> RemoteRef:
        """Write an entry that answers another; for an hour the same key gives the same entry."""
        body = {"answers": parent, "text": text}
        return RemoteRef(self._api.post("entries", body, headers={"idempotency-key": key}).named("id"))

    def own_entries(self) -> Iterator[list[OwnPost]]:
        """Give our own entries page by page, the newest first; an empty page says that the list has ended."""
        more: str | None = None
        while True:
            answer = self._api.get("entries", {"own": "yes", **({"before": more} if more else {})})
            yield [_own(Doc(entry)) for entry in answer.listed("entries")]
            more = answer.doc.text("next")
            if more is None:
                yield []
                return

    def put_note(self, key: str, fields: dict[str, Any]) -> RemoteRef:
        """Make or change the note of this key."""
        return RemoteRef(self._api.put(f"notes/{key}", fields).named("id"))

    def delete_note(self, key: str) -> None:
        """Delete the note of this key; one that is gone is fine."""
        self._api.delete(f"notes/{key}")


def _own(entry: Doc) -> OwnPost:
    return OwnPost(RemoteRef(entry.id("id")), entry.id("answers"), entry.text("text") or "", entry.time("written"))
