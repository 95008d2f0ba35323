"""The configuration's files in a backup: as they are, but for what is a secret in them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.config.settings import Settings
from hub.flow.backup.archive import SecretPlace

WITHHELD = "WITHHELD"
IS_SECRET = re.compile("(.*[_-])?(secret|password|passwd|token|api_?key|key|credentials?)", re.IGNORECASE)
PUBLIC = "sandbox."  # what look-alikes are told is no secret
CONFIG, MAPPINGS = "config.toml", "mappings"
# A comment, or a text in one of TOML's four kinds of quotes: its escapes hide what it says.
_TOKEN = re.compile(r'''#[^\n]*|"""(?:\\.|[^\\])*?"{3,5}|\'{3}.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'''', re.DOTALL)


def named_files(settings: Settings) -> dict[str, Path]:
    """Return the configuration's files by their names in a backup; what is not there is left out."""
    found = places(settings)
    own = found.pop(MAPPINGS)
    inner = sorted(own.rglob("*.toml")) if own.is_dir() else []
    found |= {f"{MAPPINGS}/{path.relative_to(own).as_posix()}": path for path in inner}
    return {name: path for name, path in found.items() if path.is_file()}


def places(settings: Settings) -> dict[str, Path]:
    """Return the files, and the folder of mappings, to which the names in a backup belong, under a configuration."""
    folder, named = settings.folder, settings.files
    found = {CONFIG: settings.file, "rules.toml": folder / named.rules, "topics.toml": folder / named.topics}
    return {**found, MAPPINGS: folder / named.mappings}


def place_of(name: str, settings: Settings) -> Path | None:
    """Return where a file of a backup belongs; None if its name leads out of its folder."""
    known = places(settings)
    own = known.pop(MAPPINGS)
    if name in known:
        return known[name]
    first, _, rest = name.partition("/")
    inner = Path(rest)
    if first != MAPPINGS or not rest or inner.is_absolute() or ".." in inner.parts or inner.suffix != ".toml":
        return None
    return own / inner


def without_secrets(text: str) -> tuple[str, list[str]]:
    """Return a configuration's text without passwords and tokens that stand in it, and the places that had one."""
    texts = {at: value for at, value in _texts(tomllib.loads(text)) if not at.startswith(PUBLIC)}
    bare = {at: _bare(at, value) for at, value in texts.items()}
    withheld = [at for at, value in texts.items() if bare[at] != value]
    instead = {texts[at]: bare[at] for at in withheld}
    return _TOKEN.sub(lambda token: _withhold(token[0], instead), text), withheld


def _bare(at: str, value: str) -> str:
    bare = value
    for secret in secrets_in(value, at.rpartition(".")[2]):
        bare = bare.replace(secret, WITHHELD)
    return bare


def _withhold(token: str, instead: Mapping[str, str]) -> str:
    """Return a comment, or a text as it is written in the file, with what stands instead of it if it holds a secret."""
    if token.startswith("#"):
        for value, bare in instead.items():
            token = token.replace(value, bare)
        return token
    value = tomllib.loads(f"text = {token}")["text"]
    return json.dumps(instead[value], ensure_ascii=False) if value in instead else token


def secrets_of(text: str) -> list[SecretPlace]:
    """Return the secrets that a configuration reads from the environment or from files."""
    return list(_references(tomllib.loads(text), ""))


def _references(value: Any, at: str) -> Iterator[SecretPlace]:
    if isinstance(value, Mapping):
        if len(value) == 1 and set(value) <= {"env", "file"} and all(isinstance(one, str) for one in value.values()):
            yield SecretPlace(at, **value)
            return
        for key, inner in value.items():
            yield from _references(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _references(inner, f"{at}.{index}")


def _texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts of a file, each with its place."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{at}.{index}")
    elif isinstance(value, str) and value:
        yield at, value


def secrets_in(value: str, name: str) -> Iterator[str]:
    """Yield the password of an address and its secret parameters; the whole value if its name says that it is a secret."""
    if "://" in value:
        parts = urlsplit(value)
        place, at, _ = parts.netloc.rpartition("@")
        if at and ":" in place:
            yield place.partition(":")[2]
        pairs = (pair.partition("=") for pair in parts.query.split("&"))
        yield from (word for key, _, word in pairs if word and IS_SECRET.fullmatch(key))
    elif IS_SECRET.fullmatch(name):
        yield value
