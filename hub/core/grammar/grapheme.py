"""What a reader sees as characters: how many a text has, and where it may be cut (Unicode UAX #29, by `regex`)."""

from __future__ import annotations

from functools import cache
from typing import Any

_BEYOND_COUNTING = 20_000


def cut(text: str, limit: int) -> str:
    """Return the longest beginning of at most `limit` code points that ends between two graphemes.

    A first grapheme longer than the limit (a letter under a heap of marks) is cut hard: something has to give.
    """
    if len(text) <= limit:
        return text
    end = 0
    for found in _grapheme().finditer(text, 0, limit + 1):  # one more: it may belong to what stands before the limit
        if found.end() > limit:
            break
        end = found.end()
    if _is_half(text, end):
        end -= 1
    return text[: end or limit]


def graphemes(text: str) -> int:
    """Return how many characters a reader sees; beyond 20,000 code points these are counted instead."""
    if len(text) > _BEYOND_COUNTING:
        return len(text)
    if text.isascii():
        return len(text) - text.count("\r\n")
    return sum(1 for _ in _grapheme().finditer(text))


def _is_half(text: str, end: int) -> bool:
    """Return True if a pair of surrogates would be cut, which JSON of strangers may hold."""
    return 0 < end < len(text) and "\ud800" <= text[end - 1] <= "\udbff" and "\udc00" <= text[end] <= "\udfff"


@cache
def _grapheme() -> Any:
    """Import regex on first need: most texts are short and plain."""
    import regex  # noqa: PLC0415 - see above

    # Flags by their pairs: of \X alone each looks back over all flags before it.
    return regex.compile(r"\p{RI}{2}[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}]*|\X")
