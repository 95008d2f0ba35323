"""Secrets in options: written as `{ env = "NAME" }` or `{ file = "path" }`, never in the TOML itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from hub.config.settings import SecretReference, Settings, problems
from hub.config.text import decoded
from hub.core.errors import ConfigError, Problem
from hub.sdk.connectors import Options

REFERENCES = ({"env"}, {"file"})


def read_options(model: type[Options], raw: Mapping[str, Any], *, folder: Path, file: str, at: str) -> Options:
    """Read a connection's options and check them by the plugin's model. Raises ConfigError with all problems.

    Relative paths in options start at the configuration's folder: models use `ConfigPath` for them.
    """
    found: list[Problem] = []
    known = {name for name in raw if name in model.model_fields}  # of an unknown option nothing is looked up
    given = {
        name: _look_up(value, folder, Problem(file, f"{at}.{name}", ""), found) if name in known else value
        for name, value in raw.items()
    }
    found += [
        Problem(file, f"{at}.{name}", "a secret must not stand in this file", f'write {name} = {{ env = "NAME" }}')
        for name in secret_fields(model)
        if isinstance(raw.get(name), str)
    ]
    found += [
        Problem(file, f"{at}.{name}", "this is no reference to a secret", f'write {name} = {{ env = "NAME" }}')
        for name in secret_fields(model)
        if isinstance(raw.get(name), Mapping) and set(raw[name]) not in REFERENCES
    ]
    found += [
        Problem(
            file,
            f"{at}.{name}",
            "a name or a password stands in this address",
            "secrets have options of their own",
        )
        for name, value in raw.items()
        if name in known and any(has_credentials(one) for one in (value if isinstance(value, list) else [value]))
    ]
    try:
        options = model.model_validate(given, context={"folder": folder})
    except ValidationError as error:
        # What an unread secret entails is no second mistake: neither in its own field nor in the whole.
        missing = {*(problem.path for problem in found), *([at] if found else [])}
        found += [one for one in problems(error, file=file, model=model, at=at) if one.path not in missing]
    if found:
        raise ConfigError(found)
    return options


def read_secrets(settings: Settings, references: Sequence[SecretReference], *, at: str) -> list[SecretStr]:
    """Read the secrets that a list of references names. Raises ConfigError with all that cannot be read."""
    found: list[Problem] = []
    values = []
    for index, one in enumerate(references):
        raw = {"env": one.env} if one.env else {"file": one.file}
        values.append(_look_up(raw, settings.folder, Problem(str(settings.file), f"{at}.{index}", ""), found))
    if found:
        raise ConfigError(found)
    return [SecretStr(value) for value in values]


def has_credentials(value: object) -> bool:
    """Return True for an address that holds a name or a password: it would stand in logs and in messages."""
    try:
        return isinstance(value, str) and "://" in value and bool(urlsplit(value).username or urlsplit(value).password)
    except ValueError:
        return False


def secret_fields(model: type[BaseModel]) -> list[str]:
    """Return the names of a model's secret fields."""
    return [name for name, field in model.model_fields.items() if "SecretStr" in str(field.annotation)]


def secret_values(options: BaseModel) -> Iterator[str]:
    """Yield the values of the secrets, for redaction."""
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, SecretStr) and value.get_secret_value():
            yield value.get_secret_value()


def _look_up(value: Any, folder: Path, place: Problem, found: list[Problem]) -> Any:
    if not (isinstance(value, Mapping) and set(value) in REFERENCES):
        return value
    (kind, name), *_ = value.items()
    if not isinstance(name, str) or not name.strip():
        told = f"this names no {'variable' if kind == 'env' else 'file'}"
        found.append(Problem(place.file, place.path, told, f'write {{ {kind} = "NAME" }}'))
        return None
    try:
        # A pasted newline cannot stand in a header.
        return (
            _of_environment(name, place) if kind == "env" else _of_file(folder / Path(name).expanduser(), place)
        ).strip()
    except ConfigError as error:
        found += error.problems
        return None


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
