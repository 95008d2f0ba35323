"""Reading how much of a rate window is used: the three headers that many vendors send under different names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from hub.sdk.rates import Usage
from hub.sdk.text import parse_time

_EPOCH_FROM = 1e8  # a larger number of seconds is a time since 1970, a smaller one a span
_LARGEST = 10**12


def window_usage(headers: Mapping[str, str], prefix: str = "ratelimit-") -> Usage | None:
    """Return usage by `{prefix}limit`, `-remaining` and `-reset`, None if the first two are not there; any form of reset.

    The reset is a span in seconds (Zendesk; draft-ietf-httpapi-ratelimit-headers-03), seconds since 1970 (Bluesky) or an ISO
    time (Mastodon); times are read against the answer's own `Date`.
    """
    span = resets_in(headers.get(f"{prefix}reset", ""), parse_time(headers.get("date", "")))
    return usage_of(headers.get(f"{prefix}limit"), headers.get(f"{prefix}remaining"), resets_in=span)


def usage_of(limit: str | None, remaining: str | None, *, resets_in: float | None = None) -> Usage | None:
    """Return usage by two header values, None if one of them is no number."""
    size, left = count(limit), count(remaining)
    return Usage(max(0, size - left), size, resets_in) if size and left is not None else None


def count(text: str | None) -> int | None:
    """Return a whole number in a header (what follows a comma or semicolon is no part of it), None if it is none."""
    first = (text or "").replace(";", ",").partition(",")[0].strip()
    found = int(first) if first.isascii() and first.isdigit() and len(first) < 16 else None
    return found if found is None or found < _LARGEST else None


def resets_in(text: str, now: datetime | None) -> float | None:
    """Return the seconds until a reset that a header tells: a span, seconds since 1970, or a date; None if it is none."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.inf
    if seconds < _EPOCH_FROM:
        return max(0.0, seconds)
    at = parse_time(text)
    return max(0.0, (at - now).total_seconds()) if at and now else None
