"""Comments on YouTube, read and answered."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from hub import Compliance, Context, Limit, Lookup, RawItem, Rejected, RemoteRef, Reply, ReplyRules, Signal
from hub.core.model import Tombstone, Translated
from hub.sdk.http.auth import RefreshToken, TokenEndpoint
from hub.sdk.replies import Length, find_own
from hub.sdk.streams import ByTime, Stream, StreamsSource
from plugins.youtube.client import YoutubeClient
from plugins.youtube.config import YoutubeOptions
from plugins.youtube.translate import NETWORK, item_of, thread_of, translate

LENGTH = Length(10_000)


class YoutubeSource(StreamsSource[YoutubeOptions]):
    """Reads the threads of channels and videos, the newest first; those of some days again, for replies and edits."""

    name = "youtube"
    network = NETWORK
    Options = YoutubeOptions
    interval = timedelta(minutes=15)
    limits = (Limit(10_000, 86_400),)  # units a day and project; a read is one
    # What is kept must be fetched again within 30 days: a recheck does that, after three and a half.
    compliance = Compliance(timedelta(days=7), terms="https://developers.google.com/youtube/terms/developer-policies")
    sandbox = "plugins.youtube.sandbox:build"
    recheck_size = 50
    reply_rules = ReplyRules(max_length=LENGTH.most)
    reply_idempotency = Lookup(timedelta(minutes=5))

    def __init__(self, options: YoutubeOptions) -> None:
        super().__init__(options)
        endpoint = TokenEndpoint(url=options.token_url, timeout=options.timeout)
        form = {"client_id": options.client_id, "client_secret": options.client_secret.get_secret_value()}
        consent = options.refresh_token.get_secret_value()
        self._voice = RefreshToken(endpoint, form, consent) if consent else None

    def egress(self) -> tuple[str, ...]:
        """Name the API's host, and that of access tokens."""
        return tuple(urlsplit(url).hostname or "" for url in (self.options.url, self.options.token_url))

    def check(self, ctx: Context) -> str:
        """Ask for the titles of what is read."""
        asked = {"channels": self.options.channels, "videos": self.options.videos}
        titles = [title for kind, ids in asked.items() if ids for title in self._client(ctx).titles(kind, ids)]
        return f"reads {', '.join(titles)}"

    def streams(self, ctx: Context) -> Iterable[Stream]:
        """Name a stream a channel and a video; an edit or a reply brings no thread to the top of its list."""
        revisit, backfill = timedelta(hours=self.options.revisit_hours), timedelta(days=self.options.backfill_days)
        order = ByTime(revisit, backfill, sweep=timedelta(days=self.options.sweep_days))
        targets = [("allThreadsRelatedToChannelId", one) for one in self.options.channels]
        for name, one in [*targets, *(("videoId", one) for one in self.options.videos)]:
            yield Stream(one, partial(self._client(ctx).page, {name: one}), order, newest_first=True)

    def translate(self, raw: RawItem) -> Translated:
        """Read one comment: pure."""
        return translate(raw)

    def identify(self, payload: bytes) -> tuple[str, str]:
        """Return a comment's id and revision, as `streams` gives them."""
        item = item_of(payload)
        return item.external_id, item.revision

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        """Return what is gone of these."""
        gone = self._client(ctx).gone([one.native_id for one in signals]) if signals else ()
        return [Tombstone(one.key, "user_deleted", ctx.now()) for one in signals if one.native_id in gone]

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        """Write the answer into the thread; YouTube keeps no idempotency key."""
        LENGTH.check(reply.text, "YouTube")
        if self._client(ctx).gone([reply.to.native_id]):
            raise Rejected("the comment is gone", code="gone")
        return self._client(ctx).answer(thread_of(reply.to), reply.text)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        """Find our own answer in this thread with these words."""
        thread = thread_of(reply.to)
        return find_own(self._client(ctx).own_replies(thread), reply, reply.text, parents=[thread])

    def _client(self, ctx: Context) -> YoutubeClient:
        return YoutubeClient(self.options, ctx, self._voice)
