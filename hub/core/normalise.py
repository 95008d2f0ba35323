"""Signals and authors in one form: composed text without traps, safe URLs, base languages, and a hash of the content.

Most texts are clean, so each check asks first and works only if there is something to do. Normalising twice changes
nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from unicodedata import is_normalized, normalize

import msgspec
from msgspec.structs import replace

from hub.core.grammar.grapheme import cut
from hub.core.grammar.markup import safe_html
from hub.core.languages import base_language
from hub.core.model import Author, Counts, Media, Signal

LONGEST_TEXT = 100_000
LONGEST_LINE = 1_000
LONGEST_URL = 8_000
LARGEST_COUNT = 2**53 - 1  # what every JSON reader, CEL and a vendor's number field can hold
CLOCK_SKEW = timedelta(minutes=5)

_SURROGATE = re.compile("[\ud800-\udfff]")
# controls but \t and \n; embeddings, overrides and isolates, which can show a text in another order than it has
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){3,}")
_SPACES = re.compile(r"\s+")
# The host holds no brackets, or is an IPv6 address: of anything else each reader of URLs makes something different.
_HTTP = re.compile(r"https?://(?P<host>[^\s/?#\[\]\\]+|\[[0-9a-f:.]+\](?::\d*)?)(?:[/?#]\S*)?", re.IGNORECASE)
_SEPARATOR = re.compile(r"[/?#@:\\\[\]]")
_BREAKS = re.compile(r"[\t\n]")
_NO_COUNTS = Counts()


def normalise(signal: Signal) -> Signal:
    """Return the signal in the hub's form, with its content hash; the given one stays as it is."""
    published_at, claimed_at = _trusted(signal)
    tidy = replace(
        signal,
        text=clean_text(signal.text),
        published_at=published_at,
        claimed_at=claimed_at,
        observed_at=_utc(signal.observed_at),
        updated_at=_utc(signal.updated_at) if signal.updated_at else None,
        url=_web_url(signal.url),
        html=_clean_html(signal.html),
        title=_clean_line(signal.title),
        lang=base_language(signal.lang),
        realm=_clean_id(signal.realm),
        native_id=_clean_id(signal.native_id),
        revision=_clean_id(signal.revision),
        conversation_key=signal.conversation_key or signal.key,
        hashtags=_tags(signal.hashtags) if signal.hashtags else (),
        media=_web_media(signal.media) if signal.media else (),
        counts=signal.counts if signal.counts == _NO_COUNTS else _clean_counts(signal.counts),
    )
    return replace(tidy, content_hash=content_hash(tidy))


def normalise_author(author: Author) -> Author:
    """Return the author in the hub's form: names on one line, a handle without its @, web addresses or none."""
    handle = _clean_line(author.handle)
    return replace(
        author,
        native_id=_clean_id(author.native_id),
        realm=_clean_id(author.realm),
        handle=(handle.lstrip("@ ") or None) if handle else None,
        display_name=_clean_line(author.display_name),
        bio=clean_text(author.bio) or None if author.bio else None,
        url=_web_url(author.url),
        avatar_url=_web_url(author.avatar_url),
        followers=_clean_count(author.followers),
    )


def content_hash(signal: Signal) -> str:
    """Return a digest of what the signal says; its counts, times and origin do not count."""
    rating = signal.rating and (float(signal.rating.value), float(signal.rating.best), float(signal.rating.worst))
    content = (
        signal.text,
        signal.title,
        signal.html,
        signal.url,
        signal.kind,
        signal.lang,
        [media.url for media in signal.media],
        signal.quotes,
        signal.in_reply_to,
        rating,
        signal.visibility,
        signal.state,
    )
    return sha256(msgspec.json.encode(content)).hexdigest()[:32]


def clean_text(text: str) -> str:
    """Return NFC: no controls but tab and newline, no direction overrides, at most two blank lines and 100,000 characters."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _clean(text)
    if "\n" in text:
        text = _BLANK_LINES.sub("\n\n\n", text)
    return text if len(text) <= LONGEST_TEXT else cut(text, LONGEST_TEXT)


def _clean(text: str) -> str:
    """Return the text composed, and without what no text may hold."""
    if text.isascii():
        return text if text.isprintable() else _UNWANTED.sub("", text)
    text = _UNWANTED.sub("", _SURROGATE.sub("\ufffd", text))
    return text if is_normalized("NFC", text) else normalize("NFC", text)


def _clean_line(text: str | None) -> str | None:
    if not text:
        return None
    line = _SPACES.sub(" ", _clean(_SPACES.sub(" ", text))).strip()
    return cut(line, LONGEST_LINE).rstrip() or None


def _clean_id(native: str) -> str:
    """Return a network's own name for a thing, for people to read: the key is made of the whole one before."""
    return _clean(native)[:LONGEST_URL]


def _clean_counts(counts: Counts) -> Counts:
    return Counts(*(_clean_count(getattr(counts, name)) for name in Counts.__struct_fields__))


def _clean_count(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= LARGEST_COUNT else None


def _clean_html(html: str | None) -> str | None:
    """Return HTML that may stand in our pages, whatever a connector gave: nothing in it loads or runs."""
    # Not cut: inside a tag, what follows on a page would become part of it.
    return safe_html(_clean(html)) or None if html and len(html) <= LONGEST_TEXT else None


def _web_url(url: str | None) -> str | None:
    """Return the URL if it is http(s), else None: a mailto: or javascript: is no place to look at a post."""
    if not url:
        return None
    url = _BREAKS.sub("", _clean(url).strip())
    url = url if url.isascii() and " " not in url else _SPACES.sub("%20", url)
    found = _HTTP.fullmatch(url) if len(url) <= LONGEST_URL else None
    return url if found and (url.isascii() or _is_honest(found["host"])) else None


def _is_honest(host: str) -> bool:
    """Return True if no character of a host becomes a separator when composed (the sign for a/c becomes a, slash, c)."""
    return all(char.isascii() or not _SEPARATOR.search(normalize("NFKC", char)) for char in host)


def _web_media(media: Iterable[Media]) -> tuple[Media, ...]:
    found = ((one, _web_url(one.url)) for one in media)
    return tuple(
        replace(one, url=url, alt=clean_text(one.alt) or None if one.alt else None, mime=_clean_line(one.mime))
        for one, url in found
        if url
    )


def _tags(hashtags: Sequence[str]) -> tuple[str, ...]:
    tags = (_clean(_clean_line(tag) or "").lower().lstrip("#＃ ") for tag in hashtags)
    return tuple(dict.fromkeys(tag for tag in map(_clean, tags) if tag))


def _trusted(signal: Signal) -> tuple[datetime, datetime | None]:
    """Return the published and the claimed time: an author who claims the future is not believed."""
    published, observed = _utc(signal.published_at), _utc(signal.observed_at)
    if published - observed > CLOCK_SKEW:
        return observed, published
    return published, _utc(signal.claimed_at) if signal.claimed_at else None


def _utc(time: datetime) -> datetime:
    if time.tzinfo is UTC:
        return time
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:  # the first and the last day of the calendar
        return time.replace(tzinfo=UTC)
