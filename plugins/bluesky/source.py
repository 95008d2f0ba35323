"""Bluesky as a source: the account's mentions, searches, and threads that somebody follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from hub import (
    Compliance,
    Context,
    Ignored,
    Limit,
    Page,
    PollingSource,
    RawItem,
    Rejected,
    RemoteRef,
    Reply,
    ReplyRules,
    Signal,
    Tombstone,
    Translated,
    Upsert,
)
from hub.core.keys import digest
from hub.sdk.text import parse_time
from plugins.bluesky import translate
from plugins.bluesky.client import PAGE, POSTS_A_CALL, BlueskyClient, ListAnswer, ThreadNode
from plugins.bluesky.config import BlueskyOptions
from plugins.bluesky.erasure import find_gone
from plugins.bluesky.reply import LONGEST, Answers, measure, stamp

REASONS = ("mention", "reply", "quote")
# Posts turn up in a search minutes after their time; what is read twice is dropped by its key.
OVERLAP = timedelta(minutes=15)


class _Head(msgspec.Struct, rename="camel", frozen=True):
    """What `pull` must know of an item; everything else is translate's."""

    uri: str = ""
    cid: str = ""
    indexed_at: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """An item as the API gave it, and when the server saw it (None where it is broken)."""

    payload: bytes
    head: _Head
    seen: datetime | None


_Read = Callable[[datetime], list[_Found]]


class BlueskySource(PollingSource[BlueskyOptions]):
    """Reads notifications, searches and threads of the AppView through the account's PDS."""

    name = "bluesky"
    network = translate.NETWORK
    Options = BlueskyOptions
    capabilities = frozenset(("mentions", "search", "threads", "backfill"))
    compliance = Compliance(
        delete_within=timedelta(hours=24), terms="https://docs.bsky.app/docs/support/developer-guidelines"
    )
    interval: ClassVar[timedelta] = timedelta(seconds=60)
    limits = (Limit(3000, 300),)  # Bluesky docs, "Rate limits": a PDS counts by address
    reply_rules = ReplyRules(max_length=LONGEST)
    reply_idempotency = Upsert()  # the record's key is made of the reply's
    recheck_size = POSTS_A_CALL

    def egress(self) -> tuple[str, ...]:
        """The service, and Bluesky's own PDS hosts, on one of which an account of bsky.social lives."""
        return (urlsplit(self.options.service).hostname or "", "*.bsky.network", "*.bsky.social")

    def check(self, ctx: Context) -> str:
        """Read the newest notifications: what every poll needs; makes no session where one is kept."""
        BlueskyClient(self.options, ctx).notifications(REASONS)
        return f"{self.options.handle} at {self.options.service}"

    def translate(self, raw: RawItem) -> Translated | Ignored:
        """One post; ours are marked as such. See `plugins.bluesky.translate`."""
        return translate.translate(raw, own=self.options.handle)

    def identify(self, payload: bytes) -> tuple[str, str]:
        """At-uri and CID."""
        return translate.identify(payload)

    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """Mentions, then each search, then each thread; the cursor maps each to the time up to which it was read.

        One that Bluesky refuses (a query that it cannot parse, a thread that is gone) does not keep the others from being
        read: its error is raised at the end.
        """
        marks = dict(cursor) if isinstance(cursor, dict) else {}
        refused: list[Rejected] = []
        for name, read in _Reader(self.options, ctx).streams():
            try:
                yield from self._pull_stream(ctx, marks, name=name, read=read)
            except Rejected as error:
                ctx.log.warning("Bluesky refused %s: %s", name, error)
                refused.append(error)
        if refused:
            raise refused[0]

    def measure(self, text: str) -> int:
        """Graphemes, or a tenth of the UTF-8 bytes where that is more: Bluesky takes 300 of the ones and 3,000 of the others."""
        return measure(text)

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        """Post under a record key that follows from the reply's: a repeat finds the post that is there."""
        return Answers(ctx, self.options).post(reply)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        """The record under the reply's key."""
        return Answers(ctx, self.options).find(reply)

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        """Posts and reposts whose records are gone, though their authors are not merely suspended or away."""
        return find_gone(ctx, self.options, signals)

    def _pull_stream(self, ctx: Context, marks: dict[str, str], *, name: str, read: _Read) -> Iterator[Page]:
        """Everything after the mark, oldest first; the mark moves page by page and never beyond this moment."""
        now, mark = ctx.now(), parse_time(marks.get(name))
        horizon = mark - OVERLAP if mark else now - timedelta(hours=self.options.backfill_hours)
        found = [one for one in read(horizon) if not (mark and one.seen and one.seen < horizon)]
        found.sort(key=lambda one: one.seen or horizon)
        for start in range(0, len(found), PAGE):
            part = found[start : start + PAGE]
            times = [min(one.seen, now) for one in part if one.seen]
            if times:
                mark = max([*times, mark or times[0]])
                marks[name] = mark.isoformat()
            yield Page(tuple(self._raw(ctx, one) for one in part), dict(marks))

    def _raw(self, ctx: Context, found: _Found) -> RawItem:
        return RawItem(
            source=ctx.connection,
            plugin=self.name,
            payload=found.payload,
            received_at=ctx.now(),
            external_id=found.head.uri or digest(found.payload.decode("utf-8", "replace")),
            revision=found.head.cid,
        )


class _Reader:
    """Reads one stream after the other for one poll."""

    def __init__(self, options: BlueskyOptions, ctx: Context) -> None:
        self._options = options
        self._log = ctx.log
        self._client = BlueskyClient(options, ctx)

    def streams(self) -> Iterator[tuple[str, _Read]]:
        """Each stream's name in the cursor, and how it is read back to a horizon."""
        if self._options.mentions:
            yield "mentions", self._read_mentions
        for query in self._options.searches:
            yield f"search:{query}", partial(self._read_search, query)
        for uri in self._options.threads:
            yield f"thread:{uri}", partial(self._read_thread, uri)

    def _read_mentions(self, horizon: datetime) -> list[_Found]:
        # An older AppView does not know `reasons` and sends likes and follows too.
        found = self._page_back(partial(self._client.notifications, REASONS), horizon)
        return [one for one in found if one.head.reason in ("", *REASONS)]

    def _read_search(self, query: str, horizon: datetime) -> list[_Found]:
        return self._page_back(partial(self._client.search, query, since=stamp(horizon)), horizon)

    def _read_thread(self, uri: str, _horizon: datetime) -> list[_Found]:
        """The posts of a thread, in one answer; the first poll takes them all, however old."""
        nodes, found = [self._client.thread(uri)], []
        while nodes:
            node = nodes.pop()
            found += [_look_at(node.post)] if bytes(node.post) else []
            nodes += [_node(reply) for reply in node.replies or ()]
        return found

    def _page_back(self, ask: Callable[..., ListAnswer], horizon: datetime) -> list[_Found]:
        """From the newest back to the horizon: answers come newest first and know no other way."""
        found: list[_Found] = []
        cursor: str | None = None
        for _ in range(self._options.max_pages):
            answer = ask(cursor=cursor)
            cursor, page = answer.cursor, [_look_at(raw) for raw in answer.posts or answer.notifications or ()]
            found += [one for one in page if one.seen is None or one.seen >= horizon]
            last = next((one.seen for one in reversed(page) if one.seen), None)
            if not cursor or last is None or last < horizon:
                return found
        self._log.warning("Bluesky has more than %d pages since %s", self._options.max_pages, horizon)
        return found


def _node(raw: msgspec.Raw) -> ThreadNode:
    try:
        return msgspec.json.decode(raw, type=ThreadNode)
    except msgspec.DecodeError:
        return ThreadNode(post=raw)  # kept as an item that translate refuses, so that somebody can look at it


def _look_at(raw: msgspec.Raw) -> _Found:
    """Id and time of an item; a broken one has neither, and harms no other."""
    payload = bytes(raw)
    try:
        head = msgspec.json.decode(payload, type=_Head)
    except (msgspec.DecodeError, RecursionError):
        return _Found(payload, _Head(), None)
    return _Found(payload, head, parse_time(head.indexed_at))
