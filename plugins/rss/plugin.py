"""Registers the source."""

from __future__ import annotations

from hub import hookimpl
from plugins.rss.source import RssSource


@hookimpl
def register_sources() -> tuple[type[RssSource]]:
    """Return the source class of this plugin."""
    return (RssSource,)
