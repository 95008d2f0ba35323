"""Options of the feed source."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from hub import Options


def _address(url: str) -> str:
    """Return an http(s) address. Raises ValueError if it is none (`file:` and bare paths most of all)."""
    url = url.strip()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a feed's address begins with https:// or http://")
    return url


class RssOptions(Options):
    """Which feeds are read, how often, and how far back at first."""

    feeds: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(
        min_length=1, description="Addresses of the feeds"
    )
    backfill_days: float = Field(default=7, ge=0, description="First fetch: entries of the last N days only")
    backfill_items: int = Field(default=50, ge=0, description="First fetch: at most N entries, the newest")
    pause_minutes: float = Field(default=15, gt=0, description="Shortest pause between two fetches of a feed")
    updates: bool = Field(default=True, description="Take a changed entry again")
    update_pause_minutes: float = Field(default=60, ge=0, description="Shortest pause between two updates of an entry")
    timeout: float = Field(default=30.0, gt=0, le=300, description="Seconds for one request")
