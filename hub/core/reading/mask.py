"""Masks of people's names, handles, addresses and numbers: enough is left to tell two people apart, not to find one.

A name becomes its initials, an address its first letter. In texts the same is done to mentions, mail addresses, numbers of
five digits or more (telephones, orders, accounts), links to profiles, and the author's own names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

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
_MAIL = re.compile(r"(?<![\w.+@-])[\w.+-]{1,256}@[\w-]+(?:\.[\w-]+)+")
_MENTION = re.compile(r"(?<![\w@/*])@[\w][\w.-]*(?:@[\w-]+(?:\.[\w-]+)+)?(?!\*)")
_LINK = re.compile(r"\bhttps?://\S+", re.IGNORECASE)
_DATE = re.compile(
    r"(?<![\w./-])(?:\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
    r"|\d{1,2}[./]\d{1,2}[./]\d{2,4})(?![\w/-]|\.\d)"
)
_NUMBER = re.compile(r"(?<!\w)[+#]?\(?(?:\w{1,8}-){0,3}\w*\d\w*(?:[ ./()-]{1,2}\w*\d\w*)*\)?(?:-\w{1,8}){0,3}")
_DIGITS = 5


def mask_name(name: str) -> str:
    """Return the initials of a name: "Ana Berg" becomes "A. B."."""
    words = re.findall(r"[^\W\d_]\w*", name)
    return " ".join(f"{word[0].upper()}." for word in words[:3]) or HIDDEN


def mask_address(address: str) -> str:
    """Return the first letter of a handle or an address: "ana@example.social" becomes "a***@..."."""
    plain = address.lstrip("@")
    first = plain[:1]
    return f"{'@' if address.startswith('@') else ''}{first}{HIDDEN}{'@...' if '@' in plain else ''}"


def mask_text(text: str, names: Iterable[str] = ()) -> str:
    """Return a text in which nothing names a person: neither one of these names nor a mention, an address, a number, a link."""
    text = _LINK.sub(_masked_link, text)
    text = _MAIL.sub(lambda found: mask_address(found[0]), text)
    text = _MENTION.sub(lambda found: mask_address(found[0]), text)
    for name in sorted({one for one in names if len(one) > 1}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda found: mask_name(found[0]), text, flags=re.IGNORECASE)
    return _outside_of_dates(text, lambda part: _NUMBER.sub(_masked_number, part))


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


def as_seen(sight: Sight, value: Any, author: Mapping[str, Any] | None = None) -> Any:
    """Return a value of plain types as a sight shows it: masked, if names are not to be seen; `author` is the one it is about."""
    return value if sight.names else mask_all(value, names_of(author))


def names_of(author: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what an author is called: whole names, handles, and the words of the name."""
    if not author:
        return ()
    named = str(author.get("display_name") or "")
    handles = [str(author.get(name) or "") for name in ("handle", "native_id")]
    handles += [str(one) for one in author.get("handle_history") or ()]
    local = [one.lstrip("@").partition("@")[0] for one in handles]
    words = [word for word in re.findall(r"[^\W\d_]\w+", named) if len(word) > 2]
    return tuple(dict.fromkeys(one for one in (named, *handles, *local, *words) if len(one) > 2))


def mask_all(value: Any, names: Iterable[str] = ()) -> Any:
    """Return a value of plain types in which each text is masked, and fields that lead to a person hold nothing."""
    known = tuple(names)
    if isinstance(value, str):
        return mask_text(value, known)
    if isinstance(value, Mapping):
        return {name: None if name in GONE_KEYS else _masked_field(name, one, known) for name, one in value.items()}
    return [mask_all(one, known) for one in value] if isinstance(value, list | tuple) else value


def _masked_field(name: str, value: Any, names: tuple[str, ...]) -> Any:
    if name == "author" and isinstance(value, Mapping):
        return mask_author(value)
    is_ours = name == "id" or name.endswith(("key", "_at", "hash")) or name in _OURS
    return value if is_ours and not isinstance(value, Mapping) else mask_all(value, names)


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
        "due_at",
        "signal",
        "record",
        "revision",
    }
)
"""Fields whose words are the hub's own."""


def _masked_link(found: re.Match[str]) -> str:
    """Return a link without its path: it may lead to a person."""
    return "/".join(found[0].split("/")[:3]) + "/..."


def _masked_number(found: re.Match[str]) -> str:
    return HIDDEN if sum(letter.isdigit() for letter in found[0]) >= _DIGITS else found[0]


def _outside_of_dates(text: str, change: Callable[[str], str]) -> str:
    parts, at = [], 0
    for date in _DATE.finditer(text):
        parts += [change(text[at : date.start()]), date[0]]
        at = date.end()
    return "".join([*parts, change(text[at:])])
