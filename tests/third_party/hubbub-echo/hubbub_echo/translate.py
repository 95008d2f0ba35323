"""An entry of the guest book as a Signal. Pure."""

import msgspec

from hub import Author, RawItem, Signal, Translated, TranslationError, author_key, signal_key
from hub.sdk.text import parse_time


class Entry(msgspec.Struct):
    """An entry as the guest book writes it."""

    id: int
    name: str
    text: str
    written: str


def translate(raw: RawItem) -> Translated:
    """One entry to one signal and its author. Raises TranslationError where the entry is broken."""
    try:
        entry = msgspec.json.decode(raw.payload, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TranslationError(f"no entry: {error}") from None
    written = parse_time(entry.written)
    if written is None or not entry.name:
        raise TranslationError("an entry needs a time and a name")
    author = Author(author_key("echo", entry.name), "echo", entry.name, handle=entry.name)
    signal = Signal(
        key=signal_key("echo", str(entry.id)),
        network="echo",
        native_id=str(entry.id),
        kind="comment",
        text=entry.text,
        author_key=author.key,
        published_at=written,
        observed_at=raw.received_at,
    )
    return Translated((signal,), (author,))
