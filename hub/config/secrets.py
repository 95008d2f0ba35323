"""Secrets in options: written as `{ env = "NAME" }` or `{ file = "path" }`, never in the TOML itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from hub.config.references import REFERENCES, SecretReference, look_up
from hub.config.settings import Settings, problems
from hub.core.errors import ConfigError, Problem
from hub.core.signs import trimmed
from hub.sdk.addresses import web_parts
from hub.sdk.connectors import Options
from hub.sdk.http.redaction import address_secrets


def read_options(model: type[Options], raw: Mapping[str, Any], *, folder: Path, file: str, at: str) -> Options:
    """Read a connection's options and check them by the plugin's model. Raises ConfigError with all problems.

    Relative paths in options start at the configuration's folder: models use `ConfigPath` for them.
    """
    found: list[Problem] = []
    known = {name for name in raw if name in model.model_fields}  # of an unknown option nothing is looked up
    hidden: list[str] = []
    given = {
        name: _looked_up(value, folder, Problem(file, f"{at}.{name}", ""), (found, hidden)) if name in known else value
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
    found += [
        Problem(file, f"{at}.{path}", *told)
        for name, value in given.items()
        if name in known
        for path, one in _single(name, value)
        if (told := _unlike(one, model.model_fields[name]))
    ]
    try:
        options = model.model_validate(given, context={"folder": folder})
    except ValidationError as error:
        # What an unread secret entails is no second mistake: neither in its own field nor in the whole.
        missing = {*(problem.path for problem in found), *([at] if found else [])}
        found += [one for one in problems(error, file=file, model=model, at=at) if one.path not in missing]
    if found:
        raise ConfigError(found)
    options.hide(hidden)
    return options


def _takes(field: FieldInfo, word: str) -> bool:
    """Return True if a field names this very word among those that it takes."""
    kinds = (field.annotation, *get_args(field.annotation))
    return any(get_origin(one) is Literal and word in get_args(one) for one in kinds)


def _unlike(value: Any, field: FieldInfo) -> tuple[str, str] | None:
    """Return what is wrong with a value that a plugin's model would bend into shape, or take as it is, and the way out."""
    kind = field.annotation
    if (
        isinstance(value, str)
        and not trimmed(value)
        and "SecretStr" not in str(kind)
        and not isinstance(field.default, str)
        and not _takes(field, value)
    ):
        return "this is empty", "write something, or leave the key out"
    kinds = {one for one in (kind, *get_args(kind)) if one in {bool, int, float}}
    if kinds == {bool} and not isinstance(value, bool | None):
        return "this must be true or false", "without quotes"
    if kinds and bool not in kinds and isinstance(value, str | bool):
        return "this must be a number", "without quotes"
    if isinstance(value, float) and not math.isfinite(value):
        return "this must be a number that is not infinite", "write a large one if that is meant"
    # What has spaces is a question to a search, or the plugin says what it thinks of it.
    if isinstance(value, str) and value.startswith(("http://", "https://")) and not any(map(str.isspace, value)):
        try:
            web_parts(value)
        except ValueError as error:
            said, _, way_out = str(error).partition(": ")
            return said, way_out
    return None


def _single(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a value, or each member of a list, with its place."""
    if not isinstance(value, list):
        yield name, value
    yield from ((f"{name}.{index}", one) for index, one in enumerate(value if isinstance(value, list) else ()))


def _looked_up(value: Any, folder: Path, place: Problem, into: tuple[list[Problem], list[str]]) -> Any:
    """Return a value, or a list, with what its references lead to; `into` gets what is wrong and what was in a list."""
    found, hidden = into
    if not isinstance(value, list):
        return look_up(value, folder, place, found)
    read = [
        look_up(one, folder, Problem(place.file, f"{place.path}.{index}", ""), found) for index, one in enumerate(value)
    ]
    hidden += [now for was, now in zip(value, read, strict=True) if now is not was and isinstance(now, str)]
    return read


def read_secrets(settings: Settings, references: Sequence[SecretReference], *, at: str) -> list[SecretStr]:
    """Read the secrets that a list of references names. Raises ConfigError with all that cannot be read."""
    found: list[Problem] = []
    values = []
    for index, one in enumerate(references):
        values.append(look_up(one.written, settings.folder, Problem(str(settings.file), f"{at}.{index}", ""), found))
    if found:
        raise ConfigError(found)
    return [SecretStr(value) for value in values]


def passwords(address: str) -> tuple[str, ...]:
    """Return the password in an address, for redaction; nothing if there is none."""
    try:
        found = urlsplit(address).password
    except ValueError:
        return ()
    return (found,) if found else ()


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
    if isinstance(options, Options):
        yield from (word for one in options.hidden for word in address_secrets(one))
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, SecretStr) and value.get_secret_value():
            yield value.get_secret_value()
