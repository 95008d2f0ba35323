"""Options of the file source."""

from __future__ import annotations

from pydantic import Field, field_validator

from hub import ConfigPath, Options


class FileOptions(Options):
    """Which files are read and as what."""

    path: ConfigPath = Field(description="A file, or a pattern such as exports/*.jsonl (** for any depth)")
    as_plugin: str = Field(min_length=1, description="The plugin that translates the lines")
    realm: str = Field(default="", description="The realm of all items, where the plugin wants one")
    follow: bool = Field(default=False, description="The files still grow; else each is read once")

    @field_validator("path", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        if not str(value).strip():
            raise ValueError("name a file, or a pattern")
        return value
