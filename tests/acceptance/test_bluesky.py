"""The Bluesky source against Bluesky's own servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from hub import Context, RawItem, Signal, Translated, Unauthorised, author_key, signal_key
from hub.runtime import system_clock
from hub.sdk.http import open_guard
from hub.testkit.fakes import context
from plugins.bluesky.source import BlueskySource
from tests.acceptance.bluesky_network import BlueskyNetwork
from tests.acceptance.servers import until


@pytest.fixture
def ctx() -> Iterator[Context]:
    with open_guard(("localhost",), allow_private=True) as http:
        yield context(http, clock=system_clock)


def source(network: BlueskyNetwork, **more: Any) -> BlueskySource:
    account = {"handle": network.brand.handle, "app_password": network.brand.app_password}
    return BlueskySource(BlueskySource.Options.model_validate({"service": network.pds, **account, **more}))


def heard(bluesky: BlueskySource, ctx: Context, word: str) -> Signal | None:
    """The signal whose text holds the word, once the source hears it."""
    items: list[RawItem] = [item for page in bluesky.pull(ctx, None) for item in page.items]
    found = [result for item in items if isinstance(result := bluesky.translate(item), Translated)]
    return next((signal for one in found for signal in one.signals if word in signal.text), None)


def word() -> str:
    return f"zz{uuid4().hex[:10]}"


def test_a_mention_by_another_account_is_heard(bluesky_network: BlueskyNetwork, ctx: Context) -> None:
    mark, brand, customer = word(), bluesky_network.brand, bluesky_network.customer
    posted = bluesky_network.post(customer, f"é😀 @{brand.handle} my invoice export is broken {mark}")
    signal = until(lambda: heard(source(bluesky_network), ctx, mark), seconds=30, what="mention")
    assert (signal.key, signal.revision) == (signal_key("bluesky", posted.uri), posted.cid)
    assert (signal.kind, signal.lang, signal.origin) == ("mention", "en", "source")
    assert signal.author_key == author_key("bluesky", customer.did)
    assert signal.mentions == (author_key("bluesky", brand.did),)
    assert f">@{brand.handle}</a> my invoice" in (signal.html or "")
    assert abs(signal.published_at - system_clock()) < timedelta(minutes=1)


def test_a_reply_and_a_quote_belong_to_their_posts(bluesky_network: BlueskyNetwork, ctx: Context) -> None:
    mark, network = word(), bluesky_network
    root = network.post(network.brand, f"we are open {mark}")
    # A reply that is indexed before the post it answers is never in the notifications: one of three, without this wait.
    until(lambda: network.thread(network.customer, root), seconds=30, what="first post")
    network.post(network.customer, f"reply-{mark}", reply_to=(root, root))
    network.post(network.customer, f"quote-{mark}", quote=root)
    reply = until(lambda: heard(source(network), ctx, f"reply-{mark}"), seconds=30, what="reply")
    quote = until(lambda: heard(source(network), ctx, f"quote-{mark}"), seconds=30, what="quote")
    key = signal_key("bluesky", root.uri)
    assert (reply.kind, reply.in_reply_to, reply.conversation_key) == ("reply", key, key)
    assert (quote.kind, quote.quotes) == ("quote", key)


def test_a_search_finds_a_post_that_mentions_nobody(bluesky_network: BlueskyNetwork, ctx: Context) -> None:
    mark = word()
    posted = bluesky_network.post(bluesky_network.customer, f"acme is slow {mark}")
    searching = source(bluesky_network, mentions=False, searches=[mark])
    signal = until(lambda: heard(searching, ctx, mark), seconds=30, what="search result")
    assert (signal.key, signal.kind) == (signal_key("bluesky", posted.uri), "post")
    assert signal.counts.likes == 0


def test_a_mention_and_a_search_agree_about_a_post(bluesky_network: BlueskyNetwork, ctx: Context) -> None:
    mark, network = word(), bluesky_network
    network.post(network.customer, f"@{network.brand.handle} hello {mark}")
    searching = source(network, mentions=False, searches=[mark])
    by_search = until(lambda: heard(searching, ctx, mark), seconds=30, what="search result")
    by_mention = until(lambda: heard(source(network), ctx, mark), seconds=30, what="mention")
    for name in ("key", "kind", "text", "html", "author_key", "published_at", "claimed_at", "mentions", "revision"):
        assert getattr(by_search, name) == getattr(by_mention, name), name


def test_a_followed_thread_tells_of_a_reply_and_forgets_a_deleted_one(
    bluesky_network: BlueskyNetwork, ctx: Context
) -> None:
    mark, network = word(), bluesky_network
    root = network.post(network.customer, f"does anybody know {mark}")
    answer = network.post(network.brand, f"answer-{mark}", reply_to=(root, root))
    following = source(network, mentions=False, threads=[root.uri])
    until(lambda: network.thread(network.customer, root).get("replies"), seconds=30, what="reply in the thread")
    signal = heard(following, ctx, f"answer-{mark}")
    assert signal is not None
    assert (signal.origin, signal.can_reply) == ("hub", "yes")
    network.delete(network.brand, answer)
    until(lambda: heard(following, ctx, f"answer-{mark}") is None, seconds=30, what="deletion in the thread")


def test_a_second_poll_goes_on_from_the_cursor_with_the_same_session(
    bluesky_network: BlueskyNetwork, ctx: Context
) -> None:
    mark, network = word(), bluesky_network
    network.post(network.customer, f"@{network.brand.handle} first {mark}")
    until(lambda: heard(source(network), ctx, mark), seconds=30, what="mention")
    *_, last = source(network).pull(ctx, None)
    network.post(network.customer, f"@{network.brand.handle} second {mark}")
    bluesky, writes = source(network), ctx.http.calls["POST"]  # type: ignore[attr-defined]  # Guard counts, Http does not say so

    def news() -> list[bytes]:
        return [i.payload for page in bluesky.pull(ctx, last.cursor) for i in page.items if b"second " in i.payload]

    assert until(news, seconds=30, what="second mention")
    assert ctx.http.calls["POST"] == writes == 1  # type: ignore[attr-defined]  # one createSession in all


def test_likes_are_left_out(bluesky_network: BlueskyNetwork, ctx: Context) -> None:
    mark, network = word(), bluesky_network
    post = network.post(network.brand, f"like me {mark}")
    network.like(network.customer, post)
    until(lambda: [n for n in network.notifications(network.brand) if n["reason"] == "like"], seconds=30, what="like")
    assert all(
        b"app.bsky.feed.like" not in item.payload for page in source(network).pull(ctx, None) for item in page.items
    )


def test_a_wrong_password_is_unauthorised(bluesky_network: BlueskyNetwork, ctx: Context) -> None:
    with pytest.raises(Unauthorised, match="Invalid identifier or password"):
        source(bluesky_network, app_password="wrong-pass-word").check(ctx)


def test_check_reads_as_the_account(bluesky_network: BlueskyNetwork, ctx: Context) -> None:
    assert source(bluesky_network).check(ctx).startswith(bluesky_network.brand.handle)
