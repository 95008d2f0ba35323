"""The places that secrets are read from, `{ env = "NAME" }` or `{ file = "path" }`; what is missing or empty is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.config.text import decoded
from hub.core.errors import ConfigError, Problem

KEYS = ({"env"}, {"file"})


def is_reference(value: Any) -> bool:
    """Return True for a table that names a place and nothing else."""
    return isinstance(value, Mapping) and set(value) in KEYS


def read(reference: Mapping[str, Any], folder: Path, place: Problem) -> str:
    """Return the secret without blanks around it. Raises ConfigError at `place`; a relative path starts at `folder`."""
    (kind, name), *_ = reference.items()
    if not isinstance(name, str) or not name.strip():
        told = f"this names no {'variable' if kind == 'env' else 'file'}"
        raise ConfigError([Problem(place.file, place.path, told, f'write {{ {kind} = "NAME" }}')])
    text = _of_environment(name, place) if kind == "env" else _of_file(folder / Path(name).expanduser(), place)
    return text.strip()  # a pasted newline cannot stand in a header


def _of_environment(name: str, place: Problem) -> str:
    hint = f"export {name}=... before starting the hub"
    if name not in os.environ:
        raise ConfigError([Problem(place.file, place.path, f"the environment has no variable {name}", hint)])
    if not os.environ[name].strip():
        raise ConfigError([Problem(place.file, place.path, f"the variable {name} is empty", hint)])
    return os.environ[name]


def _of_file(file: Path, place: Problem) -> str:
    hint = f"write the secret into {file}, as UTF-8"
    try:
        text = decoded(file.read_bytes(), Problem(place.file, place.path, "", hint))
    except OSError as error:
        told = f"the secret's file cannot be read: {error.strerror}"
        raise ConfigError([Problem(place.file, place.path, told, hint)]) from None
    if not text.strip():
        raise ConfigError([Problem(place.file, place.path, "the secret's file is empty", hint)])
    return text
