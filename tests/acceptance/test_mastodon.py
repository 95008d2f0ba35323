"""The Mastodon source against real snac2 servers, which speak the Mastodon API and federate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from hub import Context, Rejected, Signal, Translated, Unauthorised, author_key
from hub.runtime import system_clock
from hub.sdk.http import open_guard
from hub.testkit.fakes import context
from plugins.mastodon.source import MastodonSource
from tests.acceptance.servers import until
from tests.acceptance.snac_network import SnacNetwork


@pytest.fixture
def ctx(snac_network: SnacNetwork) -> Iterator[Context]:
    with open_guard(("*.hub.test",), allow_private=True, proxy=snac_network.proxy) as http:
        yield context(http, clock=system_clock)


def source(network: SnacNetwork, **more: Any) -> MastodonSource:
    options = {"instance": network.brand.instance, "token": network.brand.token, "notifications": True, **more}
    return MastodonSource(MastodonSource.Options.model_validate(options))


def heard(mastodon: MastodonSource, ctx: Context, word: str) -> Signal | None:
    items = [item for page in mastodon.pull(ctx, None) for item in page.items]
    found = [result for item in items if isinstance(result := mastodon.translate(item), Translated)]
    return next((signal for one in found for signal in one.signals if word in signal.text), None)


def word() -> str:
    return f"zz{uuid4().hex[:10]}"


def test_a_mention_on_the_same_server_is_heard(snac_network: SnacNetwork, ctx: Context) -> None:
    mark, customer = word(), snac_network.customer
    posted = snac_network.post(customer, f"@brand my invoice export is broken {mark}")
    signal = until(lambda: heard(source(snac_network), ctx, mark), seconds=60, what="mention", pause=1)
    assert signal.native_id == posted["uri"]
    assert signal.author_key == author_key("mastodon", customer.uri)
    assert f"my invoice export is broken {mark}" in signal.text


def test_a_mention_from_another_server_is_heard(snac_network: SnacNetwork, ctx: Context) -> None:
    mark, remote = word(), snac_network.remote
    posted = snac_network.post(remote, f"hello @{snac_network.brand.acct} from afar {mark}")
    signal = until(lambda: heard(source(snac_network), ctx, mark), seconds=60, what="mention", pause=1)
    assert signal.native_id == posted["uri"]
    assert signal.author_key == author_key("mastodon", remote.uri)


def test_a_second_poll_goes_on_from_the_cursor(snac_network: SnacNetwork, ctx: Context) -> None:
    mark, network = word(), snac_network
    network.post(network.customer, f"@brand first {mark}")
    until(lambda: heard(source(network), ctx, f"first {mark}"), seconds=60, what="mention", pause=1)
    *_, last = source(network).pull(ctx, None)
    network.post(network.customer, f"@brand second {mark}")

    def news() -> list[bytes]:
        found = [item.payload for page in source(network).pull(ctx, last.cursor) for item in page.items]
        return [payload for payload in found if mark.encode() in payload]

    assert [b"second" in payload for payload in until(news, seconds=60, what="second mention", pause=1)] == [True]


def test_a_wrong_token_is_refused(snac_network: SnacNetwork, ctx: Context) -> None:
    # snac2 answers 422 where Mastodon answers 401, so only a refusal is asked for.
    mastodon = source(snac_network, token="wrong")
    with pytest.raises((Unauthorised, Rejected)):
        mastodon.check(ctx)
    with pytest.raises((Unauthorised, Rejected)):
        list(mastodon.pull(ctx, None))
