"""What msgspec says of a table that does not fit, in plain words: the place, the fault and the way out."""

from __future__ import annotations

import re
from typing import Any, get_args

import msgspec

from hub.config.settings import nearest
from hub.core.errors import Problem

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(\w+)`")
_EXPECTED = re.compile(r"Expected `([^`]+)`(?:, got `([^`]+)`)?")
_ENUM = re.compile(r"Invalid enum value (.+)")
_EXAMPLES = {
    "when": """write when = ['...', '...'], in [ ]""",
    "keywords": 'write keywords = ["...", "..."]',
    "exclude": 'write exclude = ["...", "..."]',
    "deliver": 'write deliver = [{ destination = "...", mapping = "..." }]',
    "requires": 'write requires = ["..."]',
}
_KINDS = {
    "object": "a table",
    "array": "a list",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}


def misfit(file: str, error: msgspec.ValidationError, at: str, kind: Any) -> Problem:
    """Return one of msgspec's errors in plain words: the place, the fault and the way out."""
    said, _, path = str(error).partition(" - at `")
    place = path.rstrip("`").replace("$.", "").replace("$", "")
    where = " ".join(part for part in (at, place) if part)
    known = _fields(kind, place)
    if found := _MISSING.match(said):
        return Problem(file, where, f"`{found[1]}` is missing", f"write {found[1]} = ...")
    if found := _UNKNOWN.match(said):
        return Problem(file, where, f"the key `{found[1]}` is unknown", nearest(found[1], known))
    if found := _EXPECTED.match(said):
        wanted = " or ".join(_KINDS.get(one.strip(), one.strip()) for one in found[1].split("|"))
        told = f"this must be {wanted}" + (f", not {_KINDS.get(found[2], found[2])}" if found[2] else "")
        return Problem(file, where, told, _EXAMPLES.get(where.rpartition(" ")[2].rpartition(".")[2], ""))
    if found := _ENUM.match(said):
        return Problem(file, where, f"{found[1]} is none of the words for this", _words(kind, place))
    return Problem(file, where, said)


def _fields(kind: Any, place: str) -> list[str]:
    """Return the keys that a table at this place may have."""
    inner = _at(kind, place)
    return list(inner.__struct_encode_fields__) if isinstance(inner, type) and issubclass(inner, msgspec.Struct) else []


def _words(kind: Any, place: str) -> str:
    choices = get_args(_at(kind, place))
    # A word that may be left out is a union of its words and nothing.
    words = [word for one in choices for word in (get_args(one) or (one,)) if isinstance(word, str)]
    several = f"one of {', '.join(words)}" if words else ""
    return f'write "{words[0]}", or leave it out' if len(words) == 1 else several


def _at(kind: Any, place: str) -> Any:
    """Return the type of the value at a path such as `fields[...].from`."""
    for part in re.findall(r"\w+|\[[^\]]*\]", place):
        options = [one for one in (kind, *get_args(kind)) if one is not type(None)]
        if part.startswith("["):
            kind = (
                get_args(kind)[-1]
                if get_args(kind) and get_args(kind)[-1] is not ...
                else (get_args(kind) or (None,))[0]
            )
            continue
        struct = next((one for one in options if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)
        if struct is None:
            return None
        named = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        kind = named.get(part)
    options = [one for one in get_args(kind) if one is not type(None)]
    return options[0] if len(options) == 1 and isinstance(options[0], type) else kind
