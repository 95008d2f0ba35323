"""Rules, topics and mappings as people write them: files to the core's values; the core compiles them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hub.config.misfits import misfit
from hub.config.settings import Settings, read_toml
from hub.config.text import contents
from hub.core.errors import ConfigError, InvalidMapping, InvalidRule, Problem
from hub.core.grammar.fold import fold
from hub.core.spec import FieldSpec, MappingSpec, Rule, Topic

T = TypeVar("T")


def read_rules(file: Path) -> tuple[Rule, ...]:
    """Read the `[[rule]]` tables of a file. Raises InvalidRule; a file that is not there is an error, an empty one is not."""
    return _read_list(file, "rule", Rule, InvalidRule)


def read_topics(file: Path) -> tuple[Topic, ...]:
    """Read the `[[topic]]` tables of a file. Raises ConfigError; a file that is not there is an error, an empty one is not."""
    topics = _read_list(file, "topic", Topic, ConfigError)
    if found := list(_unmatched(topics, str(file))):
        raise ConfigError(found)
    return topics


def _unmatched(topics: Sequence[Topic], file: str) -> Iterator[Problem]:
    """Yield the topics that can match no text, and those that share a name."""
    seen: set[str] = set()
    for topic in topics:
        where = f'topic "{topic.name}"'
        if not topic.name.strip():
            yield Problem(file, "topic", "a topic needs a name", 'write name = "..."')
        elif topic.name in seen:
            yield Problem(file, where, "another topic has this name", "put the keywords of both into one")
        seen.add(topic.name)
        if not topic.keywords:
            yield Problem(
                file, f"{where} keywords", "a topic without keywords is found in no text", 'write keywords = ["..."]'
            )
        for key, words in (("keywords", topic.keywords), ("exclude", topic.exclude)):
            for number, word in enumerate(words, 1):
                if not fold(word).strip("# "):
                    yield Problem(
                        file, f"{where} {key}[{number}]", f'"{word}" is no word: it is found in no text', "take it out"
                    )
        if both := [word for word in topic.keywords if fold(word) in {fold(one) for one in topic.exclude}]:
            yield Problem(
                file, f"{where} exclude", f'"{both[0]}" is a keyword too: it is never found', "take one of the two out"
            )


def read_mapping(file: Path) -> MappingSpec:
    """Read a mapping file. Raises InvalidMapping that names the file and the field."""
    return parse_mapping(read_toml(file, missing="if it is a link, it leads nowhere"), file=str(file))


def parse_mapping(raw: Mapping[str, Any], *, file: str) -> MappingSpec:
    """Read a mapping from its TOML table."""
    try:
        return msgspec.convert(raw, MappingSpec)
    except msgspec.ValidationError as error:
        raise InvalidMapping(_misfits(raw, file) or [misfit(file, error, "", MappingSpec)]) from None


def _misfits(raw: Mapping[str, Any], file: str) -> list[Problem]:
    """Return what is wrong in single fields, by the field's name, which msgspec does not tell."""
    found, tables = [], raw.get("fields")
    for name, table in (tables if isinstance(tables, Mapping) else {}).items():
        try:
            msgspec.convert(table, FieldSpec)
        except msgspec.ValidationError as error:
            found.append(misfit(file, error, f"fields.{name}", FieldSpec))
    return found


def default_mappings(folder: str) -> dict[str, MappingSpec]:
    """Read the mappings that a destination ships, by name; `folder` is `package:folder` as its class says."""
    package, _, inner = folder.partition(":")
    if not package:
        return {}
    root = resources(package).joinpath(inner)
    found = sorted((one for one in root.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    return {one.name.removesuffix(".toml"): read_mapping(Path(str(one))) for one in found}


def own_mappings(folder: Path, found: list[Problem]) -> dict[str, MappingSpec]:
    """Read the mappings of one folder of the user's, by name; what is wrong in some of them is added to `found`."""
    specs: dict[str, MappingSpec] = {}
    for file in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            specs[file.stem] = read_mapping(file)
        except ConfigError as error:
            found += error.problems
    return specs


def written_mappings(settings: Settings, destination: str) -> set[str]:
    """Return the names of a destination's own mappings for which there is a file, whatever it says."""
    root, plugin = settings.folder / settings.files.mappings, settings.destinations[destination].plugin
    return {file.stem for name in (plugin, destination) for file in (root / name).glob("*.toml")}


def files_digest(settings: Settings) -> str:
    """Return a digest of the files of rules, topics and own mappings as they are, whatever they say; "" if one is not there."""
    own = settings.folder / settings.files.mappings
    named = [
        settings.folder / settings.files.rules,
        settings.folder / settings.files.topics,
        *sorted(own.rglob("*.toml")),
    ]
    made = sha256()
    try:
        for path in named:
            content = contents(path)
            made.update(f"{path.name} {len(content)} ".encode() + content)
    except OSError:
        return ""
    return made.hexdigest()


def _read_list(file: Path, name: str, kind: type[T], error_class: type[ConfigError]) -> tuple[T, ...]:
    raw = read_toml(file, missing=f"write one with [[{name}]] tables; an empty file means that there are none")
    found = [Problem(str(file), key, "this key is unknown", f"write [[{name}]]") for key in raw if key != name]
    tables, values = raw.get(name, []), list[T]()
    if not isinstance(tables, list):
        found.append(Problem(str(file), f"[{name}]", "this is one table, not a list of them", f"write [[{name}]]"))
        tables = []
    for index, table in enumerate(tables, 1):
        try:
            values.append(msgspec.convert(table, kind))
        except msgspec.ValidationError as error:
            named = isinstance(table, dict) and table.get("name")
            found.append(misfit(str(file), error, f'{name} "{named}"' if named else f"{name} number {index}", kind))
    if found:
        raise error_class(found)
    return tuple(values)
