"""Registers the source."""

from __future__ import annotations

from hub import hookimpl
from plugins.file.source import FileSource


@hookimpl
def register_sources() -> tuple[type[FileSource]]:
    """Return the source class of this plugin."""
    return (FileSource,)
