"""The contract of sources that answer passes a well-made one and catches each kind of careless one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from html import escape
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from hub import (
    ConnectorError,
    Context,
    HttpResponse,
    Lookup,
    RateLimited,
    RawItem,
    Rejected,
    RemoteRef,
    Reply,
    ReplyRules,
    Signal,
    Tombstone,
    Translated,
    Unauthorised,
    Unavailable,
    Uncertain,
    signal_key,
)
from hub.sdk.http.errors import error_for
from hub.testkit.contracts.replies import ReplyContract, Town, Trouble
from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import Answer, Call, SandboxOptions, route, serve
from tests.hub.testkit.cries import CriesSandbox, CriesSource
from tests.hub.testkit.trial import assert_caught

LONGEST = 300
TROUBLES: Mapping[Trouble, Mapping[str, Any]] = {
    Trouble.LOST: {"reset_after": True},
    Trouble.CUT: {"reset_before": True},
    Trouble.REVOKED: {"expired_token": True},
    Trouble.LIMIT: {"status": 429, "headers": {"Retry-After": "30"}},
    Trouble.REFUSED: {"status": 422, "body": {"error": "banned"}},
}


class AnsweringCries(CriesSource):
    """Answers cries; an answer bears our key as its mark, by which it is found again."""

    reply_rules = ReplyRules(max_length=LONGEST)
    reply_idempotency = Lookup(timedelta(seconds=5))

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        if self.measure(text := self.compose(reply)) > LONGEST:
            raise Rejected("it is too long", code="too_long")
        if reply.attempt > 1 and (found := self.find_reply(ctx, reply)):
            return found
        return self.post(ctx, reply, text)

    def measure(self, text: str) -> int:
        return len(text.encode("utf-16-le")) // 2 - text.count("\u0301")

    def post(self, ctx: Context, reply: Reply, text: str) -> RemoteRef:
        html = f"<p>{escape(text)}</p>".replace("\n", "<br>")
        found = self.write(ctx, {"html": html, "parent": reply.to.native_id, "mark": reply.key}).json()
        if not isinstance(found, dict) or not isinstance(found.get("id"), str):
            raise Uncertain("the answer names no post")
        return RemoteRef(found["id"])

    def write(self, ctx: Context, body: Mapping[str, Any]) -> HttpResponse:
        headers = {"authorization": f"Bearer {self.options.token.get_secret_value()}"}
        answer = ctx.http.send("POST", f"{self.options.url}/cries", headers=headers, content=msgspec.json.encode(body))
        error = error_for(answer, ctx.now())
        if isinstance(error, Unavailable):
            raise Uncertain(str(error))
        if error is not None and answer.status == 404:
            raise Rejected("the post is gone", code="gone")
        if error is not None:
            raise error
        return answer

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        found = self._ask(ctx, f"/marks/{reply.key}").json()
        if not isinstance(found, dict) or "found" not in found:
            raise Unavailable("the marks cannot be read")
        return RemoteRef(found["found"]) if found["found"] else None

    def is_gone(self, ctx: Context, id_: str) -> bool:
        try:
            return super().is_gone(ctx, id_)
        except Rejected:  # hidden from us, and perhaps back tomorrow
            return False

    def translate(self, raw: RawItem) -> Translated:
        found = super().translate(raw)
        parent = json.loads(raw.payload).get("parent")
        signal = msgspec.structs.replace(found.signals[0], in_reply_to=signal_key("cries", parent) if parent else None)
        return Translated((signal,), found.authors)


class AnsweredSandbox(CriesSandbox):
    """The network, with answers and accounts that are hidden."""

    @route("POST", "/cries", object="cries")
    def answer(self, call: Call) -> Answer:
        body = call.json()
        if self.store.get("cries", body["parent"]) is None:
            return Answer(404, {"error": "gone"})
        id_ = self.cry(body["html"])
        self.store.update("cries", id_, {"by": "us", "parent": body["parent"], "mark": body["mark"]})
        return Answer(201, {"id": id_})

    @route("GET", "/marks/{mark}")
    def mark(self, call: Call) -> Answer:
        found = [id_ for id_, one in self.store.all("cries") if one.get("mark") == call.args["mark"]]
        return Answer(200, {"found": found[-1] if found else None})

    @route("GET", "/cries/{id}", object="cries")
    def one(self, call: Call) -> Answer:
        found = self.store.get("cries", call.args["id"])
        if found and found.get("hidden"):
            return Answer(403, {"error": "suspended"})
        return super().one(call)


class CriesTown(Town):
    """The network as the contract plays it."""

    def __init__(self, sandbox: AnsweredSandbox, url: str) -> None:
        self.sandbox, self.url = sandbox, url

    def call_us(self, text: str, *, private: bool = False) -> bytes:
        if private:
            raise LookupError("all is public")
        id_ = self.sandbox.cry(f"<p>{text}</p>")
        return json.dumps(self.sandbox.store.get("cries", id_)).encode()

    def call_below(self, payload: bytes, text: str) -> bytes:
        id_ = self.sandbox.answer_to(json.loads(payload)["id"], f"<p>{text}</p>")
        return json.dumps(self.sandbox.store.get("cries", id_)).encode()

    def answers(self) -> Sequence[bytes]:
        return [json.dumps(one).encode() for _, one in self.sandbox.store.all("cries") if one["by"] == "us"]

    def delete(self, payload: bytes) -> None:
        self.sandbox.store.remove("cries", json.loads(payload)["id"])

    def below(self, payload: bytes, text: str) -> bytes:
        asked = json.loads(self.call_us(text))["id"]
        self.sandbox.store.update("cries", asked, {"parent": json.loads(payload)["id"]})
        return json.dumps(self.sandbox.store.get("cries", asked)).encode()

    def suspend(self, payload: bytes) -> None:
        self.sandbox.store.update("cries", json.loads(payload)["id"], {"hidden": True})

    def go_down(self) -> None:
        self.sandbox.faults.set([{"status": 503}])

    def trouble(self, what: Trouble) -> None:
        self.sandbox.faults.set([{"match": {"method": "POST"}, "times": 1, **TROUBLES[what]}])


class TestAnsweringCries(ReplyContract):
    """The whole suite over a good source."""

    source = AnsweringCries

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"url": url}

    @classmethod
    @contextmanager
    def town(cls, clock: FakeClock) -> Iterator[Town]:
        sandbox = AnsweredSandbox(SandboxOptions(clock=clock))
        with serve(sandbox) as running:
            yield CriesTown(sandbox, running.url)


def doing(**methods: Any) -> type[AnsweringCries]:
    """A source with other methods."""
    return type("Doing", (AnsweringCries,), methods)


def posting(**changes: Any) -> type[AnsweringCries]:
    """A source that posts another thing: functions of the body that it would post."""

    def write(self: AnsweringCries, ctx: Context, body: Mapping[str, Any]) -> HttpResponse:
        return AnsweringCries.write(self, ctx, {**body, **{name: make(body) for name, make in changes.items()}})

    return doing(write=write)


def finding(of: Any) -> type[AnsweringCries]:
    """A source that takes these errors for "not there"."""

    def find_reply(self: AnsweringCries, ctx: Context, reply: Reply) -> RemoteRef | None:
        with suppress(of):
            return AnsweringCries.find_reply(self, ctx, reply)
        return None

    return doing(find_reply=find_reply)


class KnowsByItself(AnsweringCries):
    """Remembers in itself what it posted."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.done: dict[str, RemoteRef] = {}

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        if reply.key not in self.done:
            self.done[reply.key] = self.post(ctx, reply, self.compose(reply))
        return self.done[reply.key]

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        return self.done.get(reply.key)


class ByItsWords(AnsweringCries):
    """Finds the last answer of ours, whatever it answers."""

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        ours = [cry for cry, payload in self.page(ctx, "") if cry.by == "us"]
        return RemoteRef(ours[0].id) if ours else None


class ByWordsOfAnyone(AnsweringCries):
    """Finds the last answer to this post with these words, no matter by which account."""

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        below = [cry for cry, _ in self.page(ctx, "") if cry.parent == reply.to.native_id]
        return next((RemoteRef(cry.id) for cry in below if reply.text in cry.html), None)


class OneLevel(AnsweringCries):
    """Answers first posts only."""

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        if reply.to.in_reply_to:
            raise Rejected("this is an answer", code="level")
        return super().reply(ctx, reply)


class UnderTheLast(AnsweringCries):
    """Answers the newest post."""

    def write(self, ctx: Context, body: Mapping[str, Any]) -> HttpResponse:
        return super().write(ctx, {**body, "parent": self.page(ctx, "")[0][0].id})


class UnderTheRoot(AnsweringCries):
    """Answers the first post of a thread."""

    def write(self, ctx: Context, body: Mapping[str, Any]) -> HttpResponse:
        above = self._ask(ctx, f"/cries/{body['parent']}").json().get("parent")
        return super().write(ctx, {**body, "parent": above or body["parent"]})


def own_thread(self: AnsweringCries, raw: RawItem) -> Translated:
    """Each answer is a conversation."""
    found = AnsweringCries.translate(self, raw)
    return Translated(
        (msgspec.structs.replace(found.signals[0], conversation_key=found.signals[0].key),), found.authors
    )


def halved(body: Mapping[str, Any]) -> str:
    """Cuts bytes, and with them emoji."""
    return str(body["html"]).encode()[: LONGEST + 7].decode("utf-8", "ignore")


class Cutting(AnsweringCries):
    """Cuts what is too long."""

    def compose(self, reply: Reply) -> str:
        return reply.text[:LONGEST]


class Greeting(AnsweringCries):
    """Greets once more each time."""

    def compose(self, reply: Reply) -> str:
        return f"Hello, {reply.text}"


class AnyAnswer(AnsweringCries):
    """Takes each 2xx for proof."""

    def post(self, ctx: Context, reply: Reply, text: str) -> RemoteRef:
        try:
            return super().post(ctx, reply, text)
        except Uncertain as error:
            if "names no post" in str(error):
                return RemoteRef(reply.key)
            raise


class AnOutageIsRetryable(AnsweringCries):
    """Posts again where the answer was an error."""

    def write(self, ctx: Context, body: Mapping[str, Any]) -> HttpResponse:
        try:
            return super().write(ctx, body)
        except Uncertain as error:
            raise Unavailable(str(error)) from error

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        return self.post(ctx, reply, self.compose(reply))


class Loud(AnsweringCries):
    def write(self, ctx: Context, body: Mapping[str, Any]) -> HttpResponse:
        ctx.log.info("posting with %s", self.options.token.get_secret_value())
        return super().write(ctx, body)


class Hasty(AnsweringCries):
    """Takes any trouble for a post that is gone."""

    def is_gone(self, ctx: Context, id_: str) -> bool:
        with suppress(ConnectorError):
            return CriesSource.is_gone(self, ctx, id_)
        return True


class AllGone(AnsweringCries):
    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        return [Tombstone(one.key, "user_deleted", ctx.now()) for one in signals]


def named(kind: type[ConnectorError], *of: type[ConnectorError]) -> type[AnsweringCries]:
    """A source that calls these errors by another name."""

    def write(self: AnsweringCries, ctx: Context, body: Mapping[str, Any]) -> HttpResponse:
        try:
            return AnsweringCries.write(self, ctx, body)
        except of as error:
            raise kind(str(error)) from error

    return doing(write=write)


ODD, BLIND = "test_an_answer_that_cannot_be_read_leaves_a_doubt_and_one_post", "test_a_look_that_fails_finds_no_answer"
REFUSED, ONCE = "test_a_refusal_has_its_name_and_posts_nothing", "test_the_same_key_twice_is_one_post"
THREAD = "test_an_answer_within_a_thread_stands_under_its_post"
WORDS = "test_words_arrive_as_they_were_written"
CARELESS: list[tuple[type[AnsweringCries], str]] = [
    (KnowsByItself, ONCE),
    (KnowsByItself, "test_after_a_lost_answer_there_is_one_post"),
    (ByItsWords, "test_an_answer_elsewhere_is_not_taken_for_this_one"),
    (ByItsWords, "test_what_was_never_posted_is_not_found"),
    (ByWordsOfAnyone, "test_the_same_words_of_another_are_not_taken_for_ours"),
    (OneLevel, "test_an_answer_to_an_answer_is_posted"),
    (UnderTheLast, "test_an_answer_stands_under_the_post_that_it_answers"),
    (Cutting, "test_an_answer_that_is_too_long_is_rejected_and_not_cut"),
    (Greeting, "test_composing_is_pure_and_adds_nothing_twice"),
    (AnyAnswer, ODD),
    (AnOutageIsRetryable, ODD),
    (Loud, "test_only_declared_hosts_are_asked_and_no_secret_is_logged"),
    (Hasty, "test_a_recheck_that_fails_finds_nothing_gone"),
    (Hasty, "test_what_is_only_hidden_is_not_gone"),
    (AllGone, "test_a_recheck_finds_what_is_gone_and_nothing_else"),
    (posting(mark=lambda body: uuid4().hex), ONCE),
    (posting(html=lambda body: body["html"][:200]), "test_an_answer_of_the_full_length_is_posted_whole"),
    (posting(html=lambda body: escape(body["html"])), WORDS),
    (posting(html=lambda body: body["html"].replace("&amp;", "and")), WORDS),
    (posting(html=lambda body: body["html"].encode("ascii", "ignore").decode()), WORDS),
    (posting(html=lambda body: body["html"].replace("<br>", " ")), "test_paragraphs_stay"),
    (posting(html=halved), "test_an_answer_of_the_full_length_is_posted_whole"),
    (UnderTheRoot, THREAD),
    (doing(translate=own_thread), THREAD),
    (finding(Unavailable), BLIND),
    (finding(Unauthorised), BLIND),
    (finding(Rejected), BLIND),
    (finding(RateLimited), BLIND),
    (named(Unavailable, RateLimited), REFUSED),
    (named(Rejected, Unauthorised), REFUSED),
    (named(Unavailable, Rejected), REFUSED),
    (named(RateLimited, RateLimited), REFUSED),
    (named(Rejected, Uncertain), "test_after_a_lost_answer_there_is_one_post"),
    (doing(measure=lambda self, text: len(text.encode())), "test_a_grapheme_counts_once_and_a_plain_letter_too"),
    (doing(compose=lambda self, reply: f"{reply.text} {uuid4()}"), "test_composing_is_pure_and_adds_nothing_twice"),
    (doing(reply=lambda self, ctx, reply: None), "test_an_answer_is_posted_under_the_id_that_its_signal_will_have"),
    (doing(reply_rules=None), "test_an_answer_that_is_too_long_is_rejected_and_not_cut"),
]


@pytest.mark.long
@pytest.mark.parametrize(
    ("cls", "test"), CARELESS, ids=[f"{n} {cls.__name__} {test}" for n, (cls, test) in enumerate(CARELESS)]
)
def test_a_careless_answer_is_caught(cls: type[AnsweringCries], test: str) -> None:
    assert_caught(type(cls.__name__, (TestAnsweringCries,), {"source": cls}), test)
