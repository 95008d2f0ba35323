"""One form for words that people write in many ways: what keywords, texts and conditions are compared in.

`plain` takes typography away (quotes, dashes, spaces, what cannot be seen) and keeps case and accents; `fold` takes those too.
"""

from __future__ import annotations

import re
from unicodedata import category, decimal, is_normalized, normalize

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")  # one character at a time: four times as fast as a run
_BREAKS = "\t-\r\x1c-\x1f\x85\u2028\u2029"
_WIDE = (
    "\xa0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000"  # a Braille cell without dots is how people write an empty line
)
_ODD_SPACE = re.compile(f"[{_BREAKS}]")
_WIDE_SPACE = re.compile(f"[{_WIDE}]")
_SPACES = re.compile(r"[\s\u2800]+")
_REMEMBERED = 20_000

# Marks of direction, soft hyphens, zero-width spaces, fillers, byte order marks, selectors of a character's look. Not the
# joiner, which makes one emoji of two, and not the tags that spell a flag.
_HIDDEN = (
    "\xad\u034f\u0600-\u0605\u061c\u06dd\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
_UNSEEN = re.compile(f"[{_HIDDEN}\U000e0100-\U000e01ef]+")
_ODD = re.compile(f"[{_BREAKS}{_WIDE}{_HIDDEN}]")  # of the first 65,536 characters: twice as fast
JOINER = "\u200d"
_PICTURE = "\u2190-\u2bff\U0001f000-\U0001faff"
_IDLE_JOINER = re.compile(f"{JOINER}(?![{_PICTURE}])|(?<![{_PICTURE}\ufe0f]){JOINER}")
# Kana of half width: their marks of voice are characters of their own until they are composed.
_HALF_WIDTH = re.compile("[\uff66-\uff9f]+")

_SINGLE = "\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02ca\u02cb\xb4\u055a\u05f3"
_SINGLE += "\u07f4\u07f5\ua78b\ua78c\uff07\uff40`\u275b\u275c\u275f\u0384\u1fbd\u1fbf\u1ffe"
_DOUBLE = "\xab\xbb\u201c\u201d\u201e\u201f\u2033\u2036\u02ba\u02dd\u02ee\u05f4\u275d\u275e\u301d\u301e\u301f\uff02"
_DOUBLE += "\u2e42\U0001f676\U0001f677\U0001f678"
DASHES = (
    "\u02d7\u058a\u05be\u1400\u1806\u2010\u2011\u2012\u2013\u2014"
    "\u2015\u2043\u207b\u208b\u2212\u2500\u2796\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u30a0\ufe58\ufe63\uff0d\U00010ead"
)
_TYPOGRAPHY = {
    **dict.fromkeys(_SINGLE, "'"),
    **dict.fromkeys(_DOUBLE, '"'),
    **dict.fromkeys(DASHES, "-"),
    **dict.fromkeys("\u2027\u2219\u22c5", "\xb7"),
    **dict.fromkeys("\u2044\u2215", "/"),
    **dict.fromkeys("\u223c\u301c", "~"),
    **dict.fromkeys("\u2122\u2120\xae\xa9", ""),  # the signs of rights: no part of the name that they follow
}
_TYPOGRAPHIC = re.compile(f"[{re.escape(''.join(_TYPOGRAPHY))}]")
_PLAINER = str.maketrans(_TYPOGRAPHY)

# Accents and vowel points that may be left out: Latin, Greek, Cyrillic, Hebrew, Arabic.
_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20dc\u20e1\u20e5-\u20f0\ufe20-\ufe2f]"
)
_ACCENTED = re.compile("[\u0041-\u024f\u0370-\u052f\u0590-\u06ff\u1e00-\u1fff\ufb00-\ufb4f]")  # scripts of such marks
# Letters that do not decompose; then what is one letter on Arabic, Persian and Urdu keyboards (Lucene, ArabicNormalizer).
_LATIN = dict(zip("øłđħıðŧə", "oldhidte", strict=True)) | {"æ": "ae", "œ": "oe", "þ": "th"}
_ARABIC = dict(zip("\u0649\u06cc\u06d0\u06d2\u06a9", "\u064a\u064a\u064a\u064a\u0643", strict=True))
_ARABIC |= dict.fromkeys("\u0629\u06c1\u06c3\u06be\u06d5", "\u0647") | {"\u0671": "\u0627"}
_ALIKE = str.maketrans(_LATIN | _ARABIC)


class _Fold(dict[int, str]):
    """A table for str.translate that folds each character on its first meeting."""

    def __missing__(self, code: int) -> str:
        folded = _fold_char(chr(code))
        if len(self) < _REMEMBERED:  # texts that walk through all of Unicode must not fill the memory
            self[code] = folded
        return folded


_FOLD = _Fold()


def _fold_char(char: str) -> str:
    if char in _TYPOGRAPHY:  # before its compatible form, which for an acute accent is a space
        return _TYPOGRAPHY[char]
    if category(char) == "Nd":
        return str(decimal(char))
    plain = normalize("NFKC", char).casefold()
    if _ACCENTED.search(plain):
        # NFKD takes accents off; for other scripts it would split what belongs together (Hangul)
        plain = normalize("NFKD", plain).translate(_ALIKE)
    return _MARKS.sub("", _UNSEEN.sub("", plain)).translate(_PLAINER)


def fold(text: str) -> str:
    """Return the text without case, accents and typography, on one line."""
    return fold_line(one_line(text))


def one_line(text: str) -> str:
    """Return the text on one line, composed, without what cannot be seen and without halves of surrogate pairs."""
    if text.isascii():
        return _SPACES.sub(" ", text) if "  " in text or _ODD_SPACE.search(text) else text
    if JOINER in text:
        text = _IDLE_JOINER.sub("", text)
    if _ODD.search(text):
        text = _SPACES.sub(" ", _UNSEEN.sub("", text))
    elif "  " in text:
        text = _SPACES.sub(" ", text)
    return _composed(text.encode("utf-8", "replace").decode())


def fold_line(line: str) -> str:
    """Fold what `one_line` made."""
    if line.isascii():
        return line.lower().replace("`", "'")
    # one call for each odd character, or a look at every character: what is less depends on the script
    few = len(line.encode()) < len(line) * 1.25
    return _NOT_ASCII.sub(_fold_found, line).lower().replace("`", "'") if few else line.translate(_FOLD).lower()


def plain(text: str) -> str:
    """Return the text with straight quotes, hyphens for dashes, spaces for spaces, and nothing unseen; case and accents stay."""
    if text.isascii():
        return text
    text = _WIDE_SPACE.sub(" ", _UNSEEN.sub("", text))
    return text.translate(_PLAINER) if _TYPOGRAPHIC.search(text) else text


def char_lengths(line: str) -> list[int] | None:
    """Return how many characters each character of a line folds to; None if none folds to more than one."""
    if all(len(_FOLD[ord(char)]) <= 1 for char in _NOT_ASCII.findall(line)):
        return None
    return [len(_FOLD[ord(char)]) for char in line]


def _composed(text: str) -> str:
    if "\uff9e" in text or "\uff9f" in text:
        text = _HALF_WIDTH.sub(lambda found: normalize("NFKC", found[0]), text)
    return text if is_normalized("NFC", text) else normalize("NFC", text)


def _fold_found(found: re.Match[str]) -> str:
    return _FOLD[ord(found[0])]
