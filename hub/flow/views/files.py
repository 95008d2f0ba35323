"""What files say, before there is a hub: problems, the settings, mappings and rules. Nothing opens the database."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub.books import read_book
from hub.config.rulebook import default_mappings, read_mapping
from hub.config.settings import Settings, load_settings, nameless, problems, read_toml
from hub.config.values import duration
from hub.core.errors import ConfigError, Problem
from hub.core.mapping import CompiledMapping, compile_mapping
from hub.core.pipeline import Rulebook
from hub.flow.check import notes_of, problems_of
from hub.flow.monitor.letters import unheard_alerts
from hub.registry import Registry
from hub.runtime import find_config
from hub.sdk.http.redaction import HIDDEN, Redactor

SECRET_WORDS = ("secret", "password", "token", "key", "credential")
_NOWHERE = re.compile(r"there is no destination (\S*) with a mapping")
UNREADABLE = ("the environment has no variable", "the secret's file cannot be read")


def settings(file: Path) -> dict[str, Any]:
    """Return a configuration with all its defaults as JSON values; what looks like a secret is hidden. Raises ConfigError."""
    found: dict[str, Any] = _redacted(load_settings(file).model_dump(mode="json"))
    return found


def _redacted(value: Any, name: str = "") -> Any:
    """Return a value without what its name calls a secret; references to secrets stay readable."""
    if isinstance(value, dict):
        if len(value) == 1 and set(value) <= {"env", "file"}:
            return value
        return {key: _redacted(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner, name) for inner in value]
    if isinstance(value, str) and value and any(word in name.lower() for word in SECRET_WORDS):
        return HIDDEN
    return _without_password(value) if isinstance(value, str) and "://" in value else value


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    place = f"{user.partition(':')[0]}:{HIDDEN}@{host}" if at and ":" in user else place
    return f"{scheme}://{Redactor().redact(f'{place}{slash}{path}')}"


def since(text: str, now: datetime) -> datetime:
    """Return the time that a span such as "2h" or "7d" before `now` means. Raises ValueError, or OverflowError."""
    span: timedelta = duration(text)
    return now - span


def all_problems(file: Path) -> list[Problem]:
    """Return everything that is wrong in the files; if the configuration itself has errors, the rest of it is still read."""
    known, found = read_what_can_be_read(file)
    if known is None:
        return found
    registry = Registry(owners=known.plugins)
    found += [*problems_of(known, registry), *unheard_alerts(known)]
    return list(dict.fromkeys(one for one in found if not _follows(one, found)))


def plugins_of(given: Path | None) -> Registry:
    """Return the plugins, from the distributions that a configuration names; one that is missing or has errors names none."""
    file = find_config(given)
    try:
        return Registry(owners=load_settings(file).plugins if file.exists() else None)
    except ConfigError:
        return Registry()


def all_notes(file: Path) -> list[Problem]:
    """Return what is no error and will surprise. Raises ConfigError if the configuration itself has errors."""
    settings = load_settings(file)
    return notes_of(settings, Registry(owners=settings.plugins))


def book(file: Path) -> Rulebook:
    """Return the rules, topics and mappings of a configuration. Raises ConfigError."""
    settings = load_settings(file)
    return read_book(settings, Registry(owners=settings.plugins))


def mappings(file: Path) -> list[tuple[str, CompiledMapping]]:
    """Return the mappings of a configuration by name, those that the plugins ship if there is no such file."""
    if file.exists():
        return [("/".join(name), compiled) for name, compiled in book(file).mappings.items()]
    registry = Registry()
    shipped = ((name, cls) for name in registry.names for cls in registry.load(name).destinations.values())
    return [
        (f"{name}/{mapping}", compile_mapping(spec, name=mapping, file=f"{name}/{mapping}.toml"))
        for name, cls in shipped
        for mapping, spec in default_mappings(cls.mappings).items()
    ]


def mappings_of(files: Iterable[Path]) -> list[tuple[str, CompiledMapping]]:
    """Return the mappings of these files. Raises ConfigError with all problems of all of them."""
    made: list[tuple[str, CompiledMapping]] = []
    found: list[Problem] = []
    for file in files:
        try:
            made.append((str(file), compile_mapping(read_mapping(file), name=file.stem, file=str(file))))
        except ConfigError as error:
            found += error.problems
    if found:
        raise ConfigError(found)
    return made


def read_what_can_be_read(file: Path) -> tuple[Settings | None, list[Problem]]:
    """Return the settings without what is wrong in them, and what that is; None if nothing can be read."""
    from pydantic import ValidationError  # noqa: PLC0415 - only a file with errors needs it

    try:
        return load_settings(file), []
    except ConfigError as error:
        found = error.problems
    try:
        raw = read_toml(file)
    except ConfigError:
        return None, found
    found = nameless(raw, str(file))
    for one in found:
        del raw[one.path]
    try:
        Settings.model_validate({**raw, "file": file})
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            _prune(raw, wrong["loc"])
        found += problems(error, file=str(file), model=Settings)
    try:
        return Settings.model_validate({**raw, "file": file}), found
    except ValidationError:
        return None, found


def _follows(problem: Problem, found: list[Problem]) -> bool:
    """Return True for what another mistake entails: a secret that could not be read, a destination that was left out."""
    inside = f"{problem.path}."
    is_whole = problem.path.endswith(".options")
    if lost := _NOWHERE.match(problem.message):
        return any(one.path == "destinations" or one.path.startswith(f"destinations.{lost[1]}.") for one in found)
    return is_whole and any(one.path.startswith(inside) and one.message.startswith(UNREADABLE) for one in found)


def _prune(raw: dict[str, Any], loc: tuple[int | str, ...]) -> None:
    """Take out the value at a place; if it is one that is missing, the deepest table on the way."""
    walked: list[tuple[Any, int | str]] = []
    node: Any = raw
    for part in loc:
        if not isinstance(node, dict) or part not in node:
            break
        walked.append((node, part))
        node = node[part]
    if walked:
        table, name = walked[-1]
        table.pop(name, None)
