"""Hostile input: what a broken or malicious network may send, for sources and enrichers alike."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

DEEP = 10_000
LONG = 1_000_000
_MOST_PATHS = 150
_MOST_LONG = 20
_ID = 300  # characters of an id at most
_MARK = "\x01deep\x01"

Case = tuple[str, bytes]
Path = tuple[str | int, ...]

PAYLOADS: tuple[Case, ...] = (
    ("nothing", b""),
    ("a blank", b" "),
    ("a NUL", b"\0"),
    ("no UTF-8", b"\xff\xfe\x80"),
    ("no JSON", b"{not json}"),
    ("HTML", b"<!doctype html><p>502 Bad Gateway</p>"),
    *(
        (f"only {value}", value.encode())
        for value in ("null", "true", "7", "-1.5", '"text"', "[]", "{}", "[[]]", "NaN")
    ),
    ("arrays opened 10,000 deep", b"[" * DEEP),
    ("arrays nested 10,000 deep", b"[" * DEEP + b"]" * DEEP),
    ("objects nested 10,000 deep", b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    ("elements nested 10,000 deep", b"<a>" * DEEP + b"</a>" * DEEP),
    ("a lone surrogate", b'{"id":"\\ud800","text":"\\udfff"}'),
    ("a number of 5,000 digits", b"9" * 5_000),
    ("a word of 1 MB", b'"' + b"x" * LONG + b'"'),
    ("a key twice", b'{"id":"1","id":2}'),
)
"""Payloads that no network means to send."""

TEXTS: tuple[tuple[str, str], ...] = (
    ("nothing", ""),
    ("blanks", " \n\t "),
    ("a NUL", "a\0b"),
    ("a lone surrogate", "a\ud800b"),
    ("a word of 1 MB", "x" * LONG),
    ("200,000 words", "so " * 200_000),
    ("emoji", "😀👩‍👩‍👧🇩🇪" * 200),
    ("right to left", "\u202eمرحبا بالعالم\u202c"),
    ("marks upon marks", "Z" + "\u0301" * 5_000),
    ("markup", "<b>" * 5_000),
    ("punctuation", "!?." * 5_000),
)
"""Texts that no reader expects."""

WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    "",
    "\0",
    "\ud800",
    "no such value",
    [],
    {},
    [None],
    {"a": None},
)
"""Values of the wrong type, or of the right type and no sense."""


def mutations(sample: bytes) -> Iterator[Case]:
    """Yield the sample broken in one place at a time: cut, each field missing, of a wrong type, far too deep, far too long."""
    for part in (0.25, 0.5, 0.9):
        yield f"cut after {part:.0%}", sample[: int(len(sample) * part)]
    try:
        document = json.loads(sample)
    except ValueError:
        yield from _broken_bytes(sample)
        return
    paths = list(_paths(document))[:_MOST_PATHS]
    for path in paths:
        yield f"without {_name(path)}", _dump(_replaced(document, path, missing=True))
        for value in WRONG:
            yield f"{_name(path)} = {str(value)[:20]!a}", _dump(_replaced(document, path, value))
    texts = [path for path in paths if isinstance(_at(document, path), str)]
    for path in texts[:_MOST_LONG]:
        yield f"{_name(path)} of 1 MB", _dump(_replaced(document, path, "x" * LONG))
        deep = _dump(_replaced(document, path, _MARK))
        yield f"{_name(path)} nested", deep.replace(json.dumps(_MARK).encode(), b"[" * DEEP + b"]" * DEEP)


def texts_of(sample: bytes) -> list[str]:
    """Return the short texts in a JSON sample, each once; none in any other."""
    try:
        document = json.loads(sample)
    except ValueError:
        return []
    found = [value for path in list(_paths(document))[:_MOST_PATHS] if isinstance(value := _at(document, path), str)]
    return [text for text in dict.fromkeys(found) if 0 < len(text) <= _ID]


def counted_on(sample: bytes) -> Iterator[Case]:
    """Yield a JSON sample with one of its whole numbers larger by one, each in turn."""
    try:
        document = json.loads(sample)
    except ValueError:
        return
    for path in list(_paths(document))[:_MOST_PATHS]:
        if type(value := _at(document, path)) is int:
            yield _name(path), _dump(_replaced(document, path, value + 1))


def numbers_of(sample: bytes) -> list[int]:
    """Return the whole numbers in a JSON sample above 1, each once (1 is also true); none in any other."""
    try:
        document = json.loads(sample)
    except ValueError:
        return []
    found = [_at(document, path) for path in list(_paths(document))[:_MOST_PATHS]]
    return list(dict.fromkeys(value for value in found if type(value) is int and value > 1))


def renamed(sample: bytes, old: str | int, new: str | int) -> bytes:
    """Give the sample with every JSON text or number that is `old` as `new`; of no JSON each of its places."""
    try:
        document = json.loads(sample)
    except ValueError:
        return sample.replace(str(old).encode(), str(new).encode())
    return _dump(_exchanged(document, old, new))


def _exchanged(value: Any, old: str | int, new: str | int) -> Any:
    if isinstance(value, dict):
        return {name: _exchanged(inner, old, new) for name, inner in value.items()}
    if isinstance(value, list):
        return [_exchanged(inner, old, new) for inner in value]
    return new if value == old else value


def _broken_bytes(sample: bytes) -> Iterator[Case]:
    """Yield the same for a payload that is no JSON."""
    middle = len(sample) // 2
    for name, piece in (("a NUL", b"\0"), ("no UTF-8", b"\xff"), ("1 MB", b"x" * LONG), ("depth", b"<a>" * DEEP)):
        yield f"{name} in the middle", sample[:middle] + piece + sample[middle:]
    for old, new in ((b"<", b"&lt;"), (b'"', b""), (b">", b""), (b"2", b"99999")):
        yield f"{new!r} for {old!r}", sample.replace(old, new)


def _paths(value: Any, above: Path = ()) -> Iterator[Path]:
    """Yield every field, parents first; of a list the first item only, since the others are alike."""
    children: Any = (
        value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    )
    inside = [((*above, name), child) for name, child in children]
    yield from (path for path, _ in inside)
    for path, child in inside:
        yield from _paths(child, path)


def _at(document: Any, path: Path) -> Any:
    for name in path:
        document = document[name]
    return document


def _replaced(document: Any, path: Path, value: Any = None, *, missing: bool = False) -> Any:
    changed = copy.deepcopy(document)
    place = _at(changed, path[:-1])
    if missing:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def _name(path: Path) -> str:
    return ".".join(map(str, path))


def _dump(document: Any) -> bytes:
    return json.dumps(document).encode("ascii")
