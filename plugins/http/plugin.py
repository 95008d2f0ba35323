"""Registers the source."""

from __future__ import annotations

from hub import hookimpl
from plugins.http.source import HttpSource


@hookimpl
def register_sources() -> tuple[type[HttpSource]]:
    """Return the source class of this plugin."""
    return (HttpSource,)
