"""The guest book, read and answered."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from hub import Compliance, Context, Limit, Native, RawItem, RemoteRef, Reply, ReplyRules, Signal, Tombstone, Translated
from hub.sdk.streams import ByTime, Stream, StreamsSource
from hubbub_echo.client import EchoClient
from hubbub_echo.config import EchoOptions
from hubbub_echo.reply import LENGTH, find, post
from hubbub_echo.translate import item_of, translate


class EchoSource(StreamsSource[EchoOptions]):
    """Reads the entries back to the newest change that it knows."""

    name = "echo"
    network = "echo"
    Options = EchoOptions
    limits = (Limit(100, 60),)
    compliance = Compliance(delete_within=timedelta(days=7), terms="the guest book's house rules")
    sandbox = "hubbub_echo.sandbox:build"
    recheck_size = 20
    reply_rules = ReplyRules(max_length=LENGTH.most)
    reply_idempotency = Native(timedelta(hours=1))

    def egress(self) -> tuple[str, ...]:
        """Name the guest book's host."""
        return (urlsplit(self.options.url).hostname or "",)

    def check(self, ctx: Context) -> str:
        """Ask who we are there."""
        return f"{EchoClient(self.options, ctx).account()} in the guest book"

    def streams(self, ctx: Context) -> Iterable[Stream]:
        """Name the one list that there is, which stands newest first."""
        order = ByTime(overlap=timedelta(minutes=5), backfill=timedelta(days=self.options.backfill_days))
        yield Stream("entries", EchoClient(self.options, ctx).page, order, newest_first=True)

    def translate(self, raw: RawItem) -> Translated:
        """Read one entry."""
        return translate(raw)

    def identify(self, payload: bytes) -> tuple[str, str]:
        """Return an entry's id and revision, as `streams` gives them."""
        item = item_of(payload)
        return item.external_id, item.revision

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        """Return what is gone of these."""
        client = EchoClient(self.options, ctx)
        gone = (signal for signal in signals if client.is_gone(signal.native_id))
        return [Tombstone(signal.key, "user_deleted", ctx.now()) for signal in gone]

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        """Write the answer into the guest book, once."""
        return post(EchoClient(self.options, ctx), reply)

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        """Find what an earlier attempt wrote."""
        return find(EchoClient(self.options, ctx), reply)
