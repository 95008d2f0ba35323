"""References to secrets: `{ env = "NAME" }` or `{ file = "path" }`, and what they lead to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from hub.config.text import contents, decoded
from hub.core.errors import ConfigError, Problem
from hub.core.signs import trimmed
from hub.sdk.paths import written_path

REFERENCES = ({"env"}, {"file"})


class SecretReference(BaseModel):
    """`{ env = "NAME" }` or `{ file = "path" }`: the place that a secret is read from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str = ""
    file: str = ""

    @model_validator(mode="before")
    @classmethod
    def _no_secret_itself(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError('a secret must not stand in this file: write { env = "NAME" } or { file = "path" }')  # noqa: TRY004 - pydantic's way
        return value

    @model_validator(mode="after")
    def _one_place(self) -> SecretReference:
        if bool(self.env) == bool(self.file):
            raise ValueError('write { env = "NAME" } or { file = "path" }')
        return self

    @property
    def written(self) -> dict[str, str]:
        """The reference as it is written in the file."""
        return {"env": self.env} if self.env else {"file": self.file}


def read_address(value: str | SecretReference, place: Problem, folder: Path) -> str:
    """Return an address that may be a reference to a secret. Raises ConfigError at `place` if that cannot be read."""
    if isinstance(value, str):
        return value
    found: list[Problem] = []
    address = look_up(value.written, folder, place, found)
    if found:
        raise ConfigError(found)
    return str(address)


def look_up(value: Any, folder: Path, place: Problem, found: list[Problem]) -> Any:
    """Return what a reference to a secret leads to, anything else as it is; what is wrong is added to `found`."""
    if not (isinstance(value, Mapping) and set(value) in REFERENCES):
        return value
    (kind, name), *_ = value.items()
    if not isinstance(name, str) or not name.strip():
        told = f"this names no {'variable' if kind == 'env' else 'file'}"
        found.append(Problem(place.file, place.path, told, f'write {{ {kind} = "NAME" }}'))
        return None
    try:
        # A pasted newline cannot stand in a header, and a joiner that a page was copied with is no part of a key.
        return trimmed(_of_environment(name, place) if kind == "env" else _of_file(folder, name, place))
    except ConfigError as error:
        found += error.problems
        return None


def _of_environment(name: str, place: Problem) -> str:
    hint = f"export {name}=... before starting the hub"
    if name not in os.environ:
        raise ConfigError([Problem(place.file, place.path, f"the environment has no variable {name}", hint)])
    if not trimmed(os.environ[name]):
        raise ConfigError([Problem(place.file, place.path, f"the variable {name} is empty", hint)])
    return os.environ[name]


def _of_file(folder: Path, name: str, place: Problem) -> str:
    try:
        file = folder / written_path(Path(name))
    except ValueError as error:
        raise ConfigError([Problem(place.file, place.path, str(error), 'write { file = "PATH" }')]) from None
    hint = f"write the secret into {file}, as UTF-8"
    try:
        text = decoded(contents(file), Problem(place.file, place.path, "", hint))
    except OSError as error:
        told = f"the secret's file cannot be read: {error.strerror}"
        raise ConfigError([Problem(place.file, place.path, told, hint)]) from None
    if not trimmed(text):
        raise ConfigError([Problem(place.file, place.path, "the secret's file is empty", hint)])
    if "\x00" in text:
        raise ConfigError([Problem(place.file, place.path, "the secret's file holds NUL characters", hint)])
    return text
