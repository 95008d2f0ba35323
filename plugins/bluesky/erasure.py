"""Posts that are gone: one that is merely not shown to us (a block, a suspension) is not gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hub import Context, Rejected, Signal, Tombstone
from plugins.bluesky.client import BlueskyClient, parts_of
from plugins.bluesky.config import BlueskyOptions
from plugins.bluesky.translate import POST


def find_gone(ctx: Context, options: BlueskyOptions, signals: Sequence[Signal]) -> list[Tombstone]:
    """Return tombstones of those whose record, or whose author's account, is gone; what cannot be told is left out."""
    client = BlueskyClient(options, ctx)
    found = [(signal, parts[1]) for signal in signals if (parts := parts_of(signal.native_id))]
    posts = [signal.native_id for signal, collection in found if collection == POST]
    shown = {str(view.get("uri")) for view in client.posts(posts)} if posts else set()
    missing = [signal for signal, _ in found if signal.native_id not in shown]
    return [Tombstone(signal.key, "user_deleted", ctx.now()) for signal in _gone(client, missing)]


def _gone(client: BlueskyClient, missing: Sequence[Signal]) -> Iterator[Signal]:
    accounts: dict[str, str] = {}
    for signal in missing:
        did = signal.native_id.removeprefix("at://").partition("/")[0]
        try:
            there = client.record(signal.native_id) is not None
        except Rejected as error:
            if error.code != "InvalidRequest":
                continue
            there = None  # the network does not show the account: its profile says why
        if there:
            continue
        why = accounts[did] if did in accounts else accounts.setdefault(did, client.why_no_profile(did))
        if why == "NotFound" or (there is False and not why):
            yield signal
