"""What tables of the configuration are made of: their base, and values that may stand in a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator

from hub.config.references import REFERENCES, SecretReference
from hub.config.values import proxy_address


class Section(BaseModel):
    """A table of the file: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _address(value: Any) -> str | SecretReference:
    """Take an address, or a reference to a secret that holds one."""
    if isinstance(value, Mapping) and set(value) in REFERENCES and all(value.values()):
        return SecretReference.model_validate(value)
    if not isinstance(value, str | SecretReference):
        raise ValueError('write the address as text, or { env = "NAME" } or { file = "path" }')  # noqa: TRY004 - pydantic's way
    return value


def _proxy(value: Any) -> str | SecretReference:
    """Take a forward proxy's address, or a reference to a secret that holds one."""
    found = _address(value)
    return proxy_address(found) if isinstance(found, str) else found


def _secret(value: Any) -> str | SecretReference:
    """Take a reference to a secret, or nothing."""
    return "" if value == "" else SecretReference.model_validate(value)


def _shown(value: str | SecretReference) -> str | dict[str, str]:
    """Return an address as it is written in the file."""
    return value if isinstance(value, str) else value.written


Address = Annotated[str | SecretReference, PlainValidator(_address), PlainSerializer(_shown)]
Secret = Annotated[str | SecretReference, PlainValidator(_secret), PlainSerializer(_shown)]
ProxyPlace = Annotated[str | SecretReference, PlainValidator(_proxy), PlainSerializer(_shown)]

__all__ = ["Address", "ProxyPlace", "Secret", "Section"]
