"""Whom the Bluesky source answers, what it does to posts and what it calls gone, on Bluesky's own servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from hub import Act, Context, Rejected, RemoteRef, Reply, Signal, signal_key
from hub.core.model import ActKind
from hub.runtime import system_clock
from hub.sdk.http import open_guard
from hub.testkit.fakes import MemoryState, context
from plugins.bluesky.source import BlueskySource
from tests.acceptance.bluesky_network import BlueskyAccount, BlueskyNetwork, Posted, make_account
from tests.acceptance.servers import until


@pytest.fixture
def ctx() -> Iterator[Context]:
    with open_guard(("localhost",), allow_private=True) as http:
        yield context(http, clock=system_clock, state=MemoryState())


def source(network: BlueskyNetwork, **more: Any) -> BlueskySource:
    account = {"handle": network.brand.handle, "app_password": network.brand.app_password}
    return BlueskySource(BlueskySource.Options.model_validate({"service": network.pds, **account, **more}))


def signal(post: Posted) -> Signal:
    now = system_clock()
    return Signal(signal_key("bluesky", post.uri), "bluesky", post.uri, "post", "", None, now, now)


def answer_to(post: Posted) -> Reply:
    return Reply(uuid4().hex, "We are on it.", signal(post))


@pytest.fixture
def customer(bluesky_network: BlueskyNetwork) -> BlueskyAccount:
    return make_account(bluesky_network.client, "guest")


def shown(network: BlueskyNetwork, post: Posted) -> None:
    """Wait until the AppView has the post."""
    until(lambda: "post" in network.thread(network.brand, post), seconds=30, what="post")


def mention(network: BlueskyNetwork, who: BlueskyAccount) -> Posted:
    post = network.post(who, f"@{network.brand.handle} help {uuid4().hex}")
    shown(network, post)
    return post


def wall(network: BlueskyNetwork, who: BlueskyAccount, kind: str, subject: str, rkey: str | None = None) -> None:
    """A thread gate that lets nobody answer, or a block."""
    name = "post" if kind == "feed.threadgate" else "subject"
    record = {"$type": f"app.bsky.{kind}", name: subject, "createdAt": system_clock().isoformat()}
    record |= {"allow": []} if name == "post" else {}
    more = {"rkey": rkey} if rkey else {}
    network._write(who, "createRecord", collection=record["$type"], record=record, **more)


def refused(bluesky: BlueskySource, ctx: Context, post: Posted) -> str:
    """The code with which an answer is refused, "" where it was posted."""
    try:
        bluesky.reply(ctx, answer_to(post))
    except Rejected as error:
        return error.code
    return ""


def test_who_did_not_call_us_gets_no_answer(
    bluesky_network: BlueskyNetwork, ctx: Context, customer: BlueskyAccount
) -> None:
    post = bluesky_network.post(customer, f"acme is awful {uuid4().hex}")
    shown(bluesky_network, post)
    assert refused(source(bluesky_network), ctx, post) == "not_tagged"
    assert refused(source(bluesky_network, reply_to_all=True), ctx, post) == ""


def test_a_thread_gate_is_seen(bluesky_network: BlueskyNetwork, ctx: Context, customer: BlueskyAccount) -> None:
    post = mention(bluesky_network, customer)
    wall(bluesky_network, customer, "feed.threadgate", post.uri, post.uri.rpartition("/")[2])

    def gated() -> bool:
        view: dict[str, Any] = bluesky_network.thread(bluesky_network.brand, post)["post"]
        return bool(view["viewer"].get("replyDisabled"))

    until(gated, seconds=30, what="thread gate")
    assert refused(source(bluesky_network), ctx, post) == "gate"


def test_a_block_is_neither_answered_nor_taken_for_a_deletion(
    bluesky_network: BlueskyNetwork, ctx: Context, customer: BlueskyAccount
) -> None:
    post = mention(bluesky_network, customer)
    wall(bluesky_network, customer, "graph.block", bluesky_network.brand.did)
    until(lambda: "post" not in bluesky_network.thread(bluesky_network.brand, post), seconds=30, what="block")
    assert refused(source(bluesky_network), ctx, post) == "blocked"
    assert source(bluesky_network).recheck(ctx, [signal(post)]) == []


def test_a_deleted_post_is_gone_and_its_neighbour_is_not(
    bluesky_network: BlueskyNetwork, ctx: Context, customer: BlueskyAccount
) -> None:
    kept, lost = mention(bluesky_network, customer), mention(bluesky_network, customer)
    assert source(bluesky_network).recheck(ctx, [signal(kept), signal(lost)]) == []
    bluesky_network.delete(customer, lost)
    until(lambda: "post" not in bluesky_network.thread(bluesky_network.brand, lost), seconds=30, what="deletion")
    found = source(bluesky_network).recheck(ctx, [signal(kept), signal(lost)])
    assert [one.key for one in found] == [signal(lost).key]
    assert refused(source(bluesky_network), ctx, lost) == "gone"


def test_an_account_that_is_away_has_deleted_nothing(
    bluesky_network: BlueskyNetwork, ctx: Context, customer: BlueskyAccount
) -> None:
    post = mention(bluesky_network, customer)
    headers = {"authorization": f"Bearer {customer.token}"}
    url = f"{bluesky_network.pds}/xrpc/com.atproto.server.deactivateAccount"
    bluesky_network.client.post(url, json={}, headers=headers).raise_for_status()
    until(lambda: "post" not in bluesky_network.thread(bluesky_network.brand, post), seconds=30, what="absence")
    assert source(bluesky_network).recheck(ctx, [signal(post)]) == []


def test_a_second_attempt_with_the_same_key_leaves_the_record_as_it_is(
    bluesky_network: BlueskyNetwork, ctx: Context, customer: BlueskyAccount
) -> None:
    reply = answer_to(mention(bluesky_network, customer))
    first = source(bluesky_network).reply(ctx, reply)
    # As a first attempt once more: the server answers 500 for a key that is taken.
    assert source(bluesky_network).reply(ctx, reply) == source(bluesky_network).find_reply(ctx, reply) == first


def act(kind: ActKind, post: Posted) -> Act:
    return Act(1, kind, uuid4().hex, signal(post))


def repeated(bluesky: BlueskySource, ctx: Context, wanted: Act) -> set[RemoteRef | None]:
    """Do it three times, one right after the other."""
    return {bluesky.act(ctx, wanted).ref for _ in range(3)}


def likes(network: BlueskyNetwork, who: BlueskyAccount, post: Posted) -> int:
    found = network._get(who, "app.bsky.feed.getLikes", uri=post.uri)["likes"]
    return len(found)


def test_a_like_is_one_like_and_is_taken_back(
    bluesky_network: BlueskyNetwork, ctx: Context, customer: BlueskyAccount
) -> None:
    bluesky, post = source(bluesky_network), mention(bluesky_network, customer)
    assert len(repeated(bluesky, ctx, act("like", post))) == 1
    until(lambda: likes(bluesky_network, customer, post) == 1, seconds=30, what="like")
    repeated(bluesky, ctx, act("unlike", post))
    until(lambda: likes(bluesky_network, customer, post) == 0, seconds=30, what="like taken back")


def test_an_answer_below_our_post_is_hidden_and_shown_again(
    bluesky_network: BlueskyNetwork, ctx: Context, customer: BlueskyAccount
) -> None:
    bluesky, root = source(bluesky_network), bluesky_network.post(bluesky_network.brand, f"News {uuid4().hex}")
    spam = bluesky_network.post(customer, "buy pills", reply_to=(root, root))
    shown(bluesky_network, spam)

    def hidden() -> list[str]:
        gate = bluesky_network.thread(customer, root).get("post", {}).get("threadgate", {})
        return list(gate.get("record", {}).get("hiddenReplies", []))

    repeated(bluesky, ctx, act("hide", spam))
    until(lambda: hidden() == [spam.uri], seconds=30, what="hidden answer")
    repeated(bluesky, ctx, act("unhide", spam))
    until(lambda: hidden() == [], seconds=30, what="answer that is shown again")


def test_our_own_post_is_deleted(bluesky_network: BlueskyNetwork, ctx: Context) -> None:
    post = bluesky_network.post(bluesky_network.brand, f"Too early {uuid4().hex}")
    shown(bluesky_network, post)
    repeated(source(bluesky_network), ctx, act("delete_own", post))
    until(lambda: "post" not in bluesky_network.thread(bluesky_network.brand, post), seconds=30, what="deletion")
