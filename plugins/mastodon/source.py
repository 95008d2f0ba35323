"""The Mastodon source: timelines, hashtags, mentions and conversations, polled forward without holes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hub import (
    Act,
    Compliance,
    Context,
    Ignored,
    Limit,
    Native,
    Outcome,
    Page,
    RawItem,
    Rejected,
    RemoteRef,
    Reply,
    ReplyRules,
    Signal,
    Tombstone,
    Translated,
    Usage,
)
from hub.sdk.http.usage import window_usage
from hub.sdk.streams import ByPosition, Stream, StreamItem, StreamPage, StreamsSource
from plugins.mastodon.acts import ACTS, perform
from plugins.mastodon.client import Instance, place_of
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.erasure import BATCH, find_gone
from plugins.mastodon.reply import LENGTH, MastodonAnswers, compose
from plugins.mastodon.translate import NETWORK, identify, translate

# A pull asks at most this often for a stream; what is left comes with the next pull. Mastodon allows 300 requests in 5 minutes.
MAX_PAGES = 25


class MastodonSource(StreamsSource[MastodonOptions]):
    """Asks an instance for what is newer than the last item of each stream.

    The cursor maps a stream's name to the id of its newest item taken, "" if it was empty.
    """

    name = "mastodon"
    network = NETWORK
    libraries = ("mastodon",)
    Options = MastodonOptions
    interval = timedelta(seconds=60)
    limits = (Limit(300, 300),)  # Mastodon docs, "Rate limits": for an account and for an address
    reply_rules = ReplyRules(max_length=LENGTH.most)
    reply_idempotency = Native(timedelta(hours=1))
    capabilities = ACTS
    recheck_size = BATCH
    sandbox = "plugins.mastodon.sandbox:build"
    compliance = Compliance(
        delete_within=timedelta(hours=24),
        terms="Keep to each post's visibility; the instance's own rules apply. Deletions are not announced to a poll.",
    )

    def egress(self) -> tuple[str, ...]:
        """Return the instance only; with `recheck_origins` any public host."""
        instance = urlsplit(self.options.instance).hostname or ""
        return (instance, "*") if self.options.recheck_origins else (instance,)

    def usage(self, headers: Mapping[str, str]) -> Usage | None:
        """Read `X-RateLimit-Limit`, `-Remaining` and `-Reset`."""
        return window_usage(headers, "x-ratelimit-")

    def check(self, ctx: Context) -> str:
        """Say who the token belongs to, or the instance's name if there is no token."""
        instance, host = Instance(ctx, self.options), urlsplit(self.options.instance).netloc
        return f"@{instance.account()} at {host}" if self.options.token else f"{instance.title()} at {host}"

    def streams(self, ctx: Context) -> Iterator[Stream]:
        """Return the chosen timelines, what is closest to us first."""
        instance, order = Instance(ctx, self.options), ByPosition(self.options.backfill)
        realm = urlsplit(self.options.instance).netloc  # local ids mean something there only
        for name in self.options.streams():
            yield Stream(name, partial(_fetch, instance, name), order, most_pages=MAX_PAGES, realm=realm)

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        """Yield each stream's new items; before mentions come those of our posts that they answer, before boosts what they boost.

        A boost makes no record of its own: it counts on the post, which may stand in no stream, and brings its counts of today.
        No stream shows our answers, and without them an author's next word would stand in no conversation: the API names a
        parent by its local id only.
        """
        instance = Instance(ctx, self.options)
        for page in super().pull(ctx, cursor):
            answered = _answered(instance, [one.payload for one in page.items if _is_notification(one)])
            raws = [msgspec.structs.replace(page.items[0], **self._named(payload)) for payload in answered]
            yield Page((*raws, *self._with_boosted(page.items)), page.cursor)

    def _with_boosted(self, items: Iterable[RawItem]) -> Iterator[RawItem]:
        for item in items:
            if (payload := _boosted(item.payload)) is not None:
                yield msgspec.structs.replace(item, **self._named(payload))
            yield item

    def _named(self, payload: bytes) -> dict[str, Any]:
        external_id, revision = self.identify(payload)
        return {"payload": payload, "external_id": external_id, "revision": revision}

    def translate(self, raw: RawItem) -> Translated | Ignored:
        """See `plugins.mastodon.translate`."""
        return translate(raw, self.options.own_account)

    def identify(self, payload: bytes) -> tuple[str, str]:
        """Return the entity's form and local id, and its edit time."""
        return identify(payload)

    def compose(self, reply: Reply) -> str:
        """Return the text with the author's mention first."""
        return compose(reply)

    def measure(self, text: str) -> int:
        """Count characters as Mastodon counts them."""
        return LENGTH.of(text)

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        """Post it under the idempotency key, visible to no one who may not see the post that is answered."""
        self._check_token()
        return MastodonAnswers(ctx, self.options).post(reply)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        """Find our own post with these words in answer to that status."""
        self._check_token()
        return MastodonAnswers(ctx, self.options).find(reply)

    def act(self, ctx: Context, act: Act) -> Outcome:
        """Like, take a like back, delete a post of ours; Mastodon cannot hide what others say."""
        if act.kind not in ACTS:
            return super().act(ctx, act)
        self._check_token()
        return perform(ctx, self.options, act)

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        """Return posts of this instance by their ids; others at their own server where the options allow it."""
        return find_gone(ctx, self.options, signals)

    def _check_token(self) -> None:
        if self.options.token is None:
            raise Rejected("this connection has no token: it can only listen", code="no_token")


class _Asked(msgspec.Struct):
    """What of a status tells what it answers."""

    in_reply_to_id: str | int | None = None
    in_reply_to_account_id: str | int | None = None


class _Told(msgspec.Struct):
    """A notification's status."""

    status: _Asked | None = None


def _answered(instance: Instance, notifications: Sequence[bytes]) -> list[bytes]:
    """Return our own posts that these notifications answer."""
    asked = [one for item in notifications if (one := _read_asked(item)) and one.in_reply_to_id is not None]
    ids = dict.fromkeys(str(one.in_reply_to_id) for one in asked if _is_by(one, instance))
    return [found for id_ in ids if (found := instance.raw_status(id_)) is not None]


def _is_by(asked: _Asked, instance: Instance) -> bool:
    """Return True if it is our account's post that is answered."""
    return asked.in_reply_to_account_id is not None and str(asked.in_reply_to_account_id) == instance.own_id()


def _read_asked(item: bytes) -> _Asked | None:
    try:
        return msgspec.json.decode(item, type=_Told).status
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


class _Boost(msgspec.Struct):
    """A status that may be a boost."""

    reblog: msgspec.Raw = msgspec.Raw(b"null")


def _boosted(item: bytes) -> bytes | None:
    """Return the status that a boost passes on, as it came."""
    try:
        found = bytes(msgspec.json.decode(item, type=_Boost).reblog).strip()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found if found.startswith(b"{") else None


def _is_notification(raw: RawItem) -> bool:
    return raw.external_id.startswith("notification:")


def _fetch(instance: Instance, stream: str, since: str | None, more: Any) -> StreamPage:
    """Return the page just newer than the last one with `min_id`, which leaves no holes (`since_id` gives the newest page only).

    Without a position the newest page, then just older ones with `max_id`.
    """
    if since is None:
        page = instance.page(stream, max_id=more)
        return StreamPage(_items(page.items), page.oldest or None, page.newest)
    page = instance.page(stream, min_id=more or since)
    newer = page.newer_than(more or since)[::-1]
    return StreamPage(_items(newer), (page.newest or None) if newer else None, page.newest)


def _items(payloads: Sequence[bytes]) -> tuple[StreamItem, ...]:
    return tuple(StreamItem(payload, place_of(payload) or None) for payload in payloads)
