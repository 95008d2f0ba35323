"""Secrets in options: written as `{ env = "NAME" }` or `{ file = "path" }`, never in the TOML itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from hub.config.settings import SecretReference, Settings, problems
from hub.core.errors import ConfigError, Problem
from hub.sdk.connectors import Options

REFERENCES = ({"env"}, {"file"})


def read_options(model: type[Options], raw: Mapping[str, Any], *, folder: Path, file: str, at: str) -> Options:
    """Read a connection's options and check them by the plugin's model. Raises ConfigError with all problems.

    Relative paths in options start at the configuration's folder: models use `ConfigPath` for them.
    """
    found: list[Problem] = []
    given = {name: _look_up(value, folder, Problem(file, f"{at}.{name}", ""), found) for name, value in raw.items()}
    found += [
        Problem(file, f"{at}.{name}", "a secret must not stand in this file", f'write {name} = {{ env = "NAME" }}')
        for name in secret_fields(model)
        if isinstance(raw.get(name), str)
    ]
    try:
        options = model.model_validate(given, context={"folder": folder})
    except ValidationError as error:
        missing = {problem.path for problem in found}
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
    if kind == "env" and name in os.environ:
        return os.environ[name].strip()  # a pasted newline cannot stand in a header
    if kind == "file":
        try:
            return (folder / name).read_text("utf-8").strip()
        except OSError as error:
            found.append(
                Problem(place.file, place.path, f"the secret's file cannot be read: {error.strerror}", str(name))
            )
            return None
    hint = f"export {name}=... before starting the hub"
    found.append(Problem(place.file, place.path, f"the environment has no variable {name}", hint))
    return None
