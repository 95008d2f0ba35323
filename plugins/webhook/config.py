"""Options of the webhook source and destination."""

from __future__ import annotations

import tomllib
from typing import Any, Literal, Self

from pydantic import AnyHttpUrl, Field, PrivateAttr, SecretStr, model_validator

from hub import ConfigPath, Options
from plugins.webhook.client import standard_key
from plugins.webhook.translate import BodyReader, compile_reader


class InboundOptions(Options):
    """`scheme` says how requests are signed; `mapping` is a TOML file that says which field of the body is what."""

    scheme: Literal["standard", "hub256", "header", "none"] = "standard"
    secret: SecretStr | None = None
    header: str = "x-webhook-secret"
    tolerance_s: int = Field(default=300, ge=1)
    max_body: int = Field(default=2 * 1024 * 1024, ge=1024)
    realm: str = ""
    network: str = "webhook"
    mapping: ConfigPath | None = None
    _reader: BodyReader = PrivateAttr(default_factory=lambda: compile_reader({}))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.scheme != "none" and not (self.secret and self.secret.get_secret_value().strip()):
            raise ValueError(f'scheme = "{self.scheme}" needs a secret: secret = {{ env = "NAME" }}')
        if self.scheme == "standard" and self.secret:
            standard_key(self.secret.get_secret_value())
        self._reader = compile_reader(self._read_mapping())
        return self

    @property
    def reader(self) -> BodyReader:
        """The compiled mapping of bodies to signals."""
        return self._reader

    def _read_mapping(self) -> dict[str, Any]:
        if self.mapping is None:
            return {}
        try:
            return tomllib.loads(self.mapping.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{self.mapping}: {error}") from None


class OutboundOptions(Options):
    """`url` takes `POST {"records": [...]}`; with a secret the batches are signed by Standard Webhooks."""

    url: AnyHttpUrl
    secret: SecretStr | None = None
    batch: int = Field(default=100, ge=1, le=1000)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.secret:
            standard_key(self.secret.get_secret_value())
        return self
