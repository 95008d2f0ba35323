"""What a record must not hold any more before it is archived. Pure.

HubSpot keeps archived records readable for 90 days ("Restore deleted records"), so their words are emptied first. The history of
a property keeps old values until the record is purged: nothing in the API takes them out of a custom object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CONTENT: Mapping[str, Mapping[str, str]] = {
    "social_signal": {"name": "(deleted)", "excerpt": "", "url": "", "hub_link": ""},
    "social_author": {"name": "(deleted)", "handle": "", "profile_url": "", "bio": ""},
}


def blanks(object_: str, ids: Iterable[str]) -> dict[str, Any]:
    """Return the body of a batch update that empties records; without inputs if the object is not one of ours."""
    fields = CONTENT.get(object_)
    return {
        "inputs": [{"id": id_, "properties": dict(fields), "objectWriteTraceId": id_} for id_ in ids] if fields else []
    }
