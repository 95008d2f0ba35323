"""Options of the webhook source and destination."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, PrivateAttr, SecretStr, model_validator

from hub import ConfigPath, Options
from hub.core.signs import trimmed
from hub.sdk.addresses import web_parts
from hub.sdk.fields import Fields
from hub.sdk.signatures import Hmac, SharedSecret, StandardWebhook
from plugins.webhook.translate import NETWORK, compile_reader

_HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
HUB256 = Hmac("x-hub-signature-256", encoding="hex", prefix="sha256=")  # WebSub, GitHub, Meta


def _network(text: str) -> str:
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise ValueError('this is no address and no network: write "192.0.2.7" or "192.0.2.0/24"') from None
    if not found.prefixlen:
        raise ValueError("this is every address there is: name the senders' networks, or let them sign")
    return text


def _network_name(text: str) -> str:
    if not NETWORK.fullmatch(text):
        raise ValueError("a network's name is letters, digits, - and _, at most 31, such as reviews")
    return text


def _realm(text: str) -> str:
    if not trimmed(text):
        raise ValueError("a realm tells senders apart: name one, or leave it out")
    return text


class InboundOptions(Options):
    """`scheme` says how requests are signed; `mapping` is a TOML file that says which field of the body is what."""

    scheme: Literal["standard", "hub256", "header", "none"] = Field(
        default="standard", description="How requests are signed"
    )
    secret: SecretStr | None = Field(default=None, description="The shared secret; needed unless the scheme is none")
    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        min_length=1,
        default=("127.0.0.0/8", "::1/128"),
        description="Scheme none: the addresses and networks that may post",
    )
    header: str = Field(
        default="x-webhook-secret",
        pattern=_HEADER,
        description="Scheme header: the header that carries the secret",
    )
    tolerance_s: int = Field(
        default=300, ge=1, le=86_400, description="Scheme standard: seconds that the stamp may be off"
    )
    max_body: int = Field(
        default=2 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="Bytes; a larger request is refused"
    )
    realm: Literal[""] | Annotated[str, AfterValidator(_realm)] | None = Field(
        default=None,
        description='Tells apart senders that give the same ids; without it the source\'s name does; "": none is needed',
    )
    network: Annotated[str, AfterValidator(_network_name)] = Field(
        default="webhook", description="The network if a body names none"
    )
    mapping: ConfigPath | None = Field(
        default=None, description="A TOML file that says which field of the body is what"
    )
    _reader: Fields = PrivateAttr(default_factory=lambda: compile_reader({}))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.scheme != "none" and not (self.secret and self.secret.get_secret_value().strip()):
            raise ValueError(f'scheme = "{self.scheme}" needs a secret: secret = {{ env = "NAME" }}')
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
            return tomllib.loads(self.mapping.read_text("utf-8-sig"))
        except OSError as error:
            raise ValueError(f"{self.mapping}: it cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{self.mapping}: it is not UTF-8: save it as UTF-8") from None
        except ValueError as error:
            raise ValueError(f"{self.mapping}: {error}") from None


def _address(value: Any) -> Any:
    if isinstance(value, str) and web_parts(value).fragment:
        raise ValueError("what stands behind # is never sent: take it out")
    return value


class OutboundOptions(Options):
    """`url` takes `POST {"records": [...]}`; with a secret the batches are signed by Standard Webhooks."""

    url: Annotated[AnyHttpUrl, BeforeValidator(_address)] = Field(description="Where batches are posted")
    secret: SecretStr | None = Field(default=None, description="Signs the batches by Standard Webhooks")
    batch: int = Field(default=100, ge=1, le=1000, description="Records in one request")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.secret is not None:  # one that is set and empty would leave the batches unsigned
            StandardWebhook.key_of(self.secret.get_secret_value())
        return self
