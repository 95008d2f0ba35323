"""A body's fields to a Signal, by a mapping file or the usual names. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from hub.core.errors import TooManyItems, TranslationError
from hub.core.keys import digest, own_author_key
from hub.core.model import RawItem, Translated
from hub.sdk.doc import Doc, load
from hub.sdk.fields import FIELDS, Fields, translated

NETWORK = re.compile(r"[A-Za-z0-9_-]{1,31}")
MOST_ITEMS = 10_000
"""Items of one body: 2 MB hold 300,000 empty ones, each of which would become a row."""
USUAL: dict[str, tuple[str, ...]] = {
    "native_id": ("id", "uri", "guid"),
    "network": ("network",),
    "kind": ("kind", "type"),
    "text": ("text", "body", "message"),
    "html": ("html",),
    "title": ("title", "subject"),
    "url": ("url", "link"),
    "lang": ("lang", "language"),
    "published_at": ("published_at", "created_at", "date"),
    "updated_at": ("updated_at", "edited_at"),
    "in_reply_to": ("in_reply_to",),
    "shared": ("shared_id", "share_of", "repost_of", "shared.id"),
    "rating": (
        *(
            "rating",
            "reviewRating",
            "review_rating",
            "ratingValue",
            "rating_value",
            "star_rating",
            "starRating",
            "stars",
        ),
        "review.rating",
    ),
    "rating_best": (
        "rating_best",
        "bestRating",
        "best_rating",
        "max_rating",
        "maxRating",
        "rating_max",
        "rating_scale",
    ),
    "conversation": ("conversation_id", "thread_id"),
    "hashtags": ("hashtags", "tags"),
    "media": (
        *(
            "media",
            "attachments",
            "attachment",
            "images",
            "image",
            "image_url",
            "photos",
            "photo",
            "pictures",
            "picture",
        ),
        *("video", "videos", "video_url", "audio", "audio_url", "files", "file", "file_url"),
        *("gif", "sticker", "voice", "document", "documents", "media_url", "photo_url", "picture_url"),
    ),
    "visibility": ("visibility",),
    "author_id": ("author.id", "author.handle", "author.name", "author"),
    "author_handle": ("author.handle", "author.username"),
    "author_name": ("author.name", "author.display_name"),
    "author_url": ("author.url",),
    "author_followers": ("author.followers", "author.followers_count"),
    "author_verified": ("author.verified",),
    "likes": ("counts.likes",),
    "replies": ("counts.replies",),
    "shares": ("counts.shares", "counts.reposts"),
    "quotes": ("counts.quotes",),
    "views": ("counts.views",),
}


def compile_reader(written: Mapping[str, Any]) -> Fields:
    """Return a reader of bodies: the usual names, replaced by what the mapping file's `[fields.NAME]` tables say.

    Raises ValueError that names the field.
    """
    fields = written.get("fields", {})
    if not isinstance(fields, Mapping):
        raise ValueError("fields: this must be a table: write [fields]")  # noqa: TRY004 - what is wrong is a file
    unknown = [name for name in (*written, *fields) if name not in {"fields", *USUAL, *FIELDS}]
    if unknown:
        raise ValueError(
            f"unknown in the mapping: {', '.join(unknown)}; known fields: {', '.join(dict.fromkeys((*USUAL, *FIELDS)))}"
        )
    return Fields.compile(fields, usual=USUAL, templates=True)


def parse(body: bytes) -> list[bytes]:
    """Return the objects in a body: one, or a list of them. Raises TranslationError."""
    found = load(body, "the body")
    if isinstance(found, dict):
        return [body]
    if isinstance(found, list):
        if len(found) > MOST_ITEMS:
            raise TooManyItems(f"a body of {len(found)} items: send at most {MOST_ITEMS} at once")
        return [msgspec.json.encode(one) for one in found]
    raise TranslationError("the body is neither a JSON object nor a list of them")


def translate(raw: RawItem, reader: Fields, *, network: str) -> Translated:
    """Make one object one Signal with its Author. Raises TranslationError if the id is missing, or all that it could say."""
    body = Doc.read(raw.payload)
    try:
        said = reader.read(body, {})
    except ValueError as error:
        raise TranslationError(f"the mapping cannot be applied: {error}") from None
    named = said.get("network")
    network = named if isinstance(named, str) else network
    if not NETWORK.fullmatch(network):
        raise TranslationError(f"'{network[:40]}' is no name of a network (letters, digits, - and _, at most 31)")
    said.setdefault("author_handle", said.get("author_id"))
    return translated(said, raw, reader, network=network, key_of_author=own_author_key)


def batch_id(keys: list[str]) -> str:
    """Return one id for one batch: the same records under the same keys give the same id."""
    return "msg_" + digest(*keys)
