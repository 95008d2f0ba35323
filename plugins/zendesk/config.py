"""Options of a Zendesk connection."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from hub import Options

OBJECTS = {"social_author": "social_author", "social_signal": "social_signal"}


class ZendeskOptions(Options):
    """How to reach an account, who we are there, and which custom objects are ours there.

    One way of authorising is given: an OAuth access `token`, a `client_id` with `client_secret` (client credentials), or
    `email` with `api_token` (dying: Zendesk makes no new API tokens since 27 Oct 2026 and ends them on 30 Apr 2027).
    `objects` maps a mapping's object to the custom object's key in the account; `author_field` is the lookup field of a
    signal that points to its author. A job is asked for every `job_pause` seconds at first, `job_wait` seconds in all.
    `webhook_secret` signs what Zendesk tells us. A post on a ticket solved less than `reopen_days` days ago reopens it.
    `delete_tickets_to_erase` allows what no redaction can do: where a ticket's history keeps a deleted post's words.
    """

    subdomain: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="The account: acme for acme.zendesk.com")
    token: SecretStr | None = Field(default=None, description="An OAuth access token that something else renews")
    client_id: str | None = Field(default=None, description="The OAuth client's identifier")
    client_secret: SecretStr | None = Field(default=None, description="The OAuth client's secret")
    scope: str = Field(default="read write", description="The scope that is asked for with them")
    email: str | None = Field(
        default=None, pattern=r"^[^@\s]+@[^@\s]+$", description="An agent's address, with api_token"
    )
    api_token: SecretStr | None = Field(default=None, description="An API token; Zendesk ends them on 30 Apr 2027")
    base_url: str | None = Field(
        default=None, description="Origin of a local server instead of the account, for the sandbox"
    )
    objects: dict[str, str] = Field(
        default_factory=lambda: dict(OBJECTS), description="A mapping's object = the custom object's key in the account"
    )
    author_field: str = Field(
        default="author", pattern=r"^\w*$", description="The signal's lookup field for its author; empty: none"
    )
    public_comments: bool = Field(default=True, description="Comments are public unless their mapping says otherwise")
    webhook_secret: SecretStr | None = Field(
        default=None, description="Signing secret of the webhook that calls the hub"
    )
    reopen_days: int = Field(
        default=14, ge=0, le=28, description="A new post reopens a ticket solved at most so many days ago"
    )
    delete_tickets_to_erase: bool = Field(
        default=False, description="Delete a ticket whose history keeps a deleted post's words"
    )
    open_jobs: int = Field(default=15, ge=1, le=30, description="Jobs open at once")
    job_pause: float = Field(default=1.0, ge=0, le=30, description="Seconds before the first look at a job")
    job_wait: float = Field(
        default=60.0, gt=0, le=600, description="Seconds after which a job is given up as uncertain"
    )
    timeout: float = Field(default=60.0, gt=0, le=600, description="Seconds for one call")

    @field_validator("base_url")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("must be the origin of a local server, such as http://127.0.0.1:8703")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("objects")
    @classmethod
    def _are_keys(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value.values():
            if not key.replace("_", "").isalnum() or not key.isascii():
                raise ValueError(f"{key!r} is no key of a custom object: letters, digits and _ only")
        return value

    @model_validator(mode="after")
    def _one_way_of_authorising(self) -> Self:
        pairs = (self.client_id, self.client_secret), (self.email, self.api_token)
        if any((one is None) != (other is None) for one, other in pairs):
            raise ValueError("client_id goes with client_secret, email with api_token")
        if sum(way is not None for way in (self.token, self.client_secret, self.api_token)) != 1:
            raise ValueError("give one of: token, client_id with client_secret, email with api_token")
        return self

    @property
    def origin(self) -> str:
        """The account as Zendesk and zenpy know it."""
        return f"https://{self.subdomain}.zendesk.com"

    @property
    def web(self) -> str:
        """The address that really leads to the account, for us and for an agent's browser."""
        return self.base_url or self.origin

    @property
    def host(self) -> str:
        """The host name, without port."""
        return urlsplit(self.web).hostname or ""
