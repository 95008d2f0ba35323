"""An entry of the guest book as a Signal. Pure."""

from hub import Author, RawItem, Signal, Translated, TranslationError, author_key, signal_key
from hub.sdk.doc import Doc


def translate(raw: RawItem) -> Translated:
    """One entry to one signal and its author. Raises TranslationError where the entry is broken."""
    entry = Doc.read(raw.payload, "an entry")
    id_, name, written = entry.id("id"), entry.need("name"), entry.time("written")
    if not id_ or written is None:
        raise TranslationError("an entry needs an id and a time")
    author = Author(author_key("echo", name), "echo", name, handle=name)
    signal = Signal(
        key=signal_key("echo", id_),
        network="echo",
        native_id=id_,
        kind="comment",
        text=entry.need("text"),
        author_key=author.key,
        published_at=written,
        observed_at=raw.received_at,
    )
    return Translated((signal,), (author,))
