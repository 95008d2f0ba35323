"""The sandbox's own clock: it stands in for a vendor, which has one too; tests hand in theirs."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time of this machine, aware UTC."""
    return datetime.now(UTC)  # noqa: TID251 - a vendor's look-alike has no context to take the time from
