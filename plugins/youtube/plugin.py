"""Registers the source."""

from hub import hookimpl
from plugins.youtube.source import YoutubeSource


@hookimpl
def register_sources() -> tuple[type[YoutubeSource]]:
    """Return the source class of this plugin."""
    return (YoutubeSource,)
