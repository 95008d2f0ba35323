"""What agents read in private notes about their replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.grammar.words import network_name

WAITS = "waits for approval"
OFF = "outlet_off"
"""The code of an error that says that nothing can be posted while the source is off."""


def reply_note(network: str, *, state: str, error: Mapping[str, Any] | None, links: tuple[str | None, str]) -> str:
    """Say what became of a reply; `links` are the post (None if unknown) and the reply's page in the hub. "": nothing to say."""
    name, (post, page) = network_name(network), links
    said = str((error or {}).get("message") or (error or {}).get("note") or "no reason was given")
    match state:
        case "delivered":
            return f"Posted on {name}: {post}" if post else f"Posted on {name}."
        case "dead":
            return f"Not posted on {name}: {said}"
        case "discarded":
            return f"Not posted on {name}, refused in the hub: {said}"
        case "approval":
            return f"Not posted on {name} yet. Waits for approval in the hub: {page}"
        case "review":
            return f"In doubt: it may have been posted on {name} ({said}). Decide in the hub: {page}"
    return _stranded_note(name, said, page, state=state) if (error or {}).get("code") == OFF else ""


def _stranded_note(name: str, said: str, page: str, *, state: str) -> str:
    if state == "uncertain":
        return f"In doubt for now: it may have been posted on {name} ({said}). See in the hub: {page}"
    return f"Not posted on {name} yet: {said}. It waits in the hub: {page}"


def unanswered_note(reason: str) -> str:
    """Say to an agent that there was nothing that a reply could go to."""
    return f"Not posted: {reason}"
