"""Attachments of any JSON: addresses, or objects that hold one under a usual name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from hub.core.model import Media
from hub.sdk.text import clean

MOST = 100
"""Attachments of one item; more are counted."""
ADDRESSES = (
    "url",
    "href",
    "src",
    "content_url",
    "contentUrl",
    "file_url",
    "download_url",
    "link",
    "image_url",
    "payload",
    *("uri", "secure_url", "media_url_https", "media_url", "original", "large", "image", "file"),
    *("preview_url", "thumbnail_url", "thumbnail"),
)
DESCRIPTIONS = ("alt", "alt_text", "description", "caption", "title", "name", "filename")
TYPES = ("mime", "mime_type", "mimeType", "content_type", "contentType", "mimetype", "type", "kind", "media_type")
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("image", "photo", "picture", "img", "gif", "sticker", "avatar"), "image"),
    **dict.fromkeys(("video", "gifv", "movie", "clip", "reel"), "video"),
    **dict.fromkeys(("audio", "voice", "sound", "voicemail"), "audio"),
    **dict.fromkeys(("link", "url", "share", "webpage"), "link"),
}
ENDINGS: Mapping[str, str] = {
    **dict.fromkeys(("jpg", "jpeg", "png", "gif", "webp", "avif", "heic", "svg", "bmp"), "image"),
    **dict.fromkeys(("mp4", "mov", "webm", "m4v", "avi", "mkv"), "video"),
    **dict.fromkeys(("mp3", "ogg", "oga", "wav", "m4a", "flac", "opus"), "audio"),
}
_SHOWN = re.compile(
    r"<(img|video|audio|source)\b[^>]{0,2000}?\bsrc\s*=\s*(?:\"([^\"]{0,2000})\"|'([^']{0,2000})'|([^\"'\s>]{1,2000}))",
    re.IGNORECASE,
)
_TAGS = {"img": ("image",), "video": ("video",), "audio": ("audio",)}


def attachments(found: Iterable[Any]) -> tuple[tuple[Media, ...], int]:
    """Return what can be had of attachments, each address once, and how many have no web address (or are too many)."""
    kept, left = dict[str, Media](), 0
    for one in _each(found):
        media = _media(one)
        if media is None or (len(kept) >= MOST and media.url not in kept):
            left += 1
        else:
            kept.setdefault(media.url, media)
    return tuple(kept.values()), left


def had(found: Iterable[Media | None]) -> tuple[tuple[Media, ...], str]:
    """Return the attachments that have a web address, and what is to be told of those without, "" if there are none."""
    each = list(found)
    kept = tuple(one for one in each if one is not None)
    return kept, left_out(len(each) - len(kept))


def left_out(count: int) -> str:
    """Return what is told of attachments that no signal holds, "" if there are none."""
    return f"{count} of its attachments have no web address and were left out" if count else ""


def pictures(html: str | None) -> tuple[tuple[Media, ...], int]:
    """Return the pictures, films and sounds that HTML shows, and how many have no web address."""
    found = [(tag.lower(), _whole(unescape("".join(places)))) for tag, *places in _SHOWN.findall(html or "")[:MOST]]
    kept = {url: Media(_kind_of(url, _TAGS.get(tag, ())), url) for tag, url in reversed(found) if _is_web(url)}
    return tuple(reversed(kept.values())), sum(not _is_web(url) for _, url in found)


def _whole(address: str) -> str:
    """Return an address with its scheme, which HTML may leave out."""
    address = address.strip()
    return f"https:{address}" if address.startswith("//") else address


def _each(found: Iterable[Any]) -> Iterator[Any]:
    for one in found:
        if isinstance(one, list):
            yield from _each(one)
        elif one is not None and one not in ("", {}):
            yield one


def _media(one: Any) -> Media | None:
    if isinstance(one, str):
        return Media(_kind_of(one, ()), one) if _is_web(one) else None
    if not isinstance(one, dict):
        return None
    places = [one.get(name) for name in ADDRESSES]
    places += [inner.get(name) for inner in places if isinstance(inner, dict) for name in ADDRESSES]
    url = next((place for place in places if isinstance(place, str) and _is_web(place)), None)
    if url is None:
        return None
    types = [kind for name in TYPES if isinstance(kind := one.get(name), str)]
    said = next((text for name in DESCRIPTIONS if isinstance(text := one.get(name), str) and text.strip()), None)
    return Media(
        _kind_of(url, types), url, clean(said) if said else None, next((kind for kind in types if "/" in kind), None)
    )


def _kind_of(url: str, types: Iterable[str]) -> str:
    for kind in types:
        if known := KINDS.get(kind.lower().partition("/")[0]):
            return known
    return ENDINGS.get(urlsplit(url).path.rpartition(".")[2].lower(), "file")


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
