"""The entry point: hands over the source."""

from __future__ import annotations

from hub import hookimpl
from plugins.bluesky.source import BlueskySource


@hookimpl
def register_sources() -> tuple[type[BlueskySource]]:
    """Return Bluesky as a source."""
    return (BlueskySource,)
