"""Whether posts are still there: by the instance for its own posts, by their own servers for others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub import Context, HttpResponse, Rejected, Signal, Unavailable, signal_key
from hub.testkit.fakes import START, FakeClock, FakeHttp, answer, context
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.source import MastodonSource
from tests.plugins.mastodon.town import HOME, TOKEN, MastodonTown

FAR = "https://far.example/notes/9"
GONE = {"error": "Record not found"}


def source(**options: Any) -> MastodonSource:
    return MastodonSource(MastodonOptions.model_validate({"instance": HOME, "token": TOKEN, "public": True, **options}))


def signal(uri: str, **more: Any) -> Signal:
    values = {"network": "mastodon", "kind": "post", "text": "", "author_key": None, **more}
    return Signal(key=signal_key("mastodon", uri), native_id=uri, published_at=START, observed_at=START, **values)


def asking(found: HttpResponse | Any) -> tuple[Context, FakeHttp]:
    http = FakeHttp(lambda *_: found)
    return context(http), http


def test_posts_of_the_instance_take_one_call_while_they_are_there() -> None:
    town = MastodonTown(FakeClock())
    signals = [signal(town.say("ann", f"post {number}")["uri"]) for number in range(20)]
    http = FakeHttp(town.ask)
    assert source().recheck(context(http), signals) == []
    assert len(http.requests) == 1


def test_a_server_without_the_bulk_call_is_asked_one_by_one() -> None:
    town = MastodonTown(FakeClock())
    kept, lost = town.say("ann", "kept"), town.say("ann", "lost")
    town.delete(json.dumps(lost).encode())

    def serve(method: str, url: str, *request: Any) -> Any:
        return answer(404) if "?id" in url else town.ask(method, url, *request)

    found = source().recheck(context(FakeHttp(serve)), [signal(kept["uri"]), signal(lost["uri"])])
    assert [one.key for one in found] == [signal_key("mastodon", lost["uri"])]


def test_some_proxys_page_for_everything_is_no_deletion() -> None:
    ctx, _ = asking(answer(404, content=b"<h1>Not found</h1>"))
    assert source().recheck(ctx, [signal(f"{HOME}/users/ann/statuses/1")]) == []


@pytest.mark.parametrize(
    "uri", [FAR, f"{HOME}/objects/1", f"{HOME}/ann/p/1795.1", "https://m.example.evil/users/a/statuses/1"]
)
def test_a_post_whose_local_id_nobody_knows_is_left_out(uri: str) -> None:
    ctx, http = asking(answer(404, GONE))
    assert source().recheck(ctx, [signal(uri)]) == []
    assert http.requests == []


@pytest.mark.parametrize(
    "uri", ["/users/ann/statuses/1", "/ap/users/7/statuses/1", "/users/a/statuses/01HXABCDEFGHJKMNPQRSTVWXYZ"]
)
def test_posts_of_this_instance_are_known_by_their_address(uri: str) -> None:
    ctx, _ = asking(answer(404, GONE))
    assert [one.reason for one in source().recheck(ctx, [signal(HOME + uri)])] == ["user_deleted"]


@pytest.mark.parametrize(
    ("found", "gone"),
    [
        (answer(410), True),
        (answer(404, GONE), True),
        (answer(200, {"type": "Tombstone", "id": FAR}), True),
        (answer(200, {"type": "Tombstone", "id": "https://far.example/notes/10"}), False),
        (answer(200, {"type": "Note", "id": FAR}), False),
        (answer(404, content=b"<h1>No such page</h1>"), False),
        (answer(401, {"error": "Request not signed"}), False),
        (answer(403, GONE), False),
        (answer(500), False),
        (Unavailable("no such host"), False),
        (Rejected("a private address", code="egress"), False),
    ],
)
def test_another_server_is_believed_where_it_is_plain(found: Any, gone: bool) -> None:
    ctx, _ = asking(found)
    assert bool(source(recheck_origins=True).recheck(ctx, [signal(FAR)])) is gone


def test_another_server_never_sees_our_token() -> None:
    ctx, http = asking(answer(200, {}))
    source(recheck_origins=True).recheck(ctx, [signal(FAR)])
    assert [request.url for request in http.requests] == [FAR]
    assert "authorization" not in http.requests[0].headers


@pytest.mark.parametrize("visibility", ["followers", "direct"])
def test_what_not_everybody_may_see_proves_nothing_to_a_stranger(visibility: str) -> None:
    ctx, http = asking(answer(404, GONE))
    assert source(recheck_origins=True).recheck(ctx, [signal(FAR, visibility=visibility)]) == []
    assert http.requests == []


def test_other_hosts_are_reached_only_where_it_is_asked_for() -> None:
    assert source().egress() == ("m.example",)
    assert source(recheck_origins=True).egress() == ("m.example", "*")


def test_a_server_is_asked_for_five_posts_at_a_time() -> None:
    ctx, http = asking(answer(410))
    posts = [signal(f"https://far.example/notes/{number}") for number in range(9)]
    assert len(source(recheck_origins=True).recheck(ctx, [*posts, signal("https://else.example/1")])) == 6
    assert len(http.requests) == 6


def test_a_server_that_does_not_answer_is_left_alone() -> None:
    http = FakeHttp(lambda *asked: Unavailable("no such host") if "far.example" in str(asked) else answer(410))
    ctx = context(http)
    posts = [signal(f"https://far.example/notes/{number}") for number in range(9)]
    found = source(recheck_origins=True).recheck(ctx, [*posts, signal("https://else.example/1")])
    assert [one.key for one in found] == [signal("https://else.example/1").key]
    assert len(http.requests) == 2
