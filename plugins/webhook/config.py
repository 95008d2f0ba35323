"""Options of the webhook source and destination."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from ipaddress import ip_network
from typing import Any, Literal, Self

from pydantic import AnyHttpUrl, Field, PrivateAttr, SecretStr, model_validator

from hub import ConfigPath, Options
from hub.sdk.fields import Fields
from hub.sdk.signatures import Hmac, SharedSecret, StandardWebhook
from plugins.webhook.translate import NETWORK, compile_reader

HUB256 = Hmac("x-hub-signature-256", encoding="hex", prefix="sha256=")  # WebSub, GitHub, Meta


class InboundOptions(Options):
    """`scheme` says how requests are signed; `mapping` is a TOML file that says which field of the body is what."""

    scheme: Literal["standard", "hub256", "header", "none"] = Field(
        default="standard", description="How requests are signed"
    )
    secret: SecretStr | None = Field(default=None, description="The shared secret; needed unless the scheme is none")
    networks: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128"), description="Scheme none: the addresses and networks that may post"
    )
    header: str = Field(default="x-webhook-secret", description="Scheme header: the header that carries the secret")
    tolerance_s: int = Field(default=300, ge=1, description="Scheme standard: seconds that the stamp may be off")
    max_body: int = Field(default=2 * 1024 * 1024, ge=1024, description="Bytes; a larger request is refused")
    realm: str | None = Field(
        default=None, description="Tells apart senders that give the same ids; without it the source's name does"
    )
    network: str = Field(default="webhook", description="The network of signals whose body names none")
    mapping: ConfigPath | None = Field(
        default=None, description="A TOML file that says which field of the body is what"
    )
    _reader: Fields = PrivateAttr(default_factory=lambda: compile_reader({}))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.scheme != "none" and not (self.secret and self.secret.get_secret_value().strip()):
            raise ValueError(f'scheme = "{self.scheme}" needs a secret: secret = {{ env = "NAME" }}')
        if not NETWORK.fullmatch(self.network):
            raise ValueError("network: a name has letters, digits, - and _ only, at most 31, such as my_shop")
        for one in self.networks:
            ip_network(one, strict=False)  # a ValueError names the text
        if self.scheme == "standard" and self.secret:
            StandardWebhook.key_of(self.secret.get_secret_value())
        self._reader = compile_reader(self._read_mapping())
        return self

    @property
    def reader(self) -> Fields:
        """The compiled mapping of bodies to signals."""
        return self._reader

    @property
    def checks(self) -> Hmac | SharedSecret | StandardWebhook:
        """Return how requests prove that they are genuine."""
        if self.scheme == "standard":
            return StandardWebhook(timedelta(seconds=self.tolerance_s))
        return HUB256 if self.scheme == "hub256" else SharedSecret(self.header)

    def _read_mapping(self) -> dict[str, Any]:
        if self.mapping is None:
            return {}
        try:
            return tomllib.loads(self.mapping.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{self.mapping}: {error}") from None


class OutboundOptions(Options):
    """`url` takes `POST {"records": [...]}`; with a secret the batches are signed by Standard Webhooks."""

    url: AnyHttpUrl = Field(description="Where batches are posted")
    secret: SecretStr | None = Field(default=None, description="Signs the batches by Standard Webhooks")
    batch: int = Field(default=100, ge=1, le=1000, description="Records in one request")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.secret is not None:  # one that is set and empty would leave the batches unsigned
            StandardWebhook.key_of(self.secret.get_secret_value())
        return self
