"""Options of the feed source."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from hub import Options
from hub.sdk.addresses import web_parts


def _address(url: str) -> str:
    """Return an http(s) address. Raises ValueError if it is none (`file:` and bare paths most of all)."""
    url = url.strip()
    web_parts(url)
    return url


class RssOptions(Options):
    """Which feeds are read, how often, and how far back at first."""

    feeds: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(
        min_length=1, description="Addresses of the feeds"
    )
    backfill_days: float = Field(default=7, ge=0, le=36_500, description="First fetch: entries of the last N days only")
    backfill_items: int = Field(default=50, ge=0, description="First fetch: at most N entries, the newest")
    pause_minutes: float = Field(
        default=15, gt=0, le=525_600, description="Shortest pause between two fetches of a feed"
    )
    updates: bool = Field(default=True, description="Take a changed entry again")
    update_pause_minutes: float = Field(
        default=60, ge=0, le=525_600, description="Shortest pause between an entry's updates"
    )
    timeout: float = Field(default=30.0, gt=0, le=300, description="Seconds for one request")
