"""Answers to posts: who may be answered, the record that is written, and its key, the same for every attempt.

By Bluesky's documentation: "Posts" (a reply names root and parent by at-uri and CID), "Links, mentions, and rich text" (facets
count UTF-8 bytes), lexicon app.bsky.feed.post (300 graphemes, 3,000 bytes), "Bots" (interact only when tagged).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from unicodedata import category

from hub import Context, Rejected, RemoteRef, Reply, Retryable, TranslationError
from hub.sdk.doc import Doc
from hub.sdk.replies import Length
from plugins.bluesky.client import BlueskyClient, Json, parts_of
from plugins.bluesky.config import BlueskyOptions
from plugins.bluesky.translate import POST

LENGTH = Length(300, bytes_a_unit=10)  # 300 graphemes, and 3,000 bytes
_MOST_MENTIONS = 10
_LONGEST_TAG = 64
_LINK = re.compile(r"(?<![\w@/])https?://\w[^\s<>\"]*", re.IGNORECASE)
_MENTION = re.compile(
    r"(?<![\w/@.])@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)", re.IGNORECASE
)
_TAG = re.compile(r"(?<!\S)[#＃]([^\s#＃\u200b-\u200d\u2060\u00ad]+)")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")

_SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"
_FIRST_MICROSECOND = 1_672_531_200_000_000  # 2023: keys in the future, or before Bluesky, would look odd
_MICROSECONDS = 63_072_000_000_000  # two years


def record_key(key: str) -> str:
    """Return a TID (13 sortable base32 characters: a time in microseconds and 10 more bits) that follows from the reply's key."""
    number = int.from_bytes(sha256(key.encode()).digest()[:16], "big")
    time, clock = _FIRST_MICROSECOND + number // 1024 % _MICROSECONDS, number % 1024
    tid = time << 10 | clock
    return "".join(_SORTABLE[tid >> shift & 31] for shift in range(60, -1, -5))


def handles_in(text: str) -> list[str]:
    """Return the handles that a text mentions, each once, in lower case."""
    return list(dict.fromkeys(found[1].lower() for found in _MENTION.finditer(text)))[:_MOST_MENTIONS]


def facets(text: str, dids: Mapping[str, str]) -> list[Any]:
    """Return links, mentions (of handles whose DID is known) and hashtags of a text as atproto's facets, in order."""
    from atproto import client_utils  # noqa: PLC0415 - for those who write only: it takes two seconds

    # It counts the UTF-8 bytes: text is handed over piece by piece.
    builder, at = client_utils.TextBuilder(), 0
    for start, end, kind, value in sorted(_spans(text, dids)):
        builder.text(text[at:start])
        getattr(builder, kind)(text[start:end], value)
        at = end
    return list(builder.build_facets())


def _spans(text: str, dids: Mapping[str, str]) -> Iterator[tuple[int, int, str, str]]:
    """Yield from where to where a feature goes, its kind and its value."""
    for found in _LINK.finditer(text):
        link = _without_end(found[0])
        yield found.start(), found.start() + len(link), "link", link
    for found in _MENTION.finditer(text):
        if did := dids.get(found[1].lower()):
            yield found.start(), found.end(), "mention", did
    for found in _TAG.finditer(text):
        tag = _without_end(found[1])
        if tag and not tag.isdigit() and len(tag) <= _LONGEST_TAG:
            yield found.start(), found.start(1) + len(tag), "tag", tag


def _without_end(found: str) -> str:
    """Drop the punctuation that ends the sentence; a closing bracket stays if it was opened inside."""
    while found and category(found[-1])[0] == "P" and found[-1] not in "/_":
        if found[-1] == ")" and found.count("(") >= found.count(")"):
            break
        found = found[:-1]
    return found


def why_not(view: Doc, own: str, *, tagged: bool) -> tuple[str, str] | None:
    """Return `(code, reason)` why we may not answer a post, None if we may; `tagged`: we know that it called us."""
    if view.get("author.viewer.blockedBy") is True or view.get("author.viewer.blocking"):
        return "blocked", "its author and we do not see each other: one of us blocks the other"
    if view.get("viewer.replyDisabled") is True:
        return "gate", "the author of the thread's first post does not let us answer in it"
    if not tagged and not calls_us(view.doc("record"), own):
        reason = "it neither mentions, answers nor quotes us: Bluesky lets bots answer only where they are called"
        return "not_tagged", reason
    return None


def calls_us(record: Doc, own: str) -> bool:
    """Return True if a post mentions our account, answers a post of ours (or in our thread), or quotes one."""
    refs = ("reply.parent", "reply.root", "embed.record", "embed.record.record")
    if any((record.exact(f"{path}.uri") or "").startswith(f"at://{own}/") for path in refs):
        return True
    features = (feature for facet in record.docs("facets") for feature in facet.docs("features"))
    return any(feature.get("did") == own for feature in features)


def strong_ref(ref: Doc) -> Json | None:
    """Return the reference by at-uri and CID, None if one of them is missing."""
    uri, cid = ref.exact("uri"), ref.exact("cid")
    return {"uri": uri, "cid": cid} if uri and cid else None


class BlueskyAnswers:
    """Posts answers as our account, for one call of the engine."""

    def __init__(self, ctx: Context, options: BlueskyOptions) -> None:
        self._ctx = ctx
        self._options = options
        self._client = BlueskyClient(options, ctx)

    def post(self, reply: Reply) -> RemoteRef:
        """Create the record; where one stands under its key already, that is the post."""
        if reply.attempt > 1 and (found := self.find(reply)):
            return found
        LENGTH.check(reply.text, "Bluesky")
        record = self._record(reply, self._parent(reply))
        try:
            return self._ref(self._client.create(self._uri(reply), record))
        except (Retryable, Rejected):
            # Bluesky's server answers 500 if the key is taken, by an attempt of which we know nothing.
            if found := self.find(reply):
                return found
            raise

    def find(self, reply: Reply) -> RemoteRef | None:
        """Return the post under the reply's key. Raises Rejected if that is an answer to something else."""
        found = self._client.record(self._uri(reply))
        if found is None:
            return None
        if found.get("value.reply.parent.uri") != reply.to.native_id:
            raise Rejected("another post has the key of this answer", code="key_taken")
        return self._ref(self._uri(reply))

    def _uri(self, reply: Reply) -> str:
        return f"at://{self._client.did}/{POST}/{record_key(reply.key)}"

    def _ref(self, uri: str) -> RemoteRef:
        return RemoteRef(uri, f"https://bsky.app/profile/{self._client.did}/post/{uri.rpartition('/')[2]}")

    def _parent(self, reply: Reply) -> Doc:
        """Return the post as Bluesky shows it to us now. Raises Rejected if it may not be answered."""
        view = shown(self._client, reply.to.native_id)
        tagged = self._options.reply_to_all or self._was_notified(reply)
        if refused := why_not(view, self._client.did, tagged=tagged):
            raise Rejected(refused[1], code=refused[0])
        return view

    def _was_notified(self, reply: Reply) -> bool:
        """Return True if the item came to this account as a mention, an answer or a quote."""
        if reply.raw is None or reply.raw.source != self._ctx.connection:
            return False
        try:
            item = Doc.read(reply.raw.payload)
        except TranslationError:
            return False
        return item.get("uri") == reply.to.native_id and item.get("reason") in ("mention", "reply", "quote")

    def _record(self, reply: Reply, parent: Doc) -> Json:
        ref = strong_ref(parent)
        if ref is None:
            raise Rejected("Bluesky gives no CID of the post", code="no_cid")
        from atproto import models  # noqa: PLC0415 - for those who write only
        from atproto_client.models.utils import get_model_as_dict  # noqa: PLC0415 - the same

        refs = {"root": self._root(parent) or ref, "parent": ref}
        labels = models.ComAtprotoLabelDefs.SelfLabels(values=[models.ComAtprotoLabelDefs.SelfLabel(val="bot")])
        record = models.AppBskyFeedPost.Record(
            text=reply.text,
            created_at=stamp(self._ctx.now()),
            reply=models.AppBskyFeedPost.ReplyRef(**refs),
            facets=facets(reply.text, self._dids(reply)) or None,
            langs=[reply.to.lang] if _LANGUAGE.fullmatch(reply.to.lang or "") else None,
            labels=labels if self._options.bot_label else None,
        )
        # The lexicon's references have no type of their own, though atproto's models write one.
        return {**get_model_as_dict(record), "reply": refs}

    def _root(self, parent: Doc) -> Json | None:
        """Return the thread's first post, None if that is the parent. Who began the thread may block us too."""
        named = parent.doc("record.reply.root")
        uri = named.exact("uri") or ""
        if not parts_of(uri):
            return None
        first = self._client.shown(uri)
        if first is None and _stands(self._client, uri):
            raise Rejected("the author of the thread's first post blocks us", code="blocked")
        return strong_ref(named) or strong_ref(first or Doc({}))

    def _dids(self, reply: Reply) -> dict[str, str]:
        """Return the DIDs of the handles in the text; the author's is known without asking."""
        author = reply.author
        known = {author.handle.lower(): author.native_id} if author and author.handle else {}
        found = {handle: known.get(handle) or self._client.resolve(handle) for handle in handles_in(reply.text)}
        return {handle: did for handle, did in found.items() if did}


def shown(client: BlueskyClient, uri: str) -> Doc:
    """Return the post as it is shown to us. Raises Rejected if it is gone, or hidden from us by a block."""
    if (view := client.shown(uri)) is not None:
        return view
    if parts_of(uri) and _stands(client, uri):
        raise Rejected("the post is not shown to us: its author or the thread's blocks us", code="blocked")
    raise Rejected("the post is gone", code="gone")


def _stands(client: BlueskyClient, uri: str) -> bool:
    try:
        return client.record(uri) is not None
    except Rejected:  # the whole account is gone, or suspended
        return False


def stamp(at: datetime) -> str:
    """Return a time as Bluesky writes it: UTC, milliseconds, Z."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
