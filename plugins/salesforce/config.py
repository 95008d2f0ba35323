"""Options of a Salesforce connection."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from hub import ConfigPath, Options

OBJECTS = {
    "Social_Author__c": "Author_Key__c",
    "Social_Signal__c": "Signal_Key__c",
    "Lead": "Social_Author_Key__c",
    "Contact": "Social_Person_Key__c",
    "Account": "Social_Account_Key__c",
}
NAME = r"^[A-Za-z][A-Za-z0-9_]{0,79}$"


class SalesforceOptions(Options):
    """How to reach an org, who we are there, which objects are ours there, and what may come back.

    One way of authorising is given: `client_id`, `username` and a private key (JWT bearer), `client_id` and
    `client_secret` (client credentials), or an `access_token` that is not renewed. `objects` maps an object to its
    external-id field.
    """

    instance_url: str = Field(description="The org's My Domain URL")
    version: str = Field(default="67.0", pattern=r"^\d{2,3}\.0$", description="REST API version")
    client_id: str | None = Field(default=None, description="Consumer key of the External Client App")
    username: str | None = Field(default=None, description="JWT bearer: the integration user")
    private_key: SecretStr | None = Field(default=None, description="JWT bearer: the RSA key in PEM")
    private_key_file: ConfigPath | None = Field(default=None, description="JWT bearer: the file that holds the RSA key")
    client_secret: SecretStr | None = Field(default=None, description="Client credentials flow instead of JWT")
    access_token: SecretStr | None = Field(
        default=None, description="A token that nothing renews, for tests and the sandbox"
    )
    audience: str | None = Field(default=None, description="The JWT's aud if the org wants another than its URL")
    objects: dict[Annotated[str, Field(pattern=NAME)], Annotated[str, Field(pattern=NAME)]] = Field(
        default_factory=lambda: dict(OBJECTS), description="Object = its external-id field"
    )
    duplicate_rules: Literal["obey", "save"] = Field(
        default="obey", description="Obey the org's duplicate rules, or save in spite of them"
    )
    park_above: float = Field(
        default=0.95, gt=0, le=1, description="The part of the day's API calls above which the next batch waits"
    )
    timeout: float = Field(default=120, gt=0, le=600, description="Seconds for one call")
    poll: bool = Field(default=True, description="Ask every two minutes what people did to the objects")
    organization_id: str | None = Field(
        default=None,
        pattern=r"^00D[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$",
        description="The org's id: Outbound Messages must name it",
    )
    inbound_secret: SecretStr | None = Field(default=None, description="The secret in the URL of Outbound Messages")

    @field_validator("instance_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
            raise ValueError("must be the org's My Domain URL, https://NAME.my.salesforce.com")
        if (parts.hostname or "").endswith(".lightning.force.com"):
            raise ValueError("this is the page for people; the API is at https://NAME.my.salesforce.com")
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
        if jwt and "PRIVATE KEY-----" not in self._key():
            raise ValueError("private_key is no RSA key in PEM: it begins with -----BEGIN PRIVATE KEY-----")
        if self.access_token is None and not self.client_id:
            raise ValueError("client_id is missing: the consumer key of the External Client App")
        return self

    def _key(self) -> str:
        try:
            return self.read_key()
        except OSError as error:
            raise ValueError(f"private_key_file: {self.private_key_file}: {error.strerror}") from None

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
