"""An entry of a feed as a signal with its author. Pure: it reads the JSON that `plugins.rss.client` made of the entry.

A payload is `{"entry": {...}, "feed": {...}}` with feedparser's names; times stand as ISO strings in `*_parsed`. A JSON
Feed's item has the same form. `"id_reused": true` marks an entry whose id other entries of its document bear too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin

from hub.core.errors import TranslationError
from hub.core.keys import author_key, signal_key
from hub.core.model import Author, Counts, Media, RawItem, Signal, Translated
from hub.sdk.text import clean, html_to_text, parse_time, safe_html

NETWORK = "rss"

Json = dict[str, Any]

_HTML = ("text/html", "application/xhtml+xml")
_READABLE = (*_HTML, "text/plain", "")


def translate(raw: RawItem) -> Translated:
    """One signal and its author. Raises TranslationError where the payload is none of ours."""
    document = decode(raw.payload)
    entry, feed = _dict(document.get("entry")), _dict(document.get("feed"))
    author = _author(entry, feed, raw.realm)
    native_id = native_id_of(document)
    published, updated = _times(entry)
    edited = bool(updated and published and updated > published)
    html, text = _body(entry)
    title = _readable(_dict(entry.get("title_detail")) or {"value": entry.get("title")})
    parent = _text(_dict(entry.get("thr_in-reply-to")).get("ref"))
    parent_key = signal_key(NETWORK, parent, raw.realm) if parent else None
    signal = Signal(
        key=signal_key(NETWORK, native_id, raw.realm),
        network=NETWORK,
        native_id=native_id,
        realm=raw.realm,
        kind="comment" if parent else "article",
        text=text or title or "",
        html=html,
        title=title,
        lang=_language(entry, feed),
        author_key=author.key,
        published_at=published or updated or raw.received_at,
        observed_at=raw.received_at,
        updated_at=updated if edited else None,
        state="edited" if edited else "live",
        url=_address(entry.get("link"), raw.realm),
        in_reply_to=parent_key,
        conversation_key=parent_key,
        hashtags=tuple(term for tag in _list(entry.get("tags")) if (term := _text(tag.get("term")))),
        media=tuple(_media(entry)),
        counts=Counts(replies=_count(entry.get("slash_comments")) or _count(entry.get("thr_total"))),
        can_reply="no",
    )
    return Translated((signal,), (author,))


def decode(payload: bytes) -> Json:
    """The payload's JSON; raises TranslationError where it is no entry."""
    try:
        document = json.loads(payload)
        if b"\\ud" in payload.lower():  # half of a surrogate pair stops every database and every client further on
            document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise TranslationError(f"not JSON: {str(error)[:200]}") from error
    if not isinstance(document, dict) or not isinstance(document.get("entry"), dict):
        raise TranslationError('not an entry of a feed: {"entry": {...}} is expected')
    return document


def native_id_of(document: Json) -> str:
    """The entry's id, else its link, else the SHA-256 of title and date (of the text where it has neither)."""
    entry = _dict(document.get("entry"))
    own = None if document.get("id_reused") else _text(entry.get("id"))
    if found := own or _text(entry.get("link")):
        return found
    date = _text(entry.get("published")) or _text(entry.get("updated")) or _text(entry.get("created")) or ""
    basis = (_text(entry.get("title")) or "") + date or _body(entry)[1]
    return sha256(basis.encode("utf-8", "replace")).hexdigest()


def content_of(document: Json) -> str:
    """What makes an entry's content, as one string: a change of anything else (counts, dates) is no update."""
    entry = _dict(document.get("entry"))
    title = _readable(_dict(entry.get("title_detail")) or {"value": entry.get("title")})
    links = sorted(media.url for media in _media(entry))
    return json.dumps([title, _body(entry)[1], _text(entry.get("link")), links])


def published_of(document: Json) -> datetime | None:
    """When the entry came out, None where it does not say."""
    published, updated = _times(_dict(document.get("entry")))
    return published or updated


def _times(entry: Json) -> tuple[datetime | None, datetime | None]:
    published = _time(entry.get("published_parsed")) or _time(entry.get("created_parsed"))
    return published, _time(entry.get("updated_parsed"))


def _body(entry: Json) -> tuple[str | None, str]:
    """`(sanitised HTML or None, plain text)` of the content, else of the summary."""
    parts = [part for part in _list(entry.get("content")) if str(part.get("type") or "") in _READABLE]
    if summary := _dict(entry.get("summary_detail")):
        parts.append(summary if summary.get("type") in _READABLE else {**summary, "type": "text/html"})
    elif not entry.get("content"):  # else feedparser has copied the content
        parts.append({"value": entry.get("summary"), "type": "text/html"})
    for part in parts:
        value, kind = part.get("value"), part.get("type")
        if isinstance(value, str) and value.strip():
            return (safe_html(value) or None if kind in _HTML else None), _readable(part) or ""
    return None, ""


def _readable(part: Json) -> str | None:
    value = part.get("value")
    if not isinstance(value, str):
        return None
    return (html_to_text(value) if part.get("type") in _HTML else clean(value)) or None


def _language(entry: Json, feed: Json) -> str | None:
    parts = [*_list(entry.get("content")), _dict(entry.get("summary_detail")), _dict(entry.get("title_detail"))]
    stated = [part.get("language") for part in parts] + [entry.get("language"), feed.get("language")]
    found = next(filter(None, map(_text, stated)), None)
    return found.replace("_", "-") if found else None


def _media(entry: Json) -> Iterator[Media]:
    """Enclosures, Media RSS and the entry's image, each address once."""
    enclosures = [link for link in _list(entry.get("links")) if link.get("rel") == "enclosure"]
    found = [(link.get("href"), link) for link in enclosures]
    found += [(part.get("url"), part) for part in _list(entry.get("media_content"))]
    found += [(part.get("url"), {"type": "image/*"}) for part in _list(entry.get("media_thumbnail"))]
    found += [(_dict(entry.get("image")).get("href"), {"type": "image/*"})]
    seen = set()
    for address, part in found:
        url, mime = _web(address), _text(part.get("type")) or _text(part.get("medium")) or ""
        if url and url not in seen:
            seen.add(url)
            family = mime.partition("/")[0]
            kind = family if family in ("image", "video", "audio") else "file"
            yield Media(kind, url, mime=mime if "/" in mime and "*" not in mime else None)


def _author(entry: Json, feed: Json, realm: str) -> Author:
    """Who wrote the entry by its address, e-mail or name, unique within the feed; else the feed itself."""
    people = [_dict(entry.get("author_detail")), *_list(entry.get("authors"))]
    person = next((found for found in people if any(map(found.get, ("href", "email", "name")))), {})
    name = _text(person.get("name")) or _text(entry.get("author"))
    native_id = _text(person.get("href")) or _text(person.get("email")) or name
    if native_id is None:
        return _feed_as_author(feed, realm)
    return Author(
        key=author_key(NETWORK, native_id, realm),
        network=NETWORK,
        native_id=native_id,
        realm=realm,
        display_name=name or _text(person.get("email")),
        url=_web(person.get("href")),
        avatar_url=_web(person.get("avatar")),
    )


def _feed_as_author(feed: Json, realm: str) -> Author:
    native_id = realm or _text(feed.get("id")) or _text(feed.get("link")) or "feed"
    return Author(
        key=author_key(NETWORK, native_id, realm),
        network=NETWORK,
        native_id=native_id,
        realm=realm,
        display_name=_readable(_dict(feed.get("title_detail")) or {"value": feed.get("title")}),
        url=_web(feed.get("link")),
        avatar_url=_web(_dict(feed.get("image")).get("href")),
    )


# ------------------------------------------------------------------------------------------- what a hostile JSON may hold


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    if value.isascii() and value.isprintable():  # nothing to clean: the common case, and a quarter of the time
        return value.strip() or None
    return clean(value) or None


def _time(value: object) -> datetime | None:
    return parse_time(value) if isinstance(value, str) else None


def _count(value: object) -> int | None:
    """feedparser leaves extension elements as strings."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _address(value: object, realm: str) -> str | None:
    """A link, made whole with the feed's address; None where it does not lead into the web."""
    try:
        return _web(urljoin(realm, _text(value) or "")) if _text(value) else None
    except ValueError:
        return None


def _web(value: object) -> str | None:
    text = _text(value)
    return text if text and text.lower().startswith(("https://", "http://")) else None
