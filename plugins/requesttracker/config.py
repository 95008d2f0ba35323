"""Options of a Request Tracker connection."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from hub import Options

_NAME = r"^[\w][\w .:-]*$"


class RequestTrackerOptions(Options):
    """RT's address, who we are there, and how conversations become tickets.

    `base_url` is RT's web address (with its path where it has one), `token` an authentication token of the hub's own user.
    `key_field` is the ticket custom field that holds our keys. A ticket in one of the `closed` states for over `reopen_days` is
    not reopened: a new one that refers to it goes on (None: always reopened). `timeout` is in seconds.
    """

    base_url: str = Field(description="RT's web address, with its path if it has one")
    token: SecretStr = Field(description="Authentication token of the hub's own user")
    queue: str = Field(
        min_length=1, max_length=200, description="Where tickets are made, unless a mapping names another"
    )
    key_field: str = Field(
        default="Hubbub Key", pattern=_NAME, max_length=200, description="The ticket custom field that holds our keys"
    )
    reopen_days: int | None = Field(
        default=30, ge=1, le=3650, description="A ticket closed for longer is not reopened: a new one refers to it"
    )
    closed: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=("resolved", "rejected"), min_length=1, description="The states that count as closed"
    )
    timeout: float = Field(default=60.0, gt=0, le=600, description="Seconds for one call")

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise ValueError("must be RT's web address, such as https://rt.example.com")
        return value.rstrip("/").removesuffix("/REST/2.0")

    @property
    def host(self) -> str:
        """The host name, without port."""
        return urlsplit(self.base_url).hostname or ""
