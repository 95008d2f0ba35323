"""What our account does to posts on Bluesky: likes, hidden answers, own posts deleted; each as often as one wants."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub import Act, Context, RawItem, Rejected, Retryable, Translated, Unauthorised, Unavailable, Uncertain
from hub.core.model import ActKind
from hub.testkit.contracts.replies import Trouble
from hub.testkit.fakes import START, FakeHttp, MemoryState, SentRequest, context
from hub.testkit.server import Failure
from plugins.bluesky.source import BlueskySource
from tests.plugins.bluesky.town import ANN, POST, BlueskyTown
from tests.plugins.bluesky.xrpc import DID

LIKE, GATE = "app.bsky.feed.like", "app.bsky.feed.threadgate"
OPTIONS = {"service": "https://pds.test", "handle": "brand.test", "app_password": "app-pass"}


@pytest.fixture
def town() -> BlueskyTown:
    return BlueskyTown()


@pytest.fixture
def ctx(town: BlueskyTown) -> Context:
    def ask(method: str, url: str, headers: Any, content: bytes | None) -> Any:
        found = town.serve(SentRequest(method, url, headers, content))
        return Uncertain("the connection broke") if found is Failure.RESET else found

    return context(FakeHttp(ask), clock=town.clock, state=MemoryState(), connection="sky")


def source() -> BlueskySource:
    return BlueskySource(BlueskySource.Options.model_validate(OPTIONS))


def act(town: BlueskyTown, kind: ActKind, uri: str) -> Act:
    raw = RawItem("sky", "bluesky", json.dumps(town.view(uri)).encode(), START, uri)
    found = source().translate(raw)
    assert isinstance(found, Translated)
    return Act(7, kind, "key", found.signals[0], raw=raw)


def records(town: BlueskyTown, collection: str) -> list[dict[str, Any]]:
    return [record for uri, record in town.records.items() if uri.startswith(f"at://{DID}/{collection}/")]


def answer_in_our_thread(town: BlueskyTown) -> tuple[str, str]:
    """Our post, and an answer to it."""
    root = town.say(DID, "our news")
    return root, town.say(ANN, "buy my pills", reply={"root": town.ref(root), "parent": town.ref(root)})


def hidden(town: BlueskyTown) -> list[str]:
    (gate,) = records(town, GATE)
    return list(gate["hiddenReplies"])


# ---------------------------------------------------------------------------------------------------------------- likes


@pytest.mark.parametrize("lags", [False, True])
def test_a_like_is_one_record_however_often_it_is_asked_for(town: BlueskyTown, ctx: Context, lags: bool) -> None:
    uri = town.say(ANN, "lovely")
    town.lags = lags
    outcomes = {source().act(ctx, act(town, "like", uri)).ref for _ in range(3)}
    (like,) = records(town, LIKE)
    assert like["subject"] == town.ref(uri)
    assert len(outcomes) == 1


def test_a_like_that_a_person_gave_in_the_app_is_taken_as_done(town: BlueskyTown, ctx: Context) -> None:
    uri = town.say(ANN, "lovely")
    town.records[f"at://{DID}/{LIKE}/app"] = {"$type": LIKE, "subject": town.ref(uri)}
    outcome = source().act(ctx, act(town, "like", uri))
    assert outcome.ref
    assert (outcome.ref.id, len(records(town, LIKE))) == (f"at://{DID}/{LIKE}/app", 1)


@pytest.mark.parametrize("given_in_the_app", [False, True])
def test_a_like_is_taken_back_whoever_gave_it(town: BlueskyTown, ctx: Context, given_in_the_app: bool) -> None:
    uri = town.say(ANN, "lovely")
    if given_in_the_app:
        town.records[f"at://{DID}/{LIKE}/app"] = {"$type": LIKE, "subject": town.ref(uri)}
    else:
        source().act(ctx, act(town, "like", uri))
    for _ in range(2):
        source().act(ctx, act(town, "unlike", uri))
    assert records(town, LIKE) == []


def test_a_lost_answer_to_a_like_leaves_one_like(town: BlueskyTown, ctx: Context) -> None:
    wanted = act(town, "like", town.say(ANN, "lovely"))
    town.trouble(Trouble.LOST)
    with pytest.raises(Uncertain):
        source().act(ctx, wanted)
    source().act(ctx, wanted)
    assert len(records(town, LIKE)) == 1


def test_a_post_that_is_gone_cannot_be_liked(town: BlueskyTown, ctx: Context) -> None:
    wanted = act(town, "like", uri := town.say(ANN, "lovely"))
    town.records.pop(uri)
    with pytest.raises(Rejected, match="gone"):
        source().act(ctx, wanted)


# ------------------------------------------------------------------------------------------------------------- deletion


def test_our_own_post_is_deleted_and_then_is_deleted(town: BlueskyTown, ctx: Context) -> None:
    wanted = act(town, "delete_own", town.say(DID, "too early"))
    for _ in range(2):
        assert source().act(ctx, wanted).error is None
    assert records(town, POST) == []


def test_what_is_not_ours_is_not_deleted(town: BlueskyTown, ctx: Context) -> None:
    uri = town.say(ANN, "mine")
    with pytest.raises(Rejected, match="not ours"):
        source().act(ctx, act(town, "delete_own", uri))
    assert (uri in town.records, town.calls["deleteRecord"]) == (True, 0)


# --------------------------------------------------------------------------------------------------------------- hiding


def test_an_answer_in_our_thread_is_hidden_once_and_shown_again(town: BlueskyTown, ctx: Context) -> None:
    root, spam = answer_in_our_thread(town)
    for _ in range(2):
        source().act(ctx, act(town, "hide", spam))
    assert (hidden(town), records(town, GATE)[0]["post"], town.calls["putRecord"]) == ([spam], root, 1)
    for _ in range(2):
        source().act(ctx, act(town, "unhide", spam))
    assert (hidden(town), town.calls["putRecord"]) == ([], 2)


def test_what_else_the_gate_says_stays(town: BlueskyTown, ctx: Context) -> None:
    root, spam = answer_in_our_thread(town)
    gate = {"$type": GATE, "post": root, "allow": [], "hiddenReplies": ["at://did:plc:x/app.bsky.feed.post/1"]}
    town.records[f"at://{DID}/{GATE}/{root.rpartition('/')[2]}"] = gate
    source().act(ctx, act(town, "hide", spam))
    assert records(town, GATE) == [{**gate, "hiddenReplies": [*gate["hiddenReplies"], spam]}]


@pytest.mark.parametrize("kind", ["hide", "unhide"])
def test_in_threads_of_others_nothing_can_be_hidden(town: BlueskyTown, ctx: Context, kind: ActKind) -> None:
    root = town.say(ANN, "a thread")
    uri = town.say(ANN, "more", reply={"root": town.ref(root), "parent": town.ref(root)})
    for post in (root, uri):
        with pytest.raises(Rejected, match="thread that we began"):
            source().act(ctx, act(town, kind, post))
    assert records(town, GATE) == []


def test_a_gate_that_a_person_changes_at_the_same_moment_is_tried_again(town: BlueskyTown, ctx: Context) -> None:
    _, spam = answer_in_our_thread(town)
    town.fail("putRecord", 400, body={"error": "InvalidSwap", "message": "Record was at another version"})
    with pytest.raises(Retryable, match="changed elsewhere"):
        source().act(ctx, act(town, "hide", spam))


def test_a_gate_that_is_full_says_so(town: BlueskyTown, ctx: Context) -> None:
    root, spam = answer_in_our_thread(town)
    full = [f"at://did:plc:x/app.bsky.feed.post/{number}" for number in range(300)]
    town.records[f"at://{DID}/{GATE}/{root.rpartition('/')[2]}"] = {"$type": GATE, "post": root, "hiddenReplies": full}
    with pytest.raises(Rejected, match="at most 300"):
        source().act(ctx, act(town, "hide", spam))


# ------------------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(500, "InternalServerError", Unavailable), (400, "InvalidRequest", Rejected), (401, "AuthMissing", Unauthorised)],
)
def test_a_failure_has_its_name(town: BlueskyTown, ctx: Context, status: int, code: str, kind: type[Exception]) -> None:
    uri = town.say(ANN, "lovely")
    for _ in range(2):
        town.fail("createRecord", status, body={"error": code, "message": "no"})
    with pytest.raises(kind):
        source().act(ctx, act(town, "like", uri))
    assert records(town, LIKE) == []


def test_what_bluesky_does_not_have_is_refused(town: BlueskyTown, ctx: Context) -> None:
    with pytest.raises(Rejected, match="bluesky has no private_reply"):
        source().act(ctx, act(town, "private_reply", town.say(ANN, "hi")))
