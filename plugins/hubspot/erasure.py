"""What a record must not hold any more once its post or author is gone. Pure.

HubSpot keeps archived records readable for 90 days ("Restore deleted records"), so their words are emptied first. The history of
a property keeps old values until the record is purged: nothing in the API takes them out of a custom object.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hub import Delivery
from hub.core.erasure import changed_since

DELETED = "(deleted)"
_MOOD = ("sentiment_mean_30d", "sentiment_trend_30d", "followers", "signals_30d")
_PERSONS = (
    *("firstname", "lastname", "hub_message", "hub_network", "hub_handle", "hub_profile_url", "hub_latest_sentiment"),
    *(f"hub_{name}" for name in _MOOD),
    *("hub_last_url", "hub_last_signal_at", "hub_conversation_url", "hub_link"),
)
# What the mappings that ship write of a post or a person; keys stay, which are hashes.
CONTENT: Mapping[str, Mapping[str, str]] = {
    "social_signal": {
        "name": DELETED,
        **dict.fromkeys(("excerpt", "url", "hub_link", "language", "sentiment", "sentiment_score", "intent"), ""),
        **dict.fromkeys(("topics", "likes"), ""),
    },
    "social_author": {"name": DELETED, **dict.fromkeys(("handle", "profile_url", "bio", "verified", *_MOOD), "")},
    "contacts": dict.fromkeys(_PERSONS, ""),
    "companies": dict.fromkeys((name for name in _PERSONS if name.startswith("hub_")), ""),
}


def blanks_of(one: Delivery, known: Collection[str], held: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the properties to empty in the record of a tombstone, and those that people have changed since."""
    content = CONTENT.get(one.object, {})
    written: Mapping[str, str] = one.written or dict.fromkeys(content, "")
    names = [name for name in written if name in known and name != one.key_field]
    changed = changed_since(names, written, held)
    return {name: content.get(name, "") for name in names if name not in changed}, changed
