"""Signs that a person sees, and those that take no ink: spaces, joiners, marks of direction, a byte order mark."""

from __future__ import annotations

from unicodedata import category

_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Zs", "Zl", "Zp"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks by their category, which show nothing."""

_ASCII_UNSEEN = "".join(map(chr, (*range(33), 127)))


def is_seen(sign: str) -> bool:
    """Return True if a sign stands for itself on paper; a variation selector or a lone accent does not."""
    return sign not in _BLANK and category(sign) not in _UNSEEN and category(sign)[0] != "M"


def trimmed(text: str) -> str:
    """Return a text without what is not seen at either end; "" if nothing in it is seen."""
    if text.isascii():
        return text.strip(_ASCII_UNSEEN)
    if not any(map(is_seen, text)):
        return ""
    start, end = 0, len(text)
    while _is_blank(text[start]):
        start += 1
    while _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_blank(sign: str) -> bool:
    """Return True for what belongs to no other sign; an accent does."""
    return sign in _BLANK or category(sign) in _UNSEEN
