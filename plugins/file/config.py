"""Options of the file source."""

from __future__ import annotations

from pydantic import Field

from hub import ConfigPath, Options


class FileOptions(Options):
    """Which files are read and as what."""

    path: ConfigPath = Field(description="A file, or a pattern such as exports/*.jsonl (** for any depth)")
    as_plugin: str = Field(min_length=1, description="The plugin that translates the lines")
    realm: str = Field(default="", description="The realm of all items, where the plugin wants one")
    follow: bool = Field(default=False, description="Whether the files still grow; else each is read once")
