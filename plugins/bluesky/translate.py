"""Bluesky's JSON as signals: pure, own code over the JSON as the API gave it, so that no model of a client can reject it.

A post appears as a PostView, in a feed item, a notification, a thread, a bookmark, a record with its at-uri or a quoted
record: in each of them the *record* is what the author signed and the rest is the server's. Shapes: lexicons app.bsky.feed.defs,
app.bsky.notification.listNotifications, app.bsky.embed.*, com.atproto.repo.getRecord.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Any, TypeVar
from urllib.parse import quote

from msgspec.structs import replace

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
    SignalState,
    Tombstone,
    Translated,
)
from hub.sdk.text import parse_time, safe_html

NETWORK = "bluesky"
POST = "app.bsky.feed.post"
_THREAD_ITEM = "app.bsky.unspecced.defs#threadItemPost"
_APP = "https://bsky.app"
_CDN = {
    "image": "https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{cid}",
    "video": "https://video.bsky.app/watch/{did}/{cid}/playlist.m3u8",
}
_GONE = ("notFound", "blocked", "detached")
_HIDING = frozenset(("!hide", "!takedown"))
_LARGEST_COUNT = 2**63 - 1

Json = dict[str, Any]
T = TypeVar("T")


def translate(raw: RawItem, own: str = "") -> Translated | Ignored:
    """One post (and its repost where a feed says so), a profile, or a deletion; raises TranslationError where it is broken.

    `own` is our account's handle or DID, `raw.realm` the DID that read it: what we wrote is no customer's word.
    """
    item = read(raw.payload)
    if item.get("deleted") is True:
        return _tombstone(item, raw)
    view = _unwrap(item)
    if "record" not in view and "value" not in view and view.get("$type") == POST:
        view = {"uri": raw.external_id, "cid": raw.revision, "value": view}
    if ignored := _why_ignored(view):
        return Ignored(ignored)
    if _is_profile(view):
        return Translated(authors=(_author(view, view["did"]),))
    signal, did, handle = _signal(view, raw), _did(view), _str(_dict(view, "author"), "handle")
    if _is_ours(did, handle, own={own, raw.realm}):
        signal = replace(signal, origin="hub")
    authors = (_author(_dict(view, "author"), did),) if did else ()
    return _with_repost(item, Translated(signals=(signal,), authors=authors))


def _is_ours(did: str | None, handle: str | None, own: set[str]) -> bool:
    """True if the author is our account: by its DID, which stays, or its handle in whatever case, with or without @."""
    return did in own or (handle or "@").casefold() in {one.strip().removeprefix("@").casefold() for one in own}


def identify(payload: bytes) -> tuple[str, str]:
    """`(at-uri, cid)` of an item; of a repost those of the repost; empty strings where the item is broken."""
    try:
        item = read(payload)
    except TranslationError:
        return "", ""
    reason = _dict(item, "reason")
    view = reason if _str(reason, "uri") else _unwrap(item)
    return _str(view, "uri") or "", _str(view, "cid") or ""


def read(payload: bytes) -> Json:
    """The item as a JSON object; raises TranslationError where it is none."""
    try:
        item = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise TranslationError(f"the item is no JSON: {error}") from error
    if not isinstance(item, dict):
        raise TranslationError("the item is no JSON object")
    return item


def _dict(item: Json, name: str) -> Json:
    value = item.get(name)
    return value if isinstance(value, dict) else {}


def _str(item: Json, name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None


def _list(item: Json, name: str, kind: type[T]) -> list[T]:
    value = item.get(name)
    return [one for one in value if isinstance(one, kind) and one] if isinstance(value, list) else []


def _dicts(item: Json, name: str) -> list[Json]:
    return _list(item, name, dict)


def _count(item: Json, name: str) -> int | None:
    value = item.get(name)
    valid = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT
    return value if valid else None


def _path(segment: str) -> str:
    return quote(segment, safe=":()!*'@", errors="replace")


def _web(url: str | None) -> str | None:
    return url if url and url.startswith(("https://", "http://")) else None


def _unwrap(item: Json) -> Json:
    """The view of the post inside a feed item, a thread, a bookmark; the item itself where it is one.

    Never looks into a record: what stands there is the author's, who could forge another's post in it.
    """
    for _ in range(4):
        if isinstance(item.get("record"), dict):
            return item
        inner = next((found for name in ("post", "thread", "item") if (found := _dict(item, name))), None)
        value = _dict(item, "value")
        if inner is None and "depth" in item and "cid" not in item and value.get("$type") == _THREAD_ITEM:
            inner = value
        if inner is None:
            return item
        item = inner
    return item


def _record(view: Json) -> Json:
    return _dict(view, "record") or _dict(view, "value")


def _collection(uri: str) -> str:
    """The collection of an at-uri, "" where it is none (recorded answers hold placeholders)."""
    parts = uri.removeprefix("at://").split("/")
    return parts[1] if uri.startswith("at://") and len(parts) == 3 else ""


def _is_profile(view: Json) -> bool:
    return not _record(view) and "uri" not in view and bool(_str(view, "did") and _str(view, "handle"))


def _why_ignored(view: Json) -> str:
    """Why a view is no post of anybody; "" where it is one, or broken."""
    if gone := [flag for flag in _GONE if view.get(flag) is True]:
        return f"the post is not shown: {gone[0]}"
    record, collection = _record(view), _collection(_str(view, "uri") or "")
    kind = _str(record, "$type") if record else _str(view, "$type")
    if POST in (collection, kind) or _is_profile(view):
        return ""
    return f"{kind or collection} is no post" if kind or collection else ""


def _did(view: Json) -> str | None:
    """The author's DID: the view's author, else the repository that the at-uri names."""
    authority = (_str(view, "uri") or "").removeprefix("at://").partition("/")[0]
    return _str(_dict(view, "author"), "did") or (authority if authority.startswith("did:") else None)


def _tombstone(item: Json, raw: RawItem) -> Translated:
    uri = _str(item, "uri") or raw.external_id
    if not uri:
        raise TranslationError("the deletion names no post")
    at = parse_time(_str(item, "indexedAt")) or raw.received_at
    return Translated(tombstones=(Tombstone(key=signal_key(NETWORK, uri), reason="user_deleted", at=at),))


def _signal(view: Json, raw: RawItem) -> Signal:
    record = _record(view)
    uri, text = _str(view, "uri"), record.get("text")
    if not uri or not isinstance(text, str):
        raise TranslationError("the post has no text" if uri else "the item has no uri")
    did, (published, claimed) = _did(view), _times(view, raw.received_at)
    parent, root = _reply_refs(record)
    quoted = _quoted(record)
    mentions = _featured(record, "did")
    return Signal(
        key=signal_key(NETWORK, uri),
        network=NETWORK,
        native_id=uri,
        kind=_kind(parent, quoted, mentions),
        text=text,
        author_key=author_key(NETWORK, did) if did else None,
        published_at=published,
        observed_at=raw.received_at,
        url=_page(did, uri),
        html=_html(text, record),
        lang=next(iter(_list(record, "langs", str)), None),
        claimed_at=claimed,
        in_reply_to=signal_key(NETWORK, parent) if parent else None,
        conversation_key=signal_key(NETWORK, root) if root else None,
        quotes=signal_key(NETWORK, quoted) if quoted else None,
        mentions=tuple(author_key(NETWORK, one) for one in mentions),
        hashtags=tuple(dict.fromkeys(_featured(record, "tag") + _list(record, "tags", str))),
        media=tuple(_media(view, record, did)),
        counts=Counts(*(_count(view, f"{what}Count") for what in ("like", "reply", "repost", "quote"))),
        can_reply=_can_reply(view),
        state=_state(view),
        revision=_str(view, "cid") or "",
    )


def _times(view: Json, received: datetime) -> tuple[datetime, datetime | None]:
    """When it was said, and when its author claims that it was.

    The claim holds unless it lies after the moment at which the network saw the post (Bluesky docs, timestamps: sortAt) or
    comes from a clock that was never set; old claims stay, since people import their old posts.
    """
    claimed = parse_time(_str(_record(view), "createdAt"))
    seen = parse_time(_str(view, "indexedAt")) or received
    honest = claimed is not None and claimed <= seen and claimed.year > 1970
    return (claimed if honest and claimed else seen), claimed


def _kind(parent: str | None, quoted: str | None, mentions: list[str]) -> Kind:
    # By the record alone: a notification and a search must say the same of one post.
    return "reply" if parent else "quote" if quoted else "mention" if mentions else "post"


def _page(did: str | None, uri: str) -> str | None:
    rkey = uri.rpartition("/")[2]
    return f"{_APP}/profile/{_path(did)}/post/{_path(rkey)}" if did and rkey else None


def _reply_refs(record: Json) -> tuple[str | None, str | None]:
    """At-uris of parent and root; one stands in for the other where it is missing."""
    reply = _dict(record, "reply")
    parent, root = _str(_dict(reply, "parent"), "uri"), _str(_dict(reply, "root"), "uri")
    return parent or root, root or parent


def _quoted(record: Json) -> str | None:
    """The at-uri of the post that is quoted; embedded feeds, lists and labelers are no quotes."""
    embed = _dict(record, "embed")
    found = _dict(embed, "record")
    uri = _str(found, "uri") or _str(_dict(found, "record"), "uri")
    return uri if uri and _collection(uri) in ("", POST) else None


def _features(record: Json) -> Iterator[tuple[Json, Json]]:
    """Each facet's byte range with each of its features (mention, link, tag)."""
    for facet in _dicts(record, "facets"):
        for feature in _dicts(facet, "features"):
            yield _dict(facet, "index"), feature


def _featured(record: Json, name: str) -> list[str]:
    """The DIDs (`did`) or tags (`tag`) of the facets, each once."""
    return list(dict.fromkeys(value for _, feature in _features(record) if (value := _str(feature, name))))


def _href(feature: Json) -> str | None:
    if did := _str(feature, "did"):
        return f"{_APP}/profile/{_path(did)}"
    if tag := _str(feature, "tag"):
        return f"{_APP}/hashtag/{_path(tag)}"
    return _web(_str(feature, "uri"))


def _html(text: str, record: Json) -> str | None:
    """The text with its facets as links, None without facets: the app cuts long links in the text, here they are whole."""
    data = text.encode("utf-8", "replace")
    spans = sorted(_spans(record, len(data)))
    if not spans:
        return None
    parts, at = [], 0
    for start, end, href in spans:
        if start >= at:  # of two facets over the same bytes the first counts, as in the app
            label = escape(data[start:end].decode("utf-8", "replace"))
            parts += [escape(data[at:start].decode("utf-8", "replace")), f'<a href="{escape(href)}">{label}</a>']
            at = end
    parts.append(escape(data[at:].decode("utf-8", "replace")))
    return safe_html("".join(parts).replace("\n", "<br>"))


def _spans(record: Json, size: int) -> Iterator[tuple[int, int, str]]:
    """Ranges of UTF-8 bytes (not characters: lexicon app.bsky.richtext.facet) with the link of each."""
    for index, feature in _features(record):
        start, end, href = _count(index, "byteStart"), _count(index, "byteEnd"), _href(feature)
        if start is not None and end is not None and start < end <= size and href:
            yield start, end, href


def _can_reply(view: Json) -> CanReply:
    """What the thread gate and blocks allow the reading account; unknown where the answer does not tell."""
    viewer, theirs = _dict(view, "viewer"), _dict(_dict(view, "author"), "viewer")
    if viewer.get("replyDisabled") is True or theirs.get("blockedBy") is True:
        return "no"
    if viewer:
        return "yes"
    return "no" if _dict(_dict(view, "threadgate"), "record").get("allow") == [] else "unknown"


def _state(view: Json) -> SignalState:
    labels = _dicts(view, "labels")
    hidden = any(_str(label, "val") in _HIDING and label.get("neg") is not True for label in labels)
    return "hidden" if hidden else "live"


def _media(view: Json, record: Json, did: str | None) -> Iterator[Media]:
    """Attachments as the server shows them, else out of the record (a notification holds nothing else)."""
    shown = [_dict(view, "embed"), *_dicts(view, "embeds")]
    found = [media for embed in shown for media in _embedded(embed, did)]
    yield from found or _embedded(_dict(record, "embed"), did)


def _embedded(embed: Json, did: str | None) -> Iterator[Media]:
    match (_str(embed, "$type") or "").removesuffix("#view"):
        case "app.bsky.embed.images" | "app.bsky.embed.gallery":
            yield from _files("image", _dicts(embed, "images") or _dicts(embed, "items"), did)
        case "app.bsky.embed.video":
            yield from _files("video", [embed], did)
        case "app.bsky.embed.external":
            card = _dict(embed, "external")
            if url := _web(_str(card, "uri")):
                yield Media(kind="link", url=url, alt=_str(card, "title"))
        case "app.bsky.embed.recordWithMedia":
            media = _dict(embed, "media")
            if "recordWithMedia" not in (_str(media, "$type") or ""):  # else a hostile record nests for ever
                yield from _embedded(media, did)


def _files(kind: str, items: list[Json], did: str | None) -> Iterator[Media]:
    """Images or a video: where the view shows no URL, Bluesky's own CDN has the blob."""
    for item in items:
        blob = _dict(item, kind)
        cid = _str(_dict(blob, "ref"), "$link") or _str(blob, "cid")  # blobs of 2022 hold the CID itself
        made = _CDN[kind].format(did=_path(did), cid=_path(cid)) if did and cid else None
        if url := _web(_str(item, "fullsize") or _str(item, "playlist")) or made:
            yield Media(kind=kind, url=url, alt=_str(item, "alt"), mime=_str(blob, "mimeType"))


def _author(profile: Json, did: str) -> Author:
    handle = _str(profile, "handle")
    verified = _str(_dict(profile, "verification"), "verifiedStatus")
    # Bots label themselves (Bluesky docs, bots): anybody else's label is an opinion.
    bot = any(label.get("val") == "bot" and label.get("src") == did for label in _dicts(profile, "labels"))
    return Author(
        key=author_key(NETWORK, did),
        network=NETWORK,
        native_id=did,
        handle=None if handle == "handle.invalid" else handle,
        display_name=_str(profile, "displayName"),
        url=f"{_APP}/profile/{_path(did)}",
        avatar_url=_web(_str(profile, "avatar")),
        bio=_str(profile, "description"),
        followers=_count(profile, "followersCount"),
        verified=None if verified is None else verified == "valid",
        is_bot=True if bot else None,
    )


def _with_repost(item: Json, post: Translated) -> Translated:
    """The post, and where a feed shows it because somebody reposted it, the repost: a signal of its own, by that account."""
    reason = _dict(item, "reason")
    uri, by = _str(reason, "uri"), _dict(reason, "by")
    did = _str(by, "did")
    if reason.get("$type") != "app.bsky.feed.defs#reasonRepost" or not uri or not did:
        return post
    original = post.signals[0]
    repost = Signal(
        key=signal_key(NETWORK, uri),
        network=NETWORK,
        native_id=uri,
        kind="repost",
        text=original.text,
        author_key=author_key(NETWORK, did),
        published_at=parse_time(_str(reason, "indexedAt")) or original.observed_at,
        observed_at=original.observed_at,
        url=original.url,
        lang=original.lang,
        quotes=original.key,
        revision=_str(reason, "cid") or "",
    )
    authors = {author.key: author for author in (_author(by, did), *post.authors)}
    return Translated(signals=(original, repost), authors=tuple(authors.values()))
