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
from hub.core.model import Author, Counts, Media, Rating, RawItem, Signal, Translated
from hub.core.ratings import parse_rating
from hub.sdk.attachments import had
from hub.sdk.doc import Doc, load
from hub.sdk.text import clean

NETWORK = "rss"

Json = dict[str, Any]

_HTML = ("text/html", "application/xhtml+xml")
_READABLE = (*_HTML, "text/plain", "")


def translate(raw: RawItem) -> Translated:
    """Translate one signal and its author. Raises TranslationError if the payload is none of ours."""
    document = decode(raw.payload)
    entry, feed = Doc(document["entry"]), Doc(document).doc("feed")
    author = _author(entry, feed, raw.realm)
    native_id = native_id_of(document)
    published, updated = _times(entry)
    edited = bool(updated and published and updated > published)
    html, text = _body(entry)
    title = _title(entry)
    parent, rating = entry.text("thr_in-reply-to.ref"), _rating(entry)
    media, told = had(_media(entry))
    parent_key = signal_key(NETWORK, parent, raw.realm) if parent else None
    signal = Signal(
        key=signal_key(NETWORK, native_id, raw.realm),
        network=NETWORK,
        native_id=native_id,
        realm=raw.realm,
        kind="comment" if parent else "review" if rating else "article",
        text=text or title or "",
        html=html,
        title=title,
        lang=_language(entry, feed),
        author_key=author.key,
        published_at=published or updated or raw.received_at,
        observed_at=raw.received_at,
        updated_at=updated if edited else None,
        state="edited" if edited else "live",
        url=_address(_link(entry), raw.realm),
        in_reply_to=parent_key,
        conversation_key=parent_key,
        hashtags=tuple(term for tag in entry.docs("tags") if (term := tag.text("term"))),
        media=media,
        rating=rating,
        counts=Counts(replies=_count(entry.get("slash_comments")) or _count(entry.get("thr_total"))),
        can_reply="no",
    )
    return Translated((signal,), (author,), left_out=told)


def decode(payload: bytes) -> Json:
    """Return the payload's JSON. Raises TranslationError if it is no entry."""
    document = load(payload)
    if not isinstance(document, dict) or not isinstance(document.get("entry"), dict):
        raise TranslationError('not an entry of a feed: {"entry": {...}} is expected')
    return document


def native_id_of(document: Json) -> str:
    """Return the entry's id, else its link, else the SHA-256 of title and date (of the text where it has neither)."""
    entry = Doc(document["entry"])
    own = None if document.get("id_reused") else entry.text("id")
    if found := own or entry.text("link"):
        return found
    basis = (entry.text("title") or "") + (entry.text("published", "updated", "created") or "") or _body(entry)[1]
    return sha256(basis.encode("utf-8", "replace")).hexdigest()


def content_of(document: Json) -> str:
    """Return what makes an entry's content, as one string: a change of anything else (counts, dates) is no update."""
    entry = Doc(document["entry"])
    return json.dumps(
        [_title(entry), _body(entry)[1], entry.text("link"), sorted(one.url for one in _media(entry) if one)]
    )


def published_of(document: Json) -> datetime | None:
    """Return when the entry came out, None if it does not say."""
    published, updated = _times(Doc(document["entry"]))
    return published or updated


def _times(entry: Doc) -> tuple[datetime | None, datetime | None]:
    # feedparser takes the names of most zones for UTC and knows the months of few languages.
    published = entry.time("published", "published_parsed", "created", "created_parsed")
    return published, entry.time("updated", "updated_parsed")


def _title(entry: Doc) -> str | None:
    return _readable(entry.doc("title_detail") or Doc({"value": entry.get("title")}))


def _body(entry: Doc) -> tuple[str | None, str]:
    """Return `(sanitised HTML or None, plain text)` of the content, else of the summary."""
    parts = [part for part in entry.docs("content") if str(part.get("type") or "") in _READABLE]
    if summary := entry.doc("summary_detail"):
        parts.append(summary if summary.get("type") in _READABLE else Doc({**summary.data, "type": "text/html"}))
    elif not entry.get("content"):  # else feedparser has copied the content
        parts.append(Doc({"value": entry.get("summary"), "type": "text/html"}))
    for part in parts:
        if (part.exact("value") or "").strip():
            return (part.html("value") if part.get("type") in _HTML else None), _readable(part) or ""
    return None, ""


def _readable(part: Doc) -> str | None:
    return part.plain("value") or None if part.get("type") in _HTML else part.text("value")


def _language(entry: Doc, feed: Doc) -> str | None:
    parts = [*entry.docs("content"), entry.doc("summary_detail"), entry.doc("title_detail"), entry, feed]
    found = next((lang for part in parts if (lang := part.text("language"))), None)
    return found.replace("_", "-") if found else None


def _media(entry: Doc) -> Iterator[Media | None]:
    """Yield enclosures, Media RSS and the entry's image, each address once; None for one that is not in the web."""
    image = Doc({"type": "image/*"})
    found = [(link.get("href"), link) for link in entry.docs("links") if link.get("rel") == "enclosure"]
    found += [(part.get("url"), part) for part in entry.docs("media_content")]
    found += [(part.get("url"), image) for part in entry.docs("media_thumbnail")]
    found += [(entry.get("image.href"), image)]
    seen = set()
    for address, part in found:
        url, mime = _web(address), part.text("type", "medium") or ""
        if url is None and address:
            yield None
        elif url and url not in seen:
            seen.add(url)
            family = mime.partition("/")[0]
            kind = family if family in ("image", "video", "audio") else "file"
            yield Media(kind, url, mime=mime if "/" in mime and "*" not in mime else None)


def _author(entry: Doc, feed: Doc, realm: str) -> Author:
    """Return who wrote the entry by its address, e-mail or name, unique within the feed; else the feed itself."""
    people = [entry.doc("author_detail"), *entry.docs("authors")]
    person = next((found for found in people if any(map(found.get, ("href", "email", "name")))), Doc({}))
    name = person.text("name") or entry.text("author")
    native_id = person.text("href", "email") or name
    if native_id is None:
        return _feed_as_author(feed, realm)
    return Author(
        key=author_key(NETWORK, native_id, realm),
        network=NETWORK,
        native_id=native_id,
        realm=realm,
        display_name=name or person.text("email"),
        url=_web(person.get("href")),
        avatar_url=_web(person.get("avatar")),
    )


def _feed_as_author(feed: Doc, realm: str) -> Author:
    native_id = realm or feed.text("id", "link") or "feed"
    return Author(
        key=author_key(NETWORK, native_id, realm),
        network=NETWORK,
        native_id=native_id,
        realm=realm,
        display_name=_title(feed),
        url=_web(feed.get("link")),
        avatar_url=_web(feed.get("image.href")),
    )


def _rating(entry: Doc) -> Rating | None:
    """Return the stars of a review: of the App Store (`im:rating`), Google's shops (`g:rating`, `gd:rating`) or schema.org."""
    found = (entry.get(name) for name in ("im_rating", "gd_rating", "g_rating", "schema_ratingvalue", "review_rating"))
    return next((rating for one in found if (rating := parse_rating(one))), None)


def _count(value: object) -> int | None:
    """Read a number, which feedparser leaves a string in extension elements."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _link(entry: Doc) -> str | None:
    """Return the entry's link: feedparser takes each guid for one that does not say that it is none."""
    link = entry.text("link")
    is_guid = entry.get("guidislink") is True and link == entry.text("id")
    return None if is_guid and link and not _web(link) and not link.startswith("/") else link


def _address(link: str | None, realm: str) -> str | None:
    """Return a link, made whole with the feed's address; None if it does not lead into the web."""
    try:
        return _web(urljoin(realm, link)) if link else None
    except ValueError:
        return None


def _web(value: object) -> str | None:
    """Return an address of the web; feeds write schemes in capitals too."""
    text = clean(value) if isinstance(value, str) else ""
    return text if text.lower().startswith(("https://", "http://")) else None
