"""What the guest book tells the hub: its signature, and what its events say. Pure."""

from hub import Change
from hub.sdk.doc import Doc
from hub.sdk.signatures import Hmac

SCHEME = Hmac("x-echo-signature", stamp="x-echo-time", encoding="hex")
"""HMAC-SHA256 over the time, word for word, and the raw body; five minutes old at most."""


def read(body: bytes) -> tuple[Change, ...]:
    """Read an event: a person gave a note a state. Other events say nothing. Raises TranslationError if it is broken."""
    event = Doc.read(body, "an event")
    if event.text("what") != "state":
        return ()
    return (
        Change(
            kind="status",
            object="note",
            remote_id=event.need("note"),
            event_id=event.need("id"),
            at=event.time("at"),
            actor_id=event.text("by") or "",
            actor=event.text("by") or "",
            value=event.need("state"),
        ),
    )
