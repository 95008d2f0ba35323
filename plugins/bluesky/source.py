"""Bluesky as a source: the account's mentions, searches, and threads that are followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from hub import (
    Act,
    Compliance,
    Context,
    Ignored,
    Limit,
    Outcome,
    RawItem,
    RemoteRef,
    Reply,
    ReplyRules,
    Signal,
    Tombstone,
    Translated,
    Upsert,
)
from hub.sdk.streams import ByTime, Stream, StreamItem, StreamPage, StreamsSource
from hub.sdk.text import parse_time
from plugins.bluesky import translate
from plugins.bluesky.acts import ACTS, perform
from plugins.bluesky.client import POSTS_A_CALL, BlueskyClient, ListAnswer, ThreadNode
from plugins.bluesky.config import BlueskyOptions
from plugins.bluesky.erasure import find_gone
from plugins.bluesky.reply import LENGTH, BlueskyAnswers, stamp

REASONS = ("mention", "reply", "quote")
# Posts turn up in a search minutes after their time; what is read twice is dropped by its key.
OVERLAP = timedelta(minutes=15)


class _Head(msgspec.Struct, rename="camel", frozen=True):
    """What a stream must know of an item; everything else is translate's."""

    uri: str = ""
    cid: str = ""
    indexed_at: str = ""
    reason: str = ""


class BlueskySource(StreamsSource[BlueskyOptions]):
    """Reads notifications, searches and threads of the AppView through the account's PDS."""

    name = "bluesky"
    network = translate.NETWORK
    libraries = ("atproto",)
    Options = BlueskyOptions
    capabilities = ACTS | {"mentions", "search", "threads", "backfill"}
    compliance = Compliance(
        delete_within=timedelta(hours=24), terms="https://docs.bsky.app/docs/support/developer-guidelines"
    )
    interval: ClassVar[timedelta] = timedelta(seconds=60)
    limits = (Limit(3000, 300),)  # Bluesky docs, "Rate limits": a PDS counts by address
    reply_rules = ReplyRules(max_length=LENGTH.most)
    reply_idempotency = Upsert()  # the record's key is made of the reply's
    recheck_size = POSTS_A_CALL

    def egress(self) -> tuple[str, ...]:
        """Return the service, and Bluesky's own PDS hosts, on one of which an account of bsky.social lives."""
        return (urlsplit(self.options.service).hostname or "", "*.bsky.network", "*.bsky.social")

    def check(self, ctx: Context) -> str:
        """Read the newest notifications: what every poll needs; makes no session if one is kept."""
        BlueskyClient(self.options, ctx).notifications(REASONS)
        return f"{self.options.handle} at {self.options.service}"

    def translate(self, raw: RawItem) -> Translated | Ignored:
        """Translate one post; ours are marked as such, by the account that it was read as. See `plugins.bluesky.translate`."""
        return translate.translate(raw, own=self.options.handle)

    def identify(self, payload: bytes) -> tuple[str, str]:
        """Return at-uri and CID."""
        return translate.identify(payload)

    def streams(self, ctx: Context) -> Iterator[Stream]:
        """Yield mentions, then each search, then each thread."""
        client = BlueskyClient(self.options, ctx)
        recent = ByTime(OVERLAP, timedelta(hours=self.options.backfill_hours))
        fetches: dict[str, tuple[Callable[[Any, Any], StreamPage], ByTime]] = {}
        if self.options.mentions:
            fetches["mentions"] = (partial(_mentions, client), recent)
        for query in self.options.searches:
            fetches[f"search:{query}"] = (partial(_search, client, query), recent)
        for uri in self.options.threads:
            fetches[f"thread:{uri}"] = (partial(_thread, client, uri), ByTime(OVERLAP))
        for name, (fetch, order) in fetches.items():
            # A view tells what the account that asks may do with a post.
            yield Stream(name, fetch, order, newest_first=True, most_pages=self.options.max_pages, realm=client.did)

    def measure(self, text: str) -> int:
        """Count graphemes, or a tenth of the UTF-8 bytes if that is more: Bluesky takes 300 and 3,000 of them."""
        return LENGTH.of(text)

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        """Post under a record key that follows from the reply's: a repeat finds the post that is there."""
        return BlueskyAnswers(ctx, self.options).post(reply)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        """Return the record under the reply's key."""
        return BlueskyAnswers(ctx, self.options).find(reply)

    def act(self, ctx: Context, act: Act) -> Outcome:
        """Like, take a like back, delete a post of ours, hide an answer in a thread of ours, show it again."""
        return perform(ctx, self.options, act) if act.kind in ACTS else super().act(ctx, act)

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        """Return posts and reposts whose records are gone, though their authors are not merely suspended or away."""
        return find_gone(ctx, self.options, signals)


def _mentions(client: BlueskyClient, _since: datetime | None, more: Any) -> StreamPage:
    # An older AppView does not know `reasons` and sends likes and follows too.
    return _page(client.notifications(REASONS, cursor=more), reasons=("", *REASONS))


def _search(client: BlueskyClient, query: str, since: datetime, more: Any) -> StreamPage:
    return _page(client.search(query, since=stamp(since), cursor=more))


def _thread(client: BlueskyClient, uri: str, _since: datetime | None, _more: Any) -> StreamPage:
    """Return the posts of a thread, in one answer; the first poll takes them all, however old."""
    nodes, found = [client.thread(uri)], []
    while nodes:
        node = nodes.pop()
        found += [_look_at(node.post)[0]] if bytes(node.post) else []
        nodes += [_node(reply) for reply in node.replies or ()]
    return StreamPage(found)


def _page(answer: ListAnswer, reasons: Sequence[str] = ()) -> StreamPage:
    looked = [_look_at(raw) for raw in answer.posts or answer.notifications or ()]
    last = next((item.place for item, _ in reversed(looked) if item.place), None)
    return StreamPage([item for item, reason in looked if not reasons or reason in reasons], answer.cursor, last=last)


def _node(raw: msgspec.Raw) -> ThreadNode:
    try:
        return msgspec.json.decode(raw, type=ThreadNode)
    except msgspec.DecodeError:
        return ThreadNode(post=raw)  # kept as an item that translate refuses, so that it can be looked at


def _look_at(raw: msgspec.Raw) -> tuple[StreamItem, str]:
    """Return an item with the time at which the server saw it, and the reason of a notification; a broken one harms no other."""
    payload = bytes(raw)
    try:
        head = msgspec.json.decode(payload, type=_Head)
    except (msgspec.DecodeError, RecursionError):
        return StreamItem(payload), ""
    return StreamItem(payload, parse_time(head.indexed_at), head.uri, head.cid), head.reason
