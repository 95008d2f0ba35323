"""A Status, Notification or Conversation of the Mastodon API as a signal with its author. Pure.

Fields as the Mastodon documentation gives them (entities Status, Account, Notification, Conversation, Quote). A local id
never enters a key: it means something on its own instance only. Hence `in_reply_to` stays empty: the API names a parent by
its local id alone, so post and parent carry alias keys of their instance, by which the engine joins them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from hub.core.errors import TranslationError
from hub.core.keys import author_key, signal_key
from hub.core.model import (
    Author,
    CanReply,
    Counts,
    Ignored,
    Kind,
    Media,
    RawItem,
    Signal,
    Tombstone,
    Translated,
    Visibility,
)
from hub.sdk.text import clean, html_to_text, parse_time, safe_html

NETWORK = "mastodon"

Json = dict[str, Any]

# An unknown visibility is taken as the narrowest one, so that nothing leaks because a server invents a word.
_VISIBILITY: dict[str, Visibility] = {
    "public": "public",
    "unlisted": "unlisted",
    "private": "followers",
    "mutuals_only": "followers",
    "local": "followers",
    "list": "followers",
    "direct": "direct",
}
_QUOTE_INLINE = re.compile(r"<(p|span) class=\"quote-inline\">")
_MEDIA = {"image": "image", "gifv": "video", "video": "video", "audio": "audio"}

# Of these notifications the status is what somebody said; of all others it is our own post or nobody's.
_TALKING = frozenset(("mention", "status", "update", "poll", "quote", "quoted_update"))


def translate(raw: RawItem, own_account: str | None = None) -> Translated | Ignored:
    """What a payload says: one signal and its author, a tombstone, or nothing.

    Raises TranslationError where the payload has not the form of the API.
    """
    entity = _decode(raw.payload)
    shape = _shape(entity)
    if shape == "deleted":
        return _tombstone(entity, raw.received_at)
    if shape == "notification":
        return _notification(entity, raw, own_account)
    if shape == "conversation":
        status = entity.get("last_status")
        if not isinstance(status, dict):
            return Ignored("conversation without a status")
        return _status(status, raw, own_account, kind="message")
    return _status(entity, raw, own_account)


def identify(payload: bytes) -> tuple[str, str]:
    """`(external_id, revision)`: the entity's form and local id, and the time of the status's last edit."""
    entity = _decode(payload)
    shape = _shape(entity)
    if shape == "deleted":
        return f"deleted:{entity.get('id') or entity.get('uri')}", str(entity.get("deleted") or "")
    inner = {"notification": "status", "conversation": "last_status"}.get(shape)
    status = _dict(entity.get(inner)) if inner else entity
    edited = _text(status.get("edited_at")) or ""
    revision = f"{status.get('id', '')} {edited}".strip() if shape == "conversation" else edited
    return f"{shape}:{entity.get('id', '')}", revision


def _decode(payload: bytes) -> Json:
    try:
        entity = json.loads(payload)
        if b"\\ud" in payload.lower():  # half of a surrogate pair stops every database and every client further on
            entity = json.loads(json.dumps(entity, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise TranslationError(f"not JSON: {str(error)[:200]}") from error
    if not isinstance(entity, dict):
        raise TranslationError("not a JSON object")
    return entity


def _shape(entity: Json) -> Literal["deleted", "notification", "conversation", "status"]:
    if entity.get("type") == "Tombstone" or (entity.get("deleted") and "uri" in entity):
        return "deleted"
    if "uri" in entity:
        return "status"
    if "last_status" in entity:
        return "conversation"
    return "notification" if isinstance(entity.get("type"), str) and "account" in entity else "status"


def _tombstone(entity: Json, observed_at: datetime) -> Translated:
    """ActivityStreams' Tombstone, which an instance answers under the `uri` of a deleted post, or a marked status."""
    uri = _text(entity.get("id") if entity.get("type") == "Tombstone" else entity.get("uri"))
    if not uri:
        raise TranslationError("a tombstone without the uri of its post")
    deleted = entity.get("deleted")
    at = (parse_time(deleted) if isinstance(deleted, str) else None) or observed_at
    return Translated(tombstones=(Tombstone(signal_key(NETWORK, uri), "user_deleted", at),))


def _notification(entity: Json, raw: RawItem, own: str | None) -> Translated | Ignored:
    type_, status = entity["type"], entity.get("status")
    if type_ not in _TALKING:
        return Ignored(f"notification of type {type_[:40]}")
    if not isinstance(status, dict):
        return Ignored(f"notification of type {type_} without a status")
    return _status(status, raw, own, kind="mention" if type_ == "mention" else None)


def _status(status: Json, raw: RawItem, own: str | None, *, kind: Kind | None = None) -> Translated:
    """The signal and author of a status; `kind` says how it came to us where that tells more than its form."""
    uri = _text(status.get("uri"))
    published = _time(status.get("created_at"))
    if not uri or published is None:
        raise TranslationError("a status without uri or created_at")
    account = _dict(status.get("account"))
    author, native_id = _author(account), _native_id(status, uri)
    html = _html(status)
    edited = _time(status.get("edited_at"))
    signal = Signal(
        key=signal_key(NETWORK, native_id),
        network=NETWORK,
        native_id=native_id,
        kind=kind or ("mention" if _mentions(status, own) else _kind(status)),
        text=html_to_text(html),
        html=safe_html(html) or None,
        title=_text(status.get("spoiler_text")),
        lang=_text(status.get("language")),
        author_key=author.key,
        published_at=published,
        observed_at=raw.received_at,
        updated_at=edited,
        state="edited" if edited else "live",
        revision=_text(status.get("edited_at")) or "",
        url=_web(status.get("url")) or _web(uri),
        quotes=_quoted(status),
        mentions=tuple(author_key(NETWORK, url) for url in _values(status, "mentions", "url")),
        hashtags=tuple(_values(status, "tags", "name")),
        media=tuple(_media(status)),
        visibility=_VISIBILITY.get(str(status.get("visibility")), "direct"),
        counts=_counts(status),
        can_reply=_can_reply(status),
        origin="hub" if _is_own(account, own) else "source",
        aliases=tuple(_alias(status.get("id"), raw)),
        parent_alias=next(_alias(status.get("in_reply_to_id"), raw), None),
    )
    return Translated((signal,), (author,))


def _html(status: Json) -> str:
    """The content without the line that repeats a quoted post's address for servers that show no quotes."""
    content = status.get("content")
    html = content if isinstance(content, str) else ""
    found = _QUOTE_INLINE.search(html) if _quoted(status) else None
    end = html.find(f"</{found[1]}>", found.end()) if found else -1
    return html if found is None or end < 0 else html[: found.start()] + html[end + len(f"</{found[1]}>") :]


def _alias(local_id: object, raw: RawItem) -> Iterator[str]:
    """The key of a local id, unique within its instance (where the raw item does not name it: within its source)."""
    if (found := _text(str(local_id) if isinstance(local_id, int) else local_id)) is not None:
        yield signal_key(NETWORK, found, raw.realm or f"source {raw.source}")


def _kind(status: Json) -> Kind:
    if isinstance(status.get("reblog"), dict):
        return "repost"
    if status.get("in_reply_to_id"):
        return "reply"
    return "quote" if isinstance(status.get("quote"), dict) else "post"


def _mentions(status: Json, own: str | None) -> bool:
    """True if our account is mentioned, which no timeline says: a post must mean the same by whatever way it came."""
    if isinstance(status.get("reblog"), dict):
        return False
    return any(_is_own(one, own) for one in _list(status.get("mentions")))


def _quoted(status: Json) -> str | None:
    """The key of the boosted or quoted status; a quote that is pending, refused or shallow names none."""
    boosted = _dict(status.get("reblog"))
    quote = _dict(status.get("quote"))
    quoted = _dict(quote.get("quoted_status")) or quote  # Akkoma gives the status itself
    uri = _text((boosted or quoted).get("uri"))
    return signal_key(NETWORK, uri) if uri else None


def _can_reply(status: Json) -> CanReply:
    """GoToSocial's interaction policy may narrow it; a boost is no post that could be answered."""
    if isinstance(status.get("reblog"), dict):
        return "unknown"
    rule = _dict(_dict(status.get("interaction_policy")).get("can_reply"))
    if not rule:
        return "yes"
    allowed = {*_strings(rule.get("always")), *_strings(rule.get("automatic_approval"))}
    return "yes" if allowed & {"public", "me"} else "unknown"


def _counts(status: Json) -> Counts:
    return Counts(
        likes=_count(status.get("favourites_count")),
        replies=_count(status.get("replies_count")),
        shares=_count(status.get("reblogs_count")),
        quotes=_count(status.get("quotes_count")),
    )


def _media(status: Json) -> Iterator[Media]:
    """Attachments; the preview card is left out, for it appears only seconds after the post and would look like an edit."""
    for entry in _list(status.get("media_attachments")):
        url = _web(entry.get("url")) or _web(entry.get("remote_url")) or _web(entry.get("preview_url"))
        if url:
            yield Media(_MEDIA.get(str(entry.get("type")), "file"), url, _text(entry.get("description")))


def _author(account: Json) -> Author:
    """The account; `uri` came with Mastodon 4.2, before it the profile's address has to serve."""
    native_id = _text(account.get("uri")) or _text(account.get("url"))
    if not native_id:
        raise TranslationError("a status without an account that has a uri or url")
    bot = account.get("bot")
    return Author(
        key=author_key(NETWORK, native_id),
        network=NETWORK,
        native_id=native_id,
        handle=_handle(account),
        display_name=_text(account.get("display_name")) or _text(account.get("username")),
        url=_web(account.get("url")),
        avatar_url=_web(account.get("avatar")),
        bio=html_to_text(_text(account.get("note")) or "") or None,
        followers=_count(account.get("followers_count")),
        is_bot=bot if isinstance(bot, bool) else None,
    )


def _handle(account: Json) -> str | None:
    """`user@domain`; the API leaves the domain out for accounts of the instance that was asked."""
    acct = _text(account.get("acct"))
    if acct is None or "@" in acct:
        return acct
    domain = _host(account.get("url")) or _host(account.get("uri"))
    return f"{acct}@{domain}" if domain else acct


def _native_id(status: Json, uri: str) -> str:
    """The status's `uri`; a boost that bears the boosted post's own (Pleroma, WordPress) is named by who boosts it."""
    boosted = status.get("reblog")
    if not isinstance(boosted, dict) or _text(boosted.get("uri")) != uri:
        return uri
    account = _dict(status.get("account"))
    return f"{_text(account.get('uri')) or _text(account.get('url'))}#boosts/{uri}"


def _is_own(account: Json, own: str | None) -> bool:
    """True if an account is ours by its name, address or id, in whatever case: servers do not tell `Acme` from `acme`."""
    wanted = _name(own)
    names = (*(account.get(name) for name in ("acct", "uri", "url", "id")), _handle(account))
    return bool(wanted) and wanted in map(_name, names)


def _name(value: object) -> str:
    return str(value).strip().removeprefix("@").rstrip("/").casefold() if isinstance(value, str | int) else ""


# ------------------------------------------------------------------------------------------- what a hostile JSON may hold


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _values(status: Json, field: str, name: str) -> list[str]:
    return [value for entry in _list(status.get(field)) if (value := _text(entry.get(name)))]


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    if value.isascii() and value.isprintable():  # nothing to clean: the common case, and a quarter of the time
        return value.strip() or None
    return clean(value) or None


def _time(value: object) -> datetime | None:
    return parse_time(value) if isinstance(value, str) else None


def _count(value: object) -> int | None:
    """A count; -1 stands for a hidden one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _web(value: object) -> str | None:
    text = _text(value)
    return text if text and text.startswith(("https://", "http://")) else None


def _host(value: object) -> str | None:
    try:
        return urlsplit(value).netloc or None if isinstance(value, str) else None
    except ValueError:
        return None
