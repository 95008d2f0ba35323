"""What our account does to posts at an instance: likes, likes taken back, own posts deleted; each as often as one wants."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hub import Act, ConnectorError, Context, Rejected, RemoteRef, Translated, Unauthorised, Uncertain
from hub.core.model import ActKind, RawItem
from hub.testkit.fakes import START, FakeClock, FakeHttp, MemoryState, answer, context
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.source import MastodonSource
from tests.plugins.mastodon.town import HOME, TOKEN, MastodonTown


def source(**options: Any) -> MastodonSource:
    return MastodonSource(MastodonOptions.model_validate({"instance": HOME, "token": TOKEN, "public": True, **options}))


@pytest.fixture
def town() -> MastodonTown:
    return MastodonTown(FakeClock())


@pytest.fixture
def ctx(town: MastodonTown) -> Context:
    return context(FakeHttp(town.ask), clock=town.clock, state=MemoryState(), connection="masto")


def act(kind: ActKind, item: dict[str, Any]) -> Act:
    raw = RawItem("masto", "mastodon", json.dumps(item).encode(), START, "1")
    found = source().translate(raw)
    assert isinstance(found, Translated)
    return Act(7, kind, "key", found.signals[0], raw=raw)


def likes(town: MastodonTown) -> list[str]:
    return [one.kind for one in town.sandbox.journal.entries if one.kind in ("like", "unlike")]


def test_a_like_is_seen_at_the_post_and_named_by_it(town: MastodonTown, ctx: Context) -> None:
    item = town.say("ann", "lovely")
    outcome = source().act(ctx, act("like", item))
    assert (outcome.delivery_id, outcome.ref) == (7, RemoteRef(item["uri"], item["url"]))
    assert town.sandbox.existing(item["id"])["favourited"]


@pytest.mark.parametrize(("kind", "told"), [("like", ["like"]), ("unlike", ["like", "unlike"])])
def test_the_same_again_changes_nothing(town: MastodonTown, ctx: Context, kind: ActKind, told: list[str]) -> None:
    item = town.say("ann", "lovely")
    source().act(ctx, act("like", item))
    for _ in range(3):
        assert source().act(ctx, act(kind, item)).error is None
    assert likes(town) == told


def test_our_own_post_is_deleted_and_then_is_deleted(town: MastodonTown, ctx: Context) -> None:
    item = town.say("brand", "too early")
    for _ in range(2):
        assert source().act(ctx, act("delete_own", item)).error is None
    assert town.sandbox.store.get("status", item["id"]) is None


def deleting(town: MastodonTown, item: dict[str, Any], *, first: bool) -> FakeHttp:
    """An instance that answers a deletion with "not found": because another was `first`, or since it knows no such call."""

    def ask(method: str, url: str, headers: Any, content: Any) -> Any:
        if method != "DELETE":
            return town.ask(method, url, headers, content)
        if first:
            town.delete(json.dumps(item).encode())
        return answer(404, content=b"Not Found")

    return FakeHttp(ask)


def test_a_post_that_another_attempt_has_just_deleted_is_deleted(town: MastodonTown) -> None:
    item = town.say("brand", "too early")
    assert source().act(context(deleting(town, item, first=True)), act("delete_own", item)).error is None


def test_a_server_that_knows_no_deletion_has_deleted_nothing(town: MastodonTown) -> None:
    item = town.say("brand", "too early")
    with pytest.raises(Rejected, match="deletes no posts"):
        source().act(context(deleting(town, item, first=False)), act("delete_own", item))


def test_what_is_not_ours_is_not_deleted(town: MastodonTown, ctx: Context) -> None:
    item = town.say("ann", "mine")
    with pytest.raises(Rejected, match="not ours"):
        source().act(ctx, act("delete_own", item))
    assert town.sandbox.store.get("status", item["id"])


def test_a_post_that_is_gone_cannot_be_liked_and_bears_no_like(town: MastodonTown, ctx: Context) -> None:
    item = town.say("ann", "lovely")
    town.delete(json.dumps(item).encode())
    with pytest.raises(Rejected, match="gone"):
        source().act(ctx, act("like", item))
    assert source().act(ctx, act("unlike", item)).error is None


def test_a_local_id_of_another_post_is_never_touched(town: MastodonTown, ctx: Context) -> None:
    item, other = town.say("brand", "mine"), town.say("brand", "another")
    source().act(ctx, act("delete_own", {**other, "id": item["id"]}))
    assert town.sandbox.store.get("status", item["id"])


FAILURES: list[tuple[Callable[[], Any], type[ConnectorError]]] = [
    (lambda: answer(500, {"error": "oops"}), Uncertain),
    (lambda: answer(401, {"error": "The access token is invalid"}), Unauthorised),
    (lambda: answer(403, {"error": "This action is outside the authorized scopes"}), Rejected),
    (lambda: Uncertain("no answer"), Uncertain),
]


@pytest.mark.parametrize(("reply", "kind"), FAILURES)
def test_a_failure_has_its_name(town: MastodonTown, reply: Callable[[], Any], kind: type[ConnectorError]) -> None:
    item = town.say("ann", "lovely")

    def ask(method: str, url: str, headers: Any, content: Any) -> Any:
        return reply() if method == "POST" else town.ask(method, url, headers, content)

    with pytest.raises(kind) as caught:
        source().act(context(FakeHttp(ask)), act("like", item))
    assert TOKEN not in str(caught.value)
    assert ("write:favourites" in str(caught.value)) == (kind is Rejected)


@pytest.mark.parametrize("kind", ["hide", "unhide", "private_reply"])
def test_what_mastodon_does_not_have_is_refused(town: MastodonTown, ctx: Context, kind: ActKind) -> None:
    with pytest.raises(Rejected, match=f"mastodon has no {kind}"):
        source().act(ctx, act(kind, town.say("ann", "spam")))
    assert kind not in MastodonSource.capabilities


def test_without_a_token_nothing_is_done(town: MastodonTown, ctx: Context) -> None:
    with pytest.raises(Rejected, match="no token"):
        source(token=None).act(ctx, act("like", town.say("ann", "lovely")))
