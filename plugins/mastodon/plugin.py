"""Registers the source."""

from __future__ import annotations

from hub import hookimpl
from plugins.mastodon.source import MastodonSource


@hookimpl
def register_sources() -> tuple[type[MastodonSource]]:
    """Return the source class of this plugin."""
    return (MastodonSource,)
