"""A Status, Notification or Conversation of the Mastodon API as a signal with its author. Pure.

Fields as the Mastodon documentation gives them (entities Status, Account, Notification, Conversation, Quote). A local id
never enters a key: it means something on its own instance only. Hence `in_reply_to` stays empty: the API names a parent by
its local id alone, so post and parent carry alias keys of their instance, by which the engine joins them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Literal
from unicodedata import normalize
from urllib.parse import urlsplit

from hub.core.errors import TranslationError
from hub.core.grammar.fold import plain
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
from hub.sdk.attachments import had
from hub.sdk.doc import Doc
from hub.sdk.text import html_to_text, safe_html

NETWORK = "mastodon"

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
# What servers call it: Mastodon, Misskey and Akkoma; Mitra; Fedibird.
_QUOTE_INLINE = re.compile(
    r"<(p|span|div)\b[^<>]{0,300}\bclass=[\"']?[^<>\"']{0,300}(?<![\w-])(?:quote-inline|inline-quote|reference-link-inline)"
    r"(?![\w-])[^<>]{0,300}>",
    re.IGNORECASE,
)
_QUOTE_LINE = (
    r"(?:<br ?/?>\s*){{0,4}}(?:<span>\s*)?(?:RE|QT|RT): ?(?:</span>\s*)?"
    r"<a\b[^<>]{{0,300}}\bhref=[\"'](?:{})[\"'][^<>]{{0,300}}>"
)
_ADDRESS = re.compile(r"(?:https?://)?([^/@]+)/(?:web/)?(?:@|users/)([^/@]+)(?:@([^/@]+))?")
_ENCODED = re.compile(r"xn--[a-z0-9-]+")
_MEDIA = {"image": "image", "gifv": "video", "video": "video", "audio": "audio"}

# Of these notifications the status is what a person said; of all others it is our own post or no one's.
_TALKING = frozenset(("mention", "status", "update", "poll", "quote", "quoted_update"))


def translate(raw: RawItem, own_account: str | None = None) -> Translated | Ignored:
    """Return what a payload says: one signal and its author, a tombstone, or nothing.

    Raises TranslationError if the payload has not the form of the API.
    """
    entity = Doc.read(raw.payload, "the item")
    shape = _shape(entity)
    if shape == "deleted":
        return _tombstone(entity, raw.received_at)
    if shape == "notification":
        return _notification(entity, raw, own_account)
    if shape == "conversation":
        if not isinstance(entity.get("last_status"), dict):
            return Ignored("conversation without a status")
        return _status(entity.doc("last_status"), raw, own_account, kind="message")
    return _status(entity, raw, own_account)


def identify(payload: bytes) -> tuple[str, str]:
    """Return `(external_id, revision)`: the entity's form and local id, and the time of the status's last edit."""
    entity = Doc.read(payload, "the item")
    shape = _shape(entity)
    if shape == "deleted":
        return f"deleted:{entity.get('id') or entity.get('uri')}", str(entity.get("deleted") or "")
    inner = {"notification": "status", "conversation": "last_status"}.get(shape)
    status = entity.doc(inner) if inner else entity
    edited = status.text("edited_at") or ""
    revision = f"{status.get('id')} {edited}".strip() if shape == "conversation" else edited
    return f"{shape}:{entity.get('id')}", revision


def _shape(entity: Doc) -> Literal["deleted", "notification", "conversation", "status"]:
    if entity.get("type") == "Tombstone" or (entity.get("deleted") and "uri" in entity.data):
        return "deleted"
    if "uri" in entity.data:
        return "status"
    if "last_status" in entity.data:
        return "conversation"
    return "notification" if isinstance(entity.get("type"), str) and "account" in entity.data else "status"


def _tombstone(entity: Doc, observed_at: datetime) -> Translated:
    """Translate ActivityStreams' Tombstone, which an instance answers under a deleted post's `uri`, or a marked status."""
    uri = entity.need("id" if entity.get("type") == "Tombstone" else "uri")
    at = entity.time("deleted") if isinstance(entity.get("deleted"), str) else None
    return Translated(tombstones=(Tombstone(signal_key(NETWORK, uri), "user_deleted", at or observed_at),))


def _notification(entity: Doc, raw: RawItem, own: str | None) -> Translated | Ignored:
    type_ = entity.data["type"]
    if type_ not in _TALKING:
        return Ignored(f"notification of type {type_[:40]}")
    if not isinstance(entity.get("status"), dict):
        return Ignored(f"notification of type {type_} without a status")
    return _status(entity.doc("status"), raw, own, kind="mention" if type_ == "mention" else None)


def _status(status: Doc, raw: RawItem, own: str | None, *, kind: Kind | None = None) -> Translated:
    """Return the signal and author of a status; `kind` says how it came to us where that tells more than its form."""
    uri, published = status.need("uri", "reblog.uri"), status.time("created_at")
    if published is None:
        raise TranslationError("a status without created_at")
    account = status.doc("account")
    author, native_id = _author(account), _native_id(status, uri)
    html, edited = _html(status), status.time("edited_at")
    media, left_out = had(_media(status))
    signal = Signal(
        key=signal_key(NETWORK, native_id),
        network=NETWORK,
        native_id=native_id,
        kind=kind or ("mention" if _mentions(status, own) else _kind(status)),
        text=html_to_text(html),
        html=safe_html(html) or None,
        title=status.text("spoiler_text"),
        lang=status.text("language"),
        author_key=author.key,
        published_at=published,
        observed_at=raw.received_at,
        updated_at=edited,
        state="edited" if edited else "live",
        revision=status.text("edited_at") or "",
        url=status.web("url", "uri"),
        quotes=_quoted(status),
        mentions=tuple(author_key(NETWORK, url) for one in status.docs("mentions") if (url := one.text("url"))),
        hashtags=tuple(name for tag in status.docs("tags") if (name := tag.text("name"))),
        media=media,
        visibility=_VISIBILITY.get(str(status.get("visibility")), "direct"),
        counts=Counts(
            likes=status.count("favourites_count"),
            replies=status.count("replies_count"),
            shares=status.count("reblogs_count"),
            quotes=status.count("quotes_count"),
        ),
        can_reply=_can_reply(status),
        origin="hub" if _is_own(account, own) else "source",
        aliases=tuple(_alias(status.id("id"), raw)),
        parent_alias=next(_alias(status.id("in_reply_to_id"), raw), None),
    )
    return Translated((signal,), (author,), left_out=left_out)


# Akkoma gives the quoted status itself, Pleroma as an extension, or its address only.
_QUOTED = ("quote.quoted_status.uri", "quote.uri", "pleroma.quote.uri", "pleroma.quote_url")
_QUOTES = (*_QUOTED, "quote.quoted_status.url", "quote.url", "pleroma.quote.url")


def _html(status: Doc) -> str:
    """Return the content without the line that repeats a quoted post's address for servers that show no quotes."""
    html = status.exact("content") or ""
    if _is_boost(status) or not _quoted(status):
        return html
    found, name = _QUOTE_INLINE.search(html), ""
    if found:
        name = found[1]
    elif addresses := [re.escape(escape(one)) for path in _QUOTES if (one := status.text(path))]:
        found, name = re.search(_QUOTE_LINE.format("|".join(addresses)), html, re.IGNORECASE), "a"
    end = _end_of(html, name, found.end()) if found else -1
    return html if found is None or end < 0 else html[: found.start()] + html[end:]


def _end_of(html: str, name: str, at: int) -> int:
    """Return where an element ends that has begun before `at`, -1 if it does not; others of its name may stand in it."""
    depth = 1
    for tag in re.finditer(rf"<(/?){name}\b[^<>]*>", html[at:], re.IGNORECASE):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return at + tag.end()
    return -1


def _has_quote(status: Doc) -> bool:
    return isinstance(status.get("quote"), dict) or _quoted(status) is not None


def _alias(local_id: str, raw: RawItem) -> Iterator[str]:
    """Return the key of a local id, unique within its instance (where the raw item does not name it: within its source)."""
    if local_id:
        yield signal_key(NETWORK, local_id, raw.realm or f"source {raw.source}")


def _is_boost(status: Doc) -> bool:
    return isinstance(status.get("reblog"), dict)


def _kind(status: Doc) -> Kind:
    if _is_boost(status):
        return "repost"
    if status.get("in_reply_to_id"):
        return "reply"
    return "quote" if _has_quote(status) else "post"


def _mentions(status: Doc, own: str | None) -> bool:
    """Return True if our account is mentioned, which no timeline says: a post must mean the same by whatever way it came."""
    return not _is_boost(status) and any(_is_own(one, own) for one in status.docs("mentions"))


def _quoted(status: Doc) -> str | None:
    """Return the key of the boosted or quoted status; a quote that is pending, refused or shallow names none."""
    uri = status.text(*("reblog.uri",) if _is_boost(status) else _QUOTED)
    return signal_key(NETWORK, uri) if uri else None


def _can_reply(status: Doc) -> CanReply:
    """Return what GoToSocial's interaction policy leaves of it; a boost is no post that could be answered."""
    if _is_boost(status):
        return "unknown"
    rule = status.doc("interaction_policy.can_reply")
    if not rule:
        return "yes"
    allowed = {*rule.strings("always"), *rule.strings("automatic_approval")}
    return "yes" if allowed & {"public", "me"} else "unknown"


def _media(status: Doc) -> list[Media | None]:
    """Return attachments; the preview card is left out: it appears only seconds after the post and would look like an edit."""
    return [_attachment(entry) for entry in status.docs("media_attachments")]


def _attachment(entry: Doc) -> Media | None:
    url = entry.web("url", "remote_url", "preview_url")
    return Media(_MEDIA.get(str(entry.get("type")), "file"), url, entry.text("description")) if url else None


def _author(account: Doc) -> Author:
    """Return the account; `uri` came with Mastodon 4.2, before it the profile's address has to serve."""
    native_id = account.text("uri", "url")
    if not native_id:
        raise TranslationError("a status without an account that has a uri or url")
    return Author(
        key=author_key(NETWORK, native_id),
        network=NETWORK,
        native_id=native_id,
        handle=_handle(account),
        display_name=account.text("display_name", "username"),
        url=account.web("url"),
        avatar_url=account.web("avatar"),
        bio=html_to_text(account.text("note") or "") or None,
        followers=account.count("followers_count"),
        is_bot=account.flag("bot"),
    )


def _handle(account: Doc) -> str | None:
    """Return `user@domain`; the API leaves the domain out for accounts of the instance that was asked."""
    acct = account.text("acct")
    if acct is None or "@" in acct:
        return acct
    domain = _host(account.exact("url")) or _host(account.exact("uri"))
    return f"{acct}@{domain}" if domain else acct


def _native_id(status: Doc, uri: str) -> str:
    """Return the status's `uri`; a boost that bears the boosted post's own (Pleroma, WordPress) is named by who boosts it."""
    if not _is_boost(status) or status.text("reblog.uri") not in (uri, None):
        return uri
    return f"{status.text('account.uri', 'account.url')}#boosts/{uri}"


def _is_own(account: Doc, own: str | None) -> bool:
    """Return True if an account is ours by its name, address or id, in whatever case: servers do not tell `Acme` from `acme`."""
    wanted = _name(own)
    address = _ADDRESS.fullmatch(wanted)
    # A mention bears no id of the account; a page may show an account of another server.
    also = f"{address[2]}@{address[3] or address[1]}" if address else wanted
    if address and address[3]:
        wanted = also
    names = {_name(name) for name in (*(account.id(name) for name in ("acct", "uri", "url", "id")), _handle(account))}
    return bool(wanted) and not names.isdisjoint((wanted, also))


def _name(value: str | None) -> str:
    """Return a name as servers compare them: without case and what cannot be seen, and with the letters of its domain."""
    name = normalize("NFKC", plain(value or "")).strip().casefold().removeprefix("acct:").lstrip("@").rstrip("/.")
    return _ENCODED.sub(_decoded, name) if "xn--" in name else name


def _decoded(label: re.Match[str]) -> str:
    try:
        return label[0].encode().decode("idna")
    except UnicodeError:
        return label[0]


def _host(value: str | None) -> str | None:
    try:
        return urlsplit(value or "").netloc or None
    except ValueError:
        return None
