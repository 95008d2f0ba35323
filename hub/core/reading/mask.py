"""Masks of people's names, handles, addresses and numbers: enough is left to tell two people apart, not to find one.

A name becomes its initials, an address its first letter. In texts the same is done to mentions, mail addresses, numbers of
five digits or more (telephones, orders, accounts), links to profiles, and the names that are known. Dates, prices, scores,
versions and the hub's own keys stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from unicodedata import combining, normalize

from hub.core.access import Sight

HIDDEN = "***"
GONE_KEYS = frozenset(
    {
        "url",
        "html",
        "native_id",
        "native_handle",
        "avatar",
        "avatar_url",
        "bio",
        "handle_history",
        "raw",
        "conversation_url",
    }
)
"""Fields that name a person or lead to one, whatever stands in them."""
_LOCAL = r"\w.!#$%&'+=?^`{|}~\-"
_MAIL = re.compile(
    rf"""(?:(?<![{_LOCAL}@])[{_LOCAL}]{{1,256}}|"[^"\s][^"\n]{{0,63}}")(?:@|[ ]?[(\[]at[)\]][ ]?)[\w-]+(?:\.[\w-]+)+""",
    re.IGNORECASE,
)
_MENTION = re.compile(r"(?<![\w@\uff20/*])[@\uff20]\w[\w.-]*(?:@[\w-]+(?:\.[\w-]+)+)?(?!\*)")
_LINK = re.compile(r"(?<![^\W_])[a-z][a-z0-9+.-]{1,20}://[^\s<>\"]+", re.IGNORECASE)
_BARE_LINK = re.compile(r"(?<![\w.@/-])((?:[\w-]{1,63}\.){1,4}[a-z]{2,24})/[^\s<>\"]+", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w/.])(/?(?:u|user|users)/)[\w-]{3,}|\b(did:)[a-z]{2,12}:[\w.:%-]+")
_KEY = re.compile(r"(?:[a-z][\w-]{0,40}:)?[a-z2-7]{32}")
"""A key or a version of the hub."""
_DAY = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DATE = rf"(?<![\w./-])(?:{_DAY}(?:/{_DAY})?|\d{{4}}-W\d{{2}}|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}})(?![\w/-]|\.\d)"
_TIME = r"(?<![\w:.])\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,6})?)?(?![\w:])"
_YEARS = r"(?<![\w./#+-])(?<!\d )(?:19|20)\d\d ?[-/\u2013] ?(?:19|20)\d\d(?![\w/-]| \d)"
_AMOUNT = r"(?:[1-9]\d{0,2}(?:[.,'\u2019 \u00a0\u202f]\d{3}){1,4}|0|[1-9]\d{0,8})(?:[.,]\d{1,2})?(?![\w.,]*\d)"
_MONEY = (
    r"(?:[\u20ac$\xa3\xa5\u20b9\u20bd]|\b(?:EUR|USD|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN|CZK|Euros?|dollars?|pounds?|Franken"
    r"|francs?|yen)\b|\bz\u0142|\bkr\b)"
)
_UNIT = (
    r"(?:%|(?:k?m|k?g|mAh|[kMGT]B|px|dpi|[kMG]?Hz|k?Wh?|views|likes|followers|people|users|steps|times|points|stars|reviews"
    r"|comments|ratings|percent)\b)"
)
_GAP = r"[ \u00a0\u202f]?"
_PRICE = rf"{_MONEY}{_GAP}{_AMOUNT}|(?<![\w.,+/-])(?<!\d[ \u00a0\u202f]){_AMOUNT}{_GAP}(?:{_MONEY}|{_UNIT})"
_ROUND = r"(?<![\w.,+/-])(?<!\d )[1-9]\d{0,2}(?:\.\d{3}){0,3}\.000(?![\w/-]|[.,]?\d| \d)"
_DECIMAL = r"(?<![\w.,+/-])(?<!\d )\d[.,]\d{1,5}(?![\w/-]|[.,]?\d| \d)"
_VERSION = (
    r"(?<!\w)(?:v ?|versions? )\d{1,4}(?:\.\d{1,5}){1,4}(?:-[a-z]{1,5}\d{0,2})?(?!\w)"
    r"|(?<![\w.+/-])(?<!\d )\d{1,2}\.\d{1,2}\.\d{1,2}(?:\.\d)?(?:-?(?:rc|alpha|beta|dev)\.?\d{0,2})?(?![\w/-]|\.\d| \d)"
)
_SCORE = r"(?<![\w./+-])\d{1,3}(?:[.,]\d)?/(?:5|10|100)(?![\w/-]|\.\d| \d+ \d)"
_SIZE = r"(?<!\w)\d{3,4} ?[x\u00d7] ?\d{3,4}(?!\w)"
_NORM = r"\b(?:ISO|DIN|EN|IEC|RFC)[ -]\d{2,6}(?:[-:]\d{1,4}){0,2}(?!\w)"
_PLAIN = re.compile(
    "|".join(
        [
            _DATE,
            _TIME,
            _YEARS,
            _PRICE,
            _ROUND,
            _DECIMAL,
            _VERSION,
            _SCORE,
            _SIZE,
            _NORM,
            rf"(?<!\w){_KEY.pattern}(?!\w)",
        ]
    )
)
"""What holds digits and leads to no person."""
_JOINT = r"[ \t./()\-\u00a0\u00ad\u2000-\u200f\u2010-\u2015\u202f\u205f\u2060\u2212\u3000\ufeff]{1,3}"
_NUMBER = re.compile(rf"(?<!\w)[+#]?\(?(?:\w{{1,8}}-){{0,3}}\w*\d\w*(?:{_JOINT}\w*\d\w*)*\)?(?:-\w{{1,8}}){{0,3}}")
_DIGITS = 5
_LONG = 10**7
"""Whole numbers from here on are hidden in what a vendor gets: a telephone's number, an id."""
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]"
)
_PREFIXED = re.compile("[\u0590-\u07ff]")
"""Scripts that write no spaces between words, and those that write a preposition onto the next word."""
_LETTERS = r"0-9A-Za-z\u00aa-\u02ff\u0370-\u058f\u1e00-\u1fff"
"""Letters of scripts that write spaces between words: a name of theirs may stand within another script."""
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u109f\u1780-\u17ff"
_WORD = re.compile(rf"[^\W\d_][\w{_MARKS}]*")
_ASIDE = re.compile(r"[(\[][^()\[\]/]*/[^()\[\]]*[)\]]")
_LONGEST_NAME = 200


def mask_name(name: str) -> str:
    """Return the initials of a name: "Ana Berg" becomes "A. B."."""
    words = _WORD.findall(name[:_LONGEST_NAME])
    return " ".join(f"{word[0].upper()}." for word in words[:3]) or HIDDEN


def mask_address(address: str) -> str:
    """Return the first letter of a handle or an address: "ana@example.social" becomes "a***@..."."""
    plain = address.lstrip("@\uff20")
    first = plain[:1]
    return f"{'@' if plain != address else ''}{first}{HIDDEN}{'@...' if '@' in plain else ''}"


def mask_text(text: str, names: Iterable[str] = ()) -> str:
    """Return a text in which nothing names a person: neither one of these names nor a mention, an address, a number, a link."""
    text = _PATH.sub(_masked_path, _BARE_LINK.sub(_masked_bare, _LINK.sub(_masked_link, text)))
    text = _MAIL.sub(lambda found: f"{found[0].lstrip(_QUOTES)[0]}{HIDDEN}@...", text)
    text = _MENTION.sub(lambda found: mask_address(found[0]), text)
    return _outside_of_plain(_nameless(text, names), lambda part: _NUMBER.sub(_masked_number, part))


def mask_author(author: Mapping[str, Any]) -> dict[str, Any]:
    """Return an author as shown to those who may not know who it is."""
    kept = {
        name: author.get(name)
        for name in ("key", "network", "kind", "followers", "verified", "counts")
        if name in author
    }
    named, handle = author.get("display_name"), author.get("handle")
    return {
        **dict.fromkeys(author),
        **kept,
        "display_name": mask_name(named) if named else None,
        "handle": mask_address(handle) if handle else None,
    }


def as_seen(sight: Sight, value: Any, names: Iterable[str] = ()) -> Any:
    """Return a value of plain types as a sight shows it: masked, if names are not to be seen; `names` are those to be found."""
    return value if sight.names else mask_all(value, names)


def names_of(*people: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what authors and persons are called: whole names, handles, mail addresses, and the words of the name."""
    return tuple(dict.fromkeys(name for one in people if one for name in _names_of(one)))


def _names_of(author: Mapping[str, Any]) -> Iterable[str]:
    named = str(author.get("display_name") or "")[:_LONGEST_NAME]
    handles = [str(author.get(name) or "") for name in ("handle", "native_id")]
    handles += [str(one) for name in ("handle_history", "emails") for one in author.get(name) or ()]
    handles = [one for one in handles if not (one.isdecimal() and len(one) < _DIGITS)]
    local = [one.lstrip("@").partition("@")[0] for one in handles]
    words = _WORD.findall(normalize("NFC", _ASIDE.sub(" ", named)))
    if any(word[0].isupper() for word in words):  # then "of" and "the" are no names
        words = [word for word in words if not word[0].islower()]
    yield from (one for one in (named, " ".join(words)) if len(one) > 1)
    yield from (one for one in (*handles, *local, *words) if len(one) > (1 if _UNSPACED.search(one) else 2))


def mask_all(value: Any, names: Iterable[str] = (), *, foreign: bool = False) -> Any:
    """Return a value of plain types in which each text is masked, and fields that lead to a person hold nothing.

    `foreign`: its fields are a vendor's, not the hub's own, whatever they are called.
    """
    known = tuple(names)
    if isinstance(value, str):
        return value if _KEY.fullmatch(value) else mask_text(value, known)
    if isinstance(value, Mapping):
        return {
            _nameless(name, known) if isinstance(name, str) else name: _masked_field(str(name), one, known, foreign)
            for name, one in value.items()
        }
    if foreign and isinstance(value, int | float) and abs(value) >= _LONG:
        return HIDDEN
    return [mask_all(one, known, foreign=foreign) for one in value] if isinstance(value, list | tuple) else value


def _masked_field(name: str, value: Any, names: tuple[str, ...], foreign: bool) -> Any:
    last = name.rpartition(".")[2]  # a rule's reading is told as author.handle
    if last in GONE_KEYS:
        return None
    if last == "author" and isinstance(value, Mapping):
        return mask_author(value)
    if isinstance(value, str) and last in ("display_name", "handle"):
        return mask_name(value) if last == "display_name" else mask_address(value)
    if foreign or last in _FOREIGN:
        return mask_all(value, names, foreign=True)
    is_ours = last == "id" or last.endswith(("key", "_at", "hash")) or last in _OURS
    return value if is_ours and not isinstance(value, Mapping) else mask_all(value, names)


_FOREIGN = frozenset({"fields", "details"})
"""Fields that hold what a vendor gets, or said: no name in there is the hub's."""
_OURS = frozenset(
    {
        "network",
        "source",
        "kind",
        "lang",
        "state",
        "matched",
        "topics",
        "rule",
        "mapping",
        "destination",
        "object",
        "operation",
        "visibility",
        "model",
        "version",
        "versions",
        "rules_version",
        "topics_version",
        "mapping_version",
        "code",
        "class",
        "field",
        "outcome",
        "in_reply_to",
        "quotes",
        "due_at",
        "signal",
        "record",
        "revision",
    }
)
"""Fields whose words are the hub's own."""


_QUOTES = "\"'"


@lru_cache(512)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return what finds these names however they are written; None if there is none."""
    every = sorted({form for name in names for form in _forms(name)}, key=lambda one: (-len(one), one))
    plain: list[str] = []
    unspaced: list[str] = []
    prefixed: list[str] = []
    for one in every:
        kind = unspaced if _UNSPACED.search(one) else prefixed if _PREFIXED.search(one) else plain
        # A short word is a name only as it is written: Li, not li.
        kind.append(re.escape(one) if len(one) > 2 or kind is not plain else f"(?-i:{re.escape(one)})")
    parts = (
        rf"(?:{'|'.join(unspaced)})" if unspaced else "",
        rf"(?:{'|'.join(prefixed)})(?!\w)" if prefixed else "",
        rf"(?<![{_LETTERS}])(?:{'|'.join(plain)})[\u0300-\u036f]*(?P<ending>s?)(?![{_LETTERS}])" if plain else "",
    )
    whole = "|".join(part for part in parts if part)
    return re.compile(whole, re.IGNORECASE) if whole else None


def _forms(name: str) -> set[str]:
    """Return the ways to write a name: composed or not, in each case, without accents, and as a tag or an address has it."""
    bare = "".join(one for one in normalize("NFD", name) if not combining(one))
    if len(name) < 3:
        return {name, name.upper()}
    found = {name, name.upper(), name.lower(), name.casefold(), *([bare] if bare.isascii() else [])}
    words = _WORD.findall(normalize("NFC", name)) if " " in name else []
    if len(words) > 1:
        found |= {joint.join(words) for joint in ("", "_", ".", "-", " ")}
    forms = {normalize(form, one).strip() for one in found for form in ("NFC", "NFD")}
    return {one for one in forms if len(one) > 1}


def _nameless(text: str, names: Iterable[str]) -> str:
    """Return a text with initials in place of these names."""
    pattern = _pattern(tuple(names))
    return pattern.sub(_masked_name, text) if pattern is not None else text


def _masked_name(found: re.Match[str]) -> str:
    is_plural = found.groupdict().get("ending") and found[0][0].islower()
    return found[0] if is_plural else mask_name(found[0])


def _masked_link(found: re.Match[str]) -> str:
    """Return a link without its path, and without what stands before the domain: either may be a person."""
    scheme, _, rest = found[0].partition("://")
    return f"{scheme}://{_domain(re.split(r'[/?#]', rest, maxsplit=1)[0])}/..."


def _masked_bare(found: re.Match[str]) -> str:
    return f"{_domain(found[1])}/..."


def _masked_path(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]}{HIDDEN}"


def _domain(host: str) -> str:
    parts = host.rpartition("@")[2].partition(":")[0].split(".")
    wide = 3 if len(parts) > 2 and len(parts[-2]) <= 3 and len(parts[-1]) == 2 else 2
    return ".".join(parts[-wide:])


def _masked_number(found: re.Match[str]) -> str:
    return HIDDEN if sum(letter.isdigit() for letter in found[0]) >= _DIGITS else found[0]


def _outside_of_plain(text: str, change: Callable[[str], str]) -> str:
    parts, at = [], 0
    for plain in _PLAIN.finditer(text):
        parts += [change(text[at : plain.start()]), plain[0]]
        at = plain.end()
    return "".join([*parts, change(text[at:])])
