"""An entry of the guest book as a Signal, a record as its JSON. Pure: no client, no clock, the same answer for ever."""

from typing import Any

from hub import Author, Delivery, RawItem, Signal, Translated, TranslationError, author_key, signal_key
from hub.sdk.doc import Doc
from hub.sdk.streams import StreamItem


def translate(raw: RawItem) -> Translated:
    """Read one entry: a signal and its author. Raises TranslationError if the entry is broken."""
    entry = Doc.read(raw.payload, "an entry")
    id_, name, written = entry.id("id"), entry.need("name"), entry.time("written")
    if not id_ or written is None:
        raise TranslationError("an entry needs an id and a time")
    parent = entry.id("answers")
    author = Author(author_key("echo", name), "echo", name, handle=name)
    signal = Signal(
        key=signal_key("echo", id_),
        network="echo",
        native_id=id_,
        kind="reply" if parent else "comment",
        text=entry.text("text") or "",
        author_key=author.key,
        in_reply_to=signal_key("echo", parent) if parent else None,
        published_at=written,
        updated_at=entry.time("changed"),
        observed_at=raw.received_at,
        can_reply="yes",
    )
    return Translated((signal,), (author,))


def item_of(payload: bytes) -> StreamItem:
    """Return an entry with its place in the list, the time of its last change; one that is broken has none, and is kept."""
    return StreamItem.by_time(payload, "changed", id="id", revision="version")


def note_of(delivery: Delivery) -> dict[str, Any]:
    """Return the body of a note: what the mapping made, without what is empty."""
    return {name: value for name, value in delivery.fields.items() if value is not None}
