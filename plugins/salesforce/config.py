"""Options of a Salesforce connection."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from hub import Options

OBJECTS = {
    "Social_Author__c": "Author_Key__c",
    "Social_Signal__c": "Signal_Key__c",
    "Lead": "Social_Author_Key__c",
    "Contact": "Social_Person_Key__c",
    "Account": "Social_Account_Key__c",
}
NAME = r"^[A-Za-z][A-Za-z0-9_]{0,79}$"


class SalesforceOptions(Options):
    """How to reach an org, as whom, which objects are ours there, and what may come back.

    One way of authorising is given: `client_id`, `username` and a private key (JWT bearer), `client_id` and
    `client_secret` (client credentials), or an `access_token` that is not renewed. `objects` maps an object to its
    external-id field.
    """

    instance_url: str
    version: str = Field(default="67.0", pattern=r"^\d{2,3}\.0$")
    client_id: str | None = None
    username: str | None = None
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    client_secret: SecretStr | None = None
    access_token: SecretStr | None = None
    audience: str | None = None
    objects: dict[Annotated[str, Field(pattern=NAME)], str] = Field(default_factory=lambda: dict(OBJECTS))
    duplicate_rules: Literal["obey", "save"] = "obey"
    park_above: float = Field(default=0.95, gt=0, le=1)
    timeout: float = Field(default=120, gt=0, le=600)
    poll: bool = True
    organization_id: str | None = Field(default=None, pattern=r"^00D[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$")
    inbound_secret: SecretStr | None = None

    @field_validator("instance_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
            raise ValueError("must be the org's My Domain URL, https://NAME.my.salesforce.com")
        if parts.path.strip("/") or parts.query or parts.username:
            raise ValueError("must end after the host: https://NAME.my.salesforce.com")
        return f"{parts.scheme}://{parts.netloc}"

    @model_validator(mode="after")
    def _one_way_of_authorising(self) -> Self:
        jwt = bool(self.username or self.private_key or self.private_key_file)
        ways = (jwt, self.client_secret is not None, self.access_token is not None)
        if sum(ways) != 1:
            raise ValueError("give one of: username with private_key or private_key_file, client_secret, access_token")
        if jwt and not (self.username and (self.private_key is None) != (self.private_key_file is None)):
            raise ValueError("JWT bearer needs username and one of private_key, private_key_file")
        if self.access_token is None and not self.client_id:
            raise ValueError("client_id is missing: the consumer key of the External Client App")
        return self

    def read_key(self) -> str:
        """Return the private key as PEM, from its file where it stands in one. Raises OSError if that cannot be read."""
        if self.private_key_file:
            return self.private_key_file.read_text("ascii")
        return self.private_key.get_secret_value() if self.private_key else ""

    @property
    def host(self) -> str:
        """The host name, without port."""
        return urlsplit(self.instance_url).hostname or ""

    @property
    def tls_url(self) -> str:
        """The origin as simple-salesforce will call it: always https."""
        return "https://" + self.instance_url.split("://", 1)[1]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
