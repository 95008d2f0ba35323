"""Bluesky's JSON as signals: pure, own code over the JSON as the API gave it, so that no model of a client can reject it.

A post appears as a PostView, in a feed item, a notification, a thread, a bookmark, a record with its at-uri or a quoted
record: in each of them the *record* is what the author signed and the rest is the server's. Shapes: lexicons app.bsky.feed.defs,
app.bsky.notification.listNotifications, app.bsky.embed.*, com.atproto.repo.getRecord.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape
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
from hub.sdk.attachments import had
from hub.sdk.doc import Doc
from hub.sdk.text import safe_html

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


def translate(raw: RawItem, own: str = "") -> Translated | Ignored:
    """Translate one post (and its repost, if a feed says so), a profile, or a deletion. Raises TranslationError if it is broken.

    `own` is our account's handle or DID, `raw.realm` the DID that read it: what we wrote is no customer's word.
    """
    item = Doc.read(raw.payload)
    if item.get("deleted") is True:
        return _tombstone(item, raw)
    view = _unwrap(item)
    if "record" not in view.data and "value" not in view.data and view.get("$type") == POST:
        view = Doc({"uri": raw.external_id, "cid": raw.revision, "value": view.data})
    if ignored := _why_ignored(view):
        return Ignored(ignored)
    if _is_profile(view):
        return Translated(authors=(_author(view, view.data["did"]),))
    signal, did, handle = _signal(view, raw), _did(view), view.exact("author.handle")
    if _is_ours(did, handle, own={one for one in (own, raw.realm) if one}):
        signal = replace(signal, origin="hub")
    authors = (_author(view.doc("author"), did),) if did else ()
    said = Translated(signals=(signal,), authors=authors, left_out=had(_media(view))[1])
    return _with_repost(item, said)


def _is_ours(did: str | None, handle: str | None, own: set[str]) -> bool:
    """Return True if the author is our account: by its DID, which stays, or its handle in whatever case, with or without @."""
    return did in own or (handle or "@").casefold() in {one.strip().removeprefix("@").casefold() for one in own}


def identify(payload: bytes) -> tuple[str, str]:
    """Return `(at-uri, cid)` of an item; of a repost those of the repost; empty strings if the item is broken."""
    try:
        item = Doc.read(payload)
    except TranslationError:
        return "", ""
    view = item.doc("reason") if item.exact("reason.uri") else _unwrap(item)
    return view.exact("uri") or "", view.exact("cid") or ""


def _path(segment: str) -> str:
    return quote(segment, safe=":()!*'@", errors="replace")


def _unwrap(item: Doc) -> Doc:
    """Return the view of the post inside a feed item, a thread, a bookmark; the item itself if it is one.

    Never looks into a record: what stands there is the author's, who could forge another's post in it.
    """
    for _ in range(4):
        if isinstance(item.get("record"), dict):
            return item
        inner = next((found for name in ("post", "thread", "item") if (found := item.doc(name))), None)
        value = item.doc("value")
        if inner is None and "depth" in item.data and "cid" not in item.data and value.get("$type") == _THREAD_ITEM:
            inner = value
        if inner is None:
            return item
        item = inner
    return item


def _record(view: Doc) -> Doc:
    return view.doc("record") or view.doc("value")


def _collection(uri: str) -> str:
    """Return the collection of an at-uri, "" if it is none (recorded answers hold placeholders)."""
    parts = uri.removeprefix("at://").split("/")
    return parts[1] if uri.startswith("at://") and len(parts) == 3 else ""


def _is_profile(view: Doc) -> bool:
    return not _record(view) and "uri" not in view.data and bool(view.exact("did") and view.exact("handle"))


def _why_ignored(view: Doc) -> str:
    """Say why a view is no post of anybody; "" if it is one, or broken."""
    if gone := [flag for flag in _GONE if view.get(flag) is True]:
        return f"the post is not shown: {gone[0]}"
    record, collection = _record(view), _collection(view.exact("uri") or "")
    kind = (record or view).exact("$type")
    if POST in (collection, kind) or _is_profile(view):
        return ""
    return f"{kind or collection} is no post" if kind or collection else ""


def _did(view: Doc) -> str | None:
    """Return the author's DID: the view's author, else the repository that the at-uri names."""
    authority = (view.exact("uri") or "").removeprefix("at://").partition("/")[0]
    return view.exact("author.did") or (authority if authority.startswith("did:") else None)


def _tombstone(item: Doc, raw: RawItem) -> Translated:
    uri = item.exact("uri") or raw.external_id
    if not uri:
        raise TranslationError("the deletion names no post")
    at = item.time("indexedAt") or raw.received_at
    return Translated(tombstones=(Tombstone(key=signal_key(NETWORK, uri), reason="user_deleted", at=at),))


def _signal(view: Doc, raw: RawItem) -> Signal:
    record = _record(view)
    uri, text = view.exact("uri"), record.get("text")
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
        lang=next(iter(_strings(record, "langs")), None),
        claimed_at=claimed,
        in_reply_to=signal_key(NETWORK, parent) if parent else None,
        conversation_key=signal_key(NETWORK, root) if root else None,
        quotes=signal_key(NETWORK, quoted) if quoted else None,
        mentions=tuple(author_key(NETWORK, one) for one in mentions),
        hashtags=tuple(dict.fromkeys(_featured(record, "tag") + _strings(record, "tags"))),
        media=had(_media(view))[0],
        counts=Counts(*(view.count(f"{what}Count") for what in ("like", "reply", "repost", "quote"))),
        can_reply=_can_reply(view),
        state=_state(view),
        revision=view.exact("cid") or "",
    )


def _strings(record: Doc, name: str) -> list[str]:
    """Return the texts of a list, letter for letter."""
    found = record.get(name)
    return [one for one in found if isinstance(one, str) and one] if isinstance(found, list) else []


def _times(view: Doc, received: datetime) -> tuple[datetime, datetime | None]:
    """Return when it was said, and when its author claims that it was.

    The claim holds unless it lies after the moment at which the network saw the post (Bluesky docs, timestamps: sortAt) or
    comes from a clock that was never set; old claims stay, since people import their old posts.
    """
    claimed = _record(view).time("createdAt")
    seen = view.time("indexedAt") or received
    honest = claimed is not None and claimed <= seen and claimed.year > 1970
    return (claimed if honest and claimed else seen), claimed


def _kind(parent: str | None, quoted: str | None, mentions: list[str]) -> Kind:
    # By the record alone: a notification and a search must say the same of one post.
    return "reply" if parent else "quote" if quoted else "mention" if mentions else "post"


def _page(did: str | None, uri: str) -> str | None:
    rkey = uri.rpartition("/")[2]
    return f"{_APP}/profile/{_path(did)}/post/{_path(rkey)}" if did and rkey else None


def _reply_refs(record: Doc) -> tuple[str | None, str | None]:
    """Return the at-uris of parent and root; one stands in for the other if that is missing."""
    parent, root = record.exact("reply.parent.uri"), record.exact("reply.root.uri")
    return parent or root, root or parent


def _quoted(record: Doc) -> str | None:
    """Return the at-uri of the post that is quoted; embedded feeds, lists and labelers are no quotes."""
    uri = record.exact("embed.record.uri") or record.exact("embed.record.record.uri")
    return uri if uri and _collection(uri) in ("", POST) else None


def _features(record: Doc) -> Iterator[tuple[Doc, Doc]]:
    """Yield each facet's byte range with each of its features (mention, link, tag)."""
    for facet in record.docs("facets"):
        for feature in facet.docs("features"):
            yield facet.doc("index"), feature


def _featured(record: Doc, name: str) -> list[str]:
    """Return the DIDs (`did`) or tags (`tag`) of the facets, each once."""
    return list(dict.fromkeys(value for _, feature in _features(record) if (value := feature.exact(name))))


def _href(feature: Doc) -> str | None:
    if did := feature.exact("did"):
        return f"{_APP}/profile/{_path(did)}"
    if tag := feature.exact("tag"):
        return f"{_APP}/hashtag/{_path(tag)}"
    return feature.web("uri")


def _html(text: str, record: Doc) -> str | None:
    """Return the text with its facets as links, None without facets: the app cuts long links in the text, here they are whole."""
    data = text.encode("utf-8", "replace")
    spans = sorted(_spans(record, data))
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


def _spans(record: Doc, data: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield ranges of UTF-8 bytes (not characters: lexicon app.bsky.richtext.facet) with the link of each."""
    for index, feature in _features(record):
        start, end, href = index.count("byteStart"), index.count("byteEnd"), _href(feature)
        if start is None or end is None or not start < end <= len(data):
            continue
        if href and not _is_inside(data, start) and not _is_inside(data, end):
            yield start, end, href


def _is_inside(data: bytes, place: int) -> bool:
    """Return True if a place lies inside a character: a client that counts otherwise would cut it in two."""
    return place < len(data) and data[place] & 0xC0 == 0x80


def _can_reply(view: Doc) -> CanReply:
    """Return what the thread gate and blocks allow the reading account; unknown where the answer does not tell."""
    if view.get("viewer.replyDisabled") is True or view.get("author.viewer.blockedBy") is True:
        return "no"
    if view.doc("viewer"):
        return "yes"
    return "no" if view.get("threadgate.record.allow") == [] else "unknown"


def _state(view: Doc) -> SignalState:
    hidden = any(label.exact("val") in _HIDING and label.get("neg") is not True for label in view.docs("labels"))
    return "hidden" if hidden else "live"


def _media(view: Doc) -> list[Media | None]:
    """Return attachments as the server shows them, else out of the record (a notification holds nothing else)."""
    shown, did = [view.doc("embed"), *view.docs("embeds")], _did(view)
    found = [media for embed in shown for media in _embedded(embed, did)]
    return found if any(found) else list(_embedded(_record(view).doc("embed"), did))


def _embedded(embed: Doc, did: str | None) -> Iterator[Media | None]:
    match (embed.exact("$type") or "").removesuffix("#view"):
        case "app.bsky.embed.images" | "app.bsky.embed.gallery":
            yield from _files("image", embed.docs("images") or embed.docs("items"), did)
        case "app.bsky.embed.video":
            yield from _files("video", [embed], did)
        case "app.bsky.embed.external":
            url = embed.web("external.uri")
            yield Media(kind="link", url=url, alt=embed.exact("external.title")) if url else None
        case "app.bsky.embed.recordWithMedia":
            media = embed.doc("media")
            if "recordWithMedia" not in (media.exact("$type") or ""):  # else a hostile record nests for ever
                yield from _embedded(media, did)


def _files(kind: str, items: list[Doc], did: str | None) -> Iterator[Media | None]:
    """Yield images or a video, None for one without an address: if the view shows none, Bluesky's own CDN has the blob."""
    for item in items:
        blob = item.doc(kind)
        cid = blob.exact("ref.$link") or blob.exact("cid")  # blobs of 2022 hold the CID itself
        made = _CDN[kind].format(did=_path(did), cid=_path(cid)) if did and cid else None
        url = item.web("fullsize", "playlist") or made
        yield Media(kind=kind, url=url, alt=item.exact("alt"), mime=blob.exact("mimeType")) if url else None


def _author(profile: Doc, did: str) -> Author:
    handle = profile.exact("handle")
    verified = profile.exact("verification.verifiedStatus")
    # Bots label themselves (Bluesky docs, bots): anybody else's label is an opinion.
    bot = any(label.get("val") == "bot" and label.get("src") == did for label in profile.docs("labels"))
    return Author(
        key=author_key(NETWORK, did),
        network=NETWORK,
        native_id=did,
        handle=None if handle == "handle.invalid" else handle,
        display_name=profile.exact("displayName"),
        url=f"{_APP}/profile/{_path(did)}",
        avatar_url=profile.web("avatar"),
        bio=profile.exact("description"),
        followers=profile.count("followersCount"),
        verified=None if verified is None else verified == "valid",
        is_bot=True if bot else None,
    )


def _with_repost(item: Doc, post: Translated) -> Translated:
    """Return the post, and where a feed shows it because it was reposted, the repost: a signal of its own by that account."""
    reason = item.doc("reason")
    uri, did = reason.exact("uri"), reason.exact("by.did")
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
        published_at=reason.time("indexedAt") or original.observed_at,
        observed_at=original.observed_at,
        url=original.url,
        lang=original.lang,
        quotes=original.key,
        revision=reason.exact("cid") or "",
    )
    authors = {author.key: author for author in (_author(reason.doc("by"), did), *post.authors)}
    return replace(post, signals=(original, repost), authors=tuple(authors.values()))
