"""What a reader sees as characters: how many a text has, and where it may be cut (Unicode UAX #29, the part that matters)."""

from __future__ import annotations

from unicodedata import category, combining

_JOINER = "\u200d"
_VIRAMA = 9  # canonical combining class: it joins the consonants on both sides
_BEYOND_COUNTING = 20_000


def cut(text: str, limit: int) -> str:
    """Return the longest beginning of at most `limit` code points that ends between two graphemes.

    A first grapheme longer than the limit (a letter under a heap of marks) is cut hard: something has to give.
    """
    if len(text) <= limit:
        return text
    end = limit
    while end > 0 and not is_boundary(text, end):
        end -= 1
    return text[: end or limit]


def graphemes(text: str) -> int:
    """Return how many characters a reader sees; beyond 20,000 code points these are counted instead."""
    if len(text) > _BEYOND_COUNTING:
        return len(text)
    return sum(is_boundary(text, index) for index in range(1, len(text))) + bool(text)


def is_boundary(text: str, index: int) -> bool:
    """Return True if a grapheme ends before `text[index]`; the ends of the text are boundaries."""
    if not 0 < index < len(text):
        return True
    before, after = text[index - 1], text[index]
    if after < "\u0300":
        return not (before == "\r" and after == "\n")
    if _extends(after) or before == _JOINER or combining(before) == _VIRAMA:
        return False
    if _is_regional(before) and _is_regional(after):
        return _regionals_before(text, index) % 2 == 0
    if _hangul(before) and _hangul(after):
        return not _joins_hangul(_hangul(before), _hangul(after))
    return not ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")


def _extends(char: str) -> bool:
    """Return True for marks, joiners, variation selectors, skin tones and the tags of subdivision flags."""
    if category(char)[0] == "M" or char in "\u200c\u200d\uff9e\uff9f":
        return True
    return "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f"


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _regionals_before(text: str, index: int) -> int:
    start = index
    while start > 0 and _is_regional(text[start - 1]):
        start -= 1
    return index - start


def _hangul(char: str) -> str:
    """Return the kind of a Hangul character: L, V, T (jamo), LV, LVT (syllables), or nothing."""
    if "\uac00" <= char <= "\ud7a3":
        return "LV" if (ord(char) - 0xAC00) % 28 == 0 else "LVT"
    if "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c":
        return "L"
    if "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6":
        return "V"
    return "T" if "\u11a8" <= char <= "\u11ff" or "\ud7cb" <= char <= "\ud7fb" else ""


def _joins_hangul(before: str, after: str) -> bool:
    """Return True if two join: L joins any but T; what ends in V joins V and T; what ends in T joins T (UAX #29, GB6 to GB8)."""
    if before == "L":
        return after != "T"
    if before in {"V", "LV"}:
        return after in {"V", "T"}
    return after == "T"
