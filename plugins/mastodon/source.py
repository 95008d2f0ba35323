"""The Mastodon source: timelines, hashtags, mentions and conversations, polled forward without holes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hub import (
    Compliance,
    Context,
    Ignored,
    Limit,
    Native,
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
    TranslationError,
    Usage,
)
from hub.core.keys import digest
from hub.sdk.http.usage import window_usage
from plugins.mastodon.client import PAGE_SIZE, Instance, place_of
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.erasure import BATCH, find_gone
from plugins.mastodon.reply import LONGEST, Answers, compose, measure
from plugins.mastodon.translate import NETWORK, identify, translate

# A pull asks at most this often for a stream; what is left comes with the next pull. Mastodon allows 300 requests in 5 minutes.
MAX_PAGES = 25

# Items, oldest first, and the position that stands behind them.
Batch = tuple[Sequence[bytes], str]


class MastodonSource(PollingSource[MastodonOptions]):
    """Asks an instance for what is newer than the last item of each stream.

    The cursor maps a stream's name to the id of its newest item taken, "" where the stream was empty.
    """

    name = "mastodon"
    network = NETWORK
    Options = MastodonOptions
    interval = timedelta(seconds=60)
    limits = (Limit(300, 300),)  # Mastodon docs, "Rate limits": for an account and for an address
    reply_rules = ReplyRules(max_length=LONGEST)
    reply_idempotency = Native(timedelta(hours=1))
    recheck_size = BATCH
    sandbox = "plugins.mastodon.sandbox:build"
    compliance = Compliance(
        delete_within=timedelta(hours=24),
        terms="Keep to each post's visibility; the instance's own rules apply. Deletions are not announced to a poll.",
    )

    def egress(self) -> tuple[str, ...]:
        """The instance only; with `recheck_origins` any public host."""
        instance = urlsplit(self.options.instance).hostname or ""
        return (instance, "*") if self.options.recheck_origins else (instance,)

    def usage(self, headers: Mapping[str, str]) -> Usage | None:
        """By `X-RateLimit-Limit`, `-Remaining` and `-Reset`."""
        return window_usage(headers, "x-ratelimit-")

    def check(self, ctx: Context) -> str:
        """Who the token belongs to, or the instance's name where there is none."""
        instance, host = Instance(ctx, self.options), urlsplit(self.options.instance).netloc
        return f"@{instance.account()} at {host}" if self.options.token else f"{instance.title()} at {host}"

    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """Each stream's new items, oldest first; a stream that is refused does not keep the others from coming."""
        positions: dict[str, str] = dict(cursor) if isinstance(cursor, dict) else {}
        instance = Instance(ctx, self.options)
        refused: Rejected | None = None
        for stream in self.options.streams():
            try:
                for items, position in self._read(instance, stream, positions.get(stream)):
                    positions[stream] = position
                    answered = _answered(instance, items) if stream == "notifications" else []
                    yield Page(tuple(self._raw(ctx, item) for item in (*answered, *items)), dict(positions))
            except Rejected as error:
                ctx.log.warning("stream %s is refused: %s", stream, error)
                refused = refused or error
        if refused:
            raise refused

    def _read(self, instance: Instance, stream: str, position: str | None) -> Iterator[Batch]:
        if position:
            return _forward(instance, stream, position)
        # A stream that was empty at the last look holds only what is new: all of it is wanted.
        wanted = self.options.backfill if position is None else MAX_PAGES * PAGE_SIZE
        return _backward(instance, stream, wanted)

    def _raw(self, ctx: Context, item: bytes) -> RawItem:
        try:
            external_id, revision = identify(item)
        except TranslationError:  # kept all the same: translate will show what is wrong with it
            external_id, revision = digest(item.decode("utf-8", "replace")), ""
        realm = urlsplit(self.options.instance).netloc  # local ids mean something there only
        return RawItem(ctx.connection, self.name, item, ctx.now(), external_id, realm, revision)

    def translate(self, raw: RawItem) -> Translated | Ignored:
        """See `plugins.mastodon.translate`."""
        return translate(raw, self.options.own_account)

    def identify(self, payload: bytes) -> tuple[str, str]:
        """The entity's form and local id, and its edit time."""
        return identify(payload)

    def compose(self, reply: Reply) -> str:
        """The text with the author's mention first."""
        return compose(reply)

    def measure(self, text: str) -> int:
        """Characters as Mastodon counts them."""
        return measure(text)

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        """Post it under the idempotency key, visible to nobody who may not see the post that is answered."""
        self._check_token()
        return Answers(ctx, self.options).post(reply)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        """Our own post with these words in answer to that status."""
        self._check_token()
        return Answers(ctx, self.options).find(reply)

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        """Posts of this instance by their ids; others at their own server where the options allow it."""
        return find_gone(ctx, self.options, signals)

    def _check_token(self) -> None:
        if self.options.token is None:
            raise Rejected("this connection has no token: it can only listen", code="no_token")


class _Asked(msgspec.Struct):
    """What of a status tells whom it answers."""

    in_reply_to_id: str | int | None = None
    in_reply_to_account_id: str | int | None = None


class _Told(msgspec.Struct):
    """A notification's status."""

    status: _Asked | None = None


def _answered(instance: Instance, notifications: Sequence[bytes]) -> list[bytes]:
    """Our own posts that these notifications answer.

    No stream shows our answers, and without them an author's next word would stand in no conversation: the API names a
    parent by its local id only.
    """
    asked = [one for item in notifications if (one := _read_asked(item)) and one.in_reply_to_id is not None]
    ids = dict.fromkeys(str(one.in_reply_to_id) for one in asked if _is_by(one, instance))
    return [found for id_ in ids if (found := instance.raw_status(id_)) is not None]


def _is_by(asked: _Asked, instance: Instance) -> bool:
    """Whether it is our account's post that is answered."""
    return asked.in_reply_to_account_id is not None and str(asked.in_reply_to_account_id) == instance.own_id()


def _read_asked(item: bytes) -> _Asked | None:
    try:
        return msgspec.json.decode(item, type=_Told).status
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _forward(instance: Instance, stream: str, since: str) -> Iterator[Batch]:
    """Everything newer than `since` with `min_id`, which leaves no holes (`since_id` gives the newest page only).

    Ends with the first page that brings nothing new: snac ignores the position and sends its newest page each time.
    """
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        page = instance.page(stream, min_id=since)
        fresh = page.unseen(since, seen)
        if not fresh:
            return
        seen.update(map(place_of, fresh))
        since = page.newest or since
        yield fresh[::-1], since


def _backward(instance: Instance, stream: str, wanted: int) -> Iterator[Batch]:
    """The newest `wanted` items, collected backwards and given oldest first; nothing is given before all are here."""
    found: list[bytes] = []
    page = instance.page(stream)
    newest, seen = page.newest, set[str]()
    for _ in range(MAX_PAGES * 4):
        fresh = page.unseen("", seen)
        seen.update(map(place_of, fresh))
        found += fresh
        if not fresh or not page.oldest or len(found) >= wanted:
            break
        page = instance.page(stream, max_id=page.oldest)
    found = found[:wanted][::-1]
    for start in range(0, max(len(found), 1), PAGE_SIZE):
        batch = found[start : start + PAGE_SIZE]
        last = start + PAGE_SIZE >= len(found)
        yield batch, newest if last else place_of(batch[-1])
