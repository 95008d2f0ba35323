"""Whether posts are still there."""

from __future__ import annotations

from typing import Any

import pytest

from hub import Context, Signal, signal_key
from hub.testkit.fakes import START, FakeHttp, SentRequest, context
from plugins.bluesky.source import BlueskySource
from tests.plugins.bluesky.town import ANN, BOB, BlueskyTown


@pytest.fixture
def town() -> BlueskyTown:
    return BlueskyTown()


def ctx_of(town: BlueskyTown) -> Context:
    def ask(method: str, url: str, headers: Any, content: bytes | None) -> Any:
        return town.serve(SentRequest(method, url, headers, content))

    return context(FakeHttp(ask), clock=town.clock)


def gone(town: BlueskyTown, *uris: str) -> list[str]:
    """Of these, those that a recheck finds gone."""
    options = {"service": "https://pds.test", "handle": "brand.test", "app_password": "app-pass"}
    keys = {signal_key("bluesky", uri): uri for uri in uris}
    signals = [Signal(key, "bluesky", uri, "post", "", None, START, START) for key, uri in keys.items()]
    found = BlueskySource(BlueskySource.Options.model_validate(options)).recheck(ctx_of(town), signals)
    return [keys[one.key] for one in found]


def test_25_posts_that_are_there_take_one_call(town: BlueskyTown) -> None:
    assert gone(town, *(town.say(ANN, f"post {number}") for number in range(25))) == []
    assert (town.calls["getPosts"], town.calls["getRecord"]) == (1, 0)


@pytest.mark.parametrize(
    ("code", "message", "is_gone"),
    [
        ("AccountTakedown", "Account has been suspended", False),
        ("AccountDeactivated", "Account is deactivated", False),
        ("InvalidRequest", "Profile not found", True),
        ("InvalidRequest", "Something else", False),
    ],
)
def test_an_account_that_is_away_is_not_gone(town: BlueskyTown, code: str, message: str, is_gone: bool) -> None:
    uri = town.say(ANN, "post")
    town.away[ANN] = (code, message)
    assert bool(gone(town, uri)) is is_gone


def test_a_deleted_post_of_a_suspended_account_waits_until_that_is_known(town: BlueskyTown) -> None:
    uri = town.say(ANN, "post")
    town.records.pop(uri)
    town.fail("getRecord", 400, body={"error": "RecordNotFound", "message": "Could not locate record"})
    town.away[ANN] = ("AccountTakedown", "Account has been suspended")
    assert gone(town, uri) == []


def test_a_block_hides_and_does_not_delete(town: BlueskyTown) -> None:
    uri = town.say(ANN, "post")
    town.blocks.add(ANN)
    assert gone(town, uri) == []


def test_an_account_is_asked_about_once(town: BlueskyTown) -> None:
    uris = [town.say(ANN, "a"), town.say(ANN, "b"), town.say(BOB, "c")]
    for uri in uris:
        town.records.pop(uri)
    assert gone(town, *uris) == uris
    assert town.calls["getProfile"] == 2


def test_a_repost_is_asked_for_by_its_record(town: BlueskyTown) -> None:
    repost = f"at://{ANN}/app.bsky.feed.repost/1"
    town.records[repost] = {"subject": {}}
    assert gone(town, repost) == []
    town.records.pop(repost)
    assert gone(town, repost) == [repost]
    assert town.calls["getPosts"] == 0


@pytest.mark.parametrize("uri", ["", "https://x.example", "at://ann.test/app.bsky.feed.post/1"])
def test_what_names_no_record_is_left_out(town: BlueskyTown, uri: str) -> None:
    assert gone(town, uri) == []
    assert sum(town.calls.values()) == 0


def test_an_error_that_nobody_knows_proves_nothing(town: BlueskyTown) -> None:
    uri = town.say(ANN, "post")
    town.records.pop(uri)
    town.fail("getRecord", 400, body={"error": "Strange"})
    assert gone(town, uri) == []
