"""Rules, topics and mappings as people write them: files to the core's values; the core compiles them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hub.config.settings import read_toml
from hub.core.errors import ConfigError, InvalidMapping, InvalidRule, Problem
from hub.core.spec import MappingSpec, Rule, Topic

T = TypeVar("T")


def read_rules(file: Path) -> tuple[Rule, ...]:
    """Read the `[[rule]]` tables of a file; a file that is not there holds none."""
    return _read_list(file, "rule", Rule, InvalidRule)


def read_topics(file: Path) -> tuple[Topic, ...]:
    """Read the `[[topic]]` tables of a file; a file that is not there holds none."""
    return _read_list(file, "topic", Topic, ConfigError)


def read_mapping(file: Path) -> MappingSpec:
    """Read a mapping file. Raises InvalidMapping that names the file and the field."""
    return parse_mapping(read_toml(file), file=str(file))


def parse_mapping(raw: Mapping[str, Any], *, file: str) -> MappingSpec:
    """Read a mapping from its TOML table."""
    try:
        return msgspec.convert(raw, MappingSpec)
    except msgspec.ValidationError as error:
        raise InvalidMapping([_problem(file, error)]) from None


def default_mappings(folder: str) -> dict[str, MappingSpec]:
    """Read the mappings that a destination ships, by name; `folder` is `package:folder` as its class says."""
    package, _, inner = folder.partition(":")
    if not package:
        return {}
    root = resources(package).joinpath(inner)
    found = sorted((one for one in root.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    return {one.name.removesuffix(".toml"): read_mapping(Path(str(one))) for one in found}


def own_mappings(folder: Path) -> dict[str, MappingSpec]:
    """Read the mappings of one folder of the user's, by name."""
    return {file.stem: read_mapping(file) for file in sorted(folder.glob("*.toml"))} if folder.is_dir() else {}


def _read_list(file: Path, name: str, kind: type[T], error_class: type[ConfigError]) -> tuple[T, ...]:
    if not file.exists():
        return ()
    raw = read_toml(file)
    found = [
        Problem(str(file), key, "this key is unknown", f"a file of [[{name}]] tables") for key in raw if key != name
    ]
    values: list[T] = []
    for index, table in enumerate(raw.get(name, []), 1):
        try:
            values.append(msgspec.convert(table, kind))
        except msgspec.ValidationError as error:
            label = table.get("name", f"number {index}") if isinstance(table, dict) else f"number {index}"
            found.append(_problem(str(file), error, f'{name} "{label}"'))
    if found:
        raise error_class(found)
    return tuple(values)


def _problem(file: str, error: msgspec.ValidationError, at: str = "") -> Problem:
    message, _, path = str(error).partition(" - at `")
    place = path.rstrip("`").replace("$.", "").replace("$", "")
    return Problem(file, " ".join(part for part in (at, place) if part), message)
