"""Hostile JSON read by dotted path: what is missing or of another type is None, "" or empty, and nothing raises but `need`.

    doc = Doc.read(raw.payload, "a status")
    uri, name = doc.need("uri"), doc.text("account.fields.0.name")

A path goes through objects by name and through lists by number, at most eight steps deep.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from hub.core.errors import TranslationError
from hub.sdk.text import clean, html_to_text, parse_time, safe_html

DEEPEST = 8
_LARGEST = 2**63 - 1
LARGEST_ID = 2**63
"""Ids of X and Discord are whole numbers of 63 bits; what is larger may come as a fraction, and two of those are alike."""
_decode = msgspec.json.Decoder().decode


@lru_cache(maxsize=4096)
def steps_of(path: str) -> tuple[str, ...]:
    """Return the steps of a path. Raises ValueError if one is empty, or if there are more than eight."""
    steps = tuple(path.split("."))
    if len(steps) > DEEPEST or not all(steps):
        raise ValueError(f"the path {path!r} must have one to {DEEPEST} names or numbers, with dots between them")
    return steps


def load(payload: bytes, what: str = "the item") -> Any:
    """Return the JSON value of a payload; half a surrogate pair becomes U+FFFD. Raises TranslationError if it is no JSON."""
    try:
        return _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _load_slowly(payload, what)


def _load_slowly(payload: bytes, what: str) -> Any:
    """Read what msgspec refuses and senders write: halves of surrogate pairs, bare tabs, NaN, a byte order mark."""
    try:
        value = json.loads(payload, strict=False)
        if b"\\ud" not in payload.lower():
            return value
        text = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TranslationError(f"{what} is no JSON: {str(error)[:200]}") from error


def at(value: Any, steps: Sequence[str]) -> Any:
    """Return what stands behind these steps in a JSON value, None if nothing does."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


class Doc:
    """A JSON object as it came, read by path. An empty one is false; `data` is the JSON itself, `what` its name in errors."""

    __slots__ = ("data", "what")

    def __init__(self, data: Any, what: str = "the item") -> None:
        self.data = data
        self.what = what

    @classmethod
    def read(cls, payload: bytes, what: str = "the item") -> Doc:
        """Return the object in a payload. Raises TranslationError if there is none."""
        data = load(payload, what)
        if not isinstance(data, dict):
            raise TranslationError(f"{what} is no JSON object")
        return cls(data, what)

    def __bool__(self) -> bool:
        return isinstance(self.data, dict) and bool(self.data)

    def __contains__(self, path: str) -> bool:
        return self.get(path) is not None

    def get(self, path: str) -> Any:
        """Return whatever stands there, None if nothing does."""
        return at(self.data, steps_of(path))

    def text(self, path: str, *others: str) -> str | None:
        """Return a text, cleaned and stripped, by the first of these paths that has one; None if it is empty or no text."""
        value = self.get(path)
        if isinstance(value, str):
            found = clean(value)
            if found:
                return found
        return self.text(*others) if others else None

    def need(self, path: str, *others: str) -> str:
        """Return a text as `text` does. Raises TranslationError, with the paths, if there is none."""
        found = self.text(path, *others)
        if found is None:
            raise TranslationError(f"{self.what} has no {' or '.join((path, *others))}")
        return found

    def exact(self, path: str) -> str | None:
        """Return a text letter for letter (what byte ranges or signatures point into), None if it is empty or no text."""
        value = self.get(path)
        return value if isinstance(value, str) and value else None

    def id(self, path: str) -> str:
        """Return an identifier, a text or a whole number, as text; "" if there is none."""
        value = self.get(path)
        if isinstance(value, str):
            return self.text(path) or ""
        is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_ID
        return str(value) if is_number else ""

    def web(self, path: str, *others: str) -> str | None:
        """Return an http or https address by the first of these paths that has one, else None."""
        found = self.text(path)
        if found and found.startswith(("https://", "http://")):
            return found
        return self.web(*others) if others else None

    def html(self, path: str) -> str | None:
        """Return HTML fit for our own pages, None if there is none."""
        value = self.get(path)
        return safe_html(value) or None if isinstance(value, str) and value else None

    def plain(self, path: str) -> str:
        """Return what a reader of the HTML there would see, as plain text, "" if there is none."""
        value = self.get(path)
        return html_to_text(value) if isinstance(value, str) else ""

    def time(self, path: str, *others: str) -> datetime | None:
        """Return a time as aware UTC by the first of these paths that has one, in any form that `parse_time` reads."""
        value = self.get(path)
        found = parse_time(value) if isinstance(value, str | int | float) else None
        if found is None and others:
            return self.time(*others)
        return found

    def count(self, path: str) -> int | None:
        """Return a whole number from 0 on, None if there is none (some networks write -1 for a hidden one)."""
        value = self.get(path)
        is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
        return value if is_count else None

    def flag(self, path: str) -> bool | None:
        """Return true or false, None if it is neither."""
        value = self.get(path)
        return value if isinstance(value, bool) else None

    def doc(self, path: str) -> Doc:
        """Return the object there, an empty one if there is none."""
        value = self.get(path)
        return Doc(value if isinstance(value, dict) else {}, self.what)

    def docs(self, path: str) -> list[Doc]:
        """Return the objects of the list there; what else stands in it is left out."""
        value = self.get(path)
        return [Doc(one, self.what) for one in value if isinstance(one, dict)] if isinstance(value, list) else []

    def strings(self, path: str) -> list[str]:
        """Return the texts of the list there, each as `text` gives it; what else stands in it is left out."""
        value = self.get(path)
        return list(_texts(value)) if isinstance(value, list) else []


def _texts(values: list[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str) and (found := clean(value)):
            yield found


__all__ = ["DEEPEST", "LARGEST_ID", "Doc", "at", "load", "steps_of"]
