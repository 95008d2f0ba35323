"""The contract of acts passes a well-made source and catches each kind of careless one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from hub import Act, ConnectorError, Context, Outcome, RateLimited, RawItem, Rejected, RemoteRef, Translated, Uncertain
from hub.core.model import ActKind, Origin
from hub.sdk.http.api import Api, ApiAnswer
from hub.sdk.http.auth import Bearer
from hub.testkit.contracts.acts import KINDS, ActsContract, ActTown
from hub.testkit.contracts.replies import Trouble
from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import Answer, Call, SandboxOptions, route, serve
from tests.hub.testkit.cries import CriesSandbox, CriesSource
from tests.hub.testkit.trial import assert_caught

CALLS: Mapping[ActKind, tuple[str, str]] = {
    "like": ("PUT", "/liked"),
    "unlike": ("DELETE", "/liked"),
    "hide": ("PUT", "/hidden"),
    "unhide": ("DELETE", "/hidden"),
    "delete_own": ("DELETE", ""),
}


class ActingCries(CriesSource):
    """Does one call for each act; what is gone needs no taking back."""

    capabilities = frozenset(KINDS)

    def act(self, ctx: Context, act: Act) -> Outcome:
        if act.kind not in self.capabilities:
            return super().act(ctx, act)
        answer = self.do(ctx, act)
        if answer.status == 404 and answer.doc.text("error") != "gone":
            raise Uncertain("the answer is not the network's")
        ref = self.ref(answer) if act.kind in ("like", "hide") else None
        if answer.status == 200:
            answer.named("id")
        return Outcome.delivered(act, ref)

    def translate(self, raw: RawItem) -> Translated:
        found = super().translate(raw)
        origin: Origin = "hub" if found.authors[0].native_id == "us" else "source"
        return Translated((msgspec.structs.replace(found.signals[0], origin=origin),), found.authors)

    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        method, what = CALLS[act.kind]
        path = f"cries/{act.to.native_id}{what}"
        return self.api(ctx).delete(path) if method == "DELETE" else self.api(ctx).put(path)

    def ref(self, answer: ApiAnswer) -> RemoteRef:
        return RemoteRef(answer.named("id"))

    def api(self, ctx: Context) -> Api:
        return Api(ctx, self.options.url, auth=Bearer(self.options.token.get_secret_value()))


class ActedSandbox(CriesSandbox):
    """The network; `force` is what an administrator of it may say."""

    @route("PUT", "/cries/{id}/{mark}", object="cries")
    def put_mark(self, call: Call) -> Answer:
        return self._mark(call, is_set=True)

    @route("DELETE", "/cries/{id}/{mark}", object="cries")
    def drop_mark(self, call: Call) -> Answer:
        return self._mark(call, is_set=False)

    def _mark(self, call: Call, *, is_set: bool) -> Answer:
        id_, mark = call.args["id"], call.args["mark"]
        found = self.store.get("cries", id_)
        if found is None:
            return Answer(404, {"error": "gone"})
        if mark == "hidden" and not call.param("force") and not self._is_ours(found.get("parent", "")):
            return Answer(403, {"error": "not your thread"})
        self.store.update("cries", id_, {mark: is_set})
        return Answer(200, {"id": f"{mark}-{id_}"})

    @route("DELETE", "/cries/{id}", object="cries")
    def drop(self, call: Call) -> Answer:
        id_ = call.args["id"]
        if self.store.get("cries", id_) is None:
            return Answer(404, {"error": "gone"})
        if not call.param("force") and not self._is_ours(id_):
            return Answer(403, {"error": "not yours"})
        self.store.remove("cries", id_)
        return Answer(200, {"id": id_})

    def _is_ours(self, id_: str) -> bool:
        return bool((self.store.get("cries", id_) or {}).get("by") == "us")


class ActedTown(ActTown):
    """The network as the contract plays it."""

    def __init__(self, sandbox: ActedSandbox, url: str) -> None:
        self.sandbox, self.url = sandbox, url

    def call_us(self, text: str, *, private: bool = False) -> bytes:
        return self._said(text)

    def own(self, text: str) -> bytes:
        return self._said(text, by="us")

    def below(self, payload: bytes, text: str) -> bytes:
        return self._said(text, parent=json.loads(payload)["id"])

    def _said(self, text: str, **more: str) -> bytes:
        id_ = self.sandbox.cry(text)
        self.sandbox.store.update("cries", id_, more)
        return json.dumps(self.sandbox.store.get("cries", id_)).encode()

    def marks(self) -> Mapping[str, frozenset[str]]:
        known = ("liked", "hidden")
        return {id_: frozenset(one for one in known if cry.get(one)) for id_, cry in self.sandbox.store.all("cries")}

    def delete(self, payload: bytes) -> None:
        self.sandbox.store.remove("cries", json.loads(payload)["id"])

    def answers(self) -> Sequence[bytes]:
        raise NotImplementedError

    def suspend(self, payload: bytes) -> None:
        raise NotImplementedError

    def go_down(self) -> None:
        raise NotImplementedError

    def trouble(self, what: Trouble) -> None:
        raise NotImplementedError


class TestActingCries(ActsContract):
    """The whole suite over a good source."""

    source = ActingCries

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"url": url}

    @classmethod
    @contextmanager
    def town(cls, clock: FakeClock) -> Iterator[ActTown]:
        with serve(ActedSandbox(SandboxOptions(clock=clock))) as running:
            yield ActedTown(running.sandbox, running.url)

    def write_of(self, kind: ActKind) -> Mapping[str, str]:
        return {"method": CALLS[kind][0]}


# ------------------------------------------------------------------------------------------------------ careless ones

CARELESS: list[tuple[type[ActingCries], str]] = []
ONCE = "test_the_same_act_again_changes_nothing"
ONE = "test_an_act_is_done_to_its_post_and_to_no_other"
LOST = "test_after_a_lost_answer_the_act_is_done_once"
PAGE = "test_a_page_of_some_proxy_is_no_proof"
REFUSED = "test_a_refusal_is_told_by_its_name_and_does_nothing"
GONE = "test_a_post_that_is_gone_is_told_or_needs_no_more"


def caught_by(*tests: str) -> Any:
    """Note the tests that catch a class."""

    def note(cls: type[ActingCries]) -> type[ActingCries]:
        CARELESS.extend((cls, test) for test in tests)
        return cls

    return note


@caught_by(ONCE, LOST)
class Toggles(ActingCries):
    """Does it the other way round at the second attempt, as a button does."""

    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        back: dict[str, ActKind] = {"like": "unlike", "unlike": "like", "hide": "unhide", "unhide": "hide"}
        kind = back.get(act.kind, act.kind) if act.attempt > 1 else act.kind
        return super().do(ctx, msgspec.structs.replace(act, kind=kind))


@caught_by(ONCE)
class NewNames(ActingCries):
    def ref(self, answer: ApiAnswer) -> RemoteRef:
        return RemoteRef(str(uuid4()))


@caught_by(ONE)
class Shotgun(ActingCries):
    """Does it to the newest cry as well."""

    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        newest = self.page(ctx, "")[0][0].id
        with suppress(ConnectorError):
            super().do(ctx, msgspec.structs.replace(act, to=msgspec.structs.replace(act.to, native_id=newest)))
        return super().do(ctx, act)


@caught_by(ONE)
class Idle(ActingCries):
    def act(self, ctx: Context, act: Act) -> Outcome:
        return Outcome.delivered(act)


@caught_by(ONE)
class Misnamed(ActingCries):
    def act(self, ctx: Context, act: Act) -> Outcome:
        return Outcome(0, ref=super().act(ctx, act).ref)


@caught_by(ONE)
class Nameless(ActingCries):
    def ref(self, answer: ApiAnswer) -> RemoteRef:
        return RemoteRef(str(answer.doc.text("no_such_field")))


@caught_by(PAGE)
class TrustsPages(ActingCries):
    def api(self, ctx: Context) -> Api:
        return Api(ctx, self.options.url, auth=Bearer(self.options.token.get_secret_value()), plain=True)

    def act(self, ctx: Context, act: Act) -> Outcome:
        self.do(ctx, act)
        return Outcome.delivered(act)


@caught_by(REFUSED, LOST, "test_what_others_said_is_not_deleted")
class AllIsWell(ActingCries):
    def act(self, ctx: Context, act: Act) -> Outcome:
        with suppress(ConnectorError):
            return super().act(ctx, act)
        return Outcome.delivered(act)


@caught_by(LOST, REFUSED)
class GivesUp(ActingCries):
    """Whatever befalls it is final."""

    def act(self, ctx: Context, act: Act) -> Outcome:
        try:
            return super().act(ctx, act)
        except ConnectorError as error:
            return Outcome.failed(act, Rejected(str(error)))


@caught_by(REFUSED)
class Stubborn(ActingCries):
    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        for _ in range(20):
            with suppress(ConnectorError):
                return super().do(ctx, act)
        return super().do(ctx, act)


@caught_by(REFUSED)
class Hurried(ActingCries):
    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        try:
            return super().do(ctx, act)
        except RateLimited as error:
            raise RateLimited(str(error)) from error


@caught_by(GONE)
class LikesGhosts(ActingCries):
    def act(self, ctx: Context, act: Act) -> Outcome:
        try:
            return super().act(ctx, act)
        except Rejected as error:
            if error.code != "404" and error.details.get("status") != 404:
                raise
            return Outcome.delivered(act)


@caught_by(GONE)
class MissesTheGone(ActingCries):
    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        found = super().do(ctx, act)
        if found.status == 404:
            raise Rejected("not found")
        return found


@caught_by("test_what_others_said_is_not_deleted", "test_under_posts_of_others_nothing_is_hidden")
class Administrator(ActingCries):
    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        method, what = CALLS[act.kind]
        path = f"cries/{act.to.native_id}{what}?force=yes"
        return self.api(ctx).call(method, path, also=(404,) if method == "DELETE" else ())


@caught_by("test_what_was_never_done_is_taken_back_already")
class Pedantic(ActingCries):
    """Complains of a like that is not there."""

    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        shown = self.api(ctx).get(f"cries/{act.to.native_id}").doc
        if act.kind in ("unlike", "unhide") and not shown.flag("liked") and not shown.flag("hidden"):
            raise Rejected("it is not liked")
        return super().do(ctx, act)


@caught_by("test_what_a_source_does_not_name_it_refuses")
class Silent(ActingCries):
    """Names no hiding, and says that it is done."""

    capabilities = frozenset({"like", "unlike"})

    def act(self, ctx: Context, act: Act) -> Outcome:
        return super().act(ctx, act) if act.kind in self.capabilities else Outcome.delivered(act)


@caught_by("test_without_its_raw_item_an_act_is_done_or_told")
class NeedsItsRaw(ActingCries):
    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        json.loads(act.raw.payload)  # type: ignore[union-attr]  # careless on purpose
        return super().do(ctx, act)


@caught_by(REFUSED)
class Talkative(ActingCries):
    def act(self, ctx: Context, act: Act) -> Outcome:
        try:
            return super().act(ctx, act)
        except ConnectorError as error:
            error.args = (f"{error} with {self.options.token.get_secret_value()}",)
            raise


@caught_by("test_what_we_said_ourselves_is_told_to_be_ours")
class Modest(ActingCries):
    """Does not know its own words."""

    def translate(self, raw: RawItem) -> Translated:
        return CriesSource.translate(self, raw)


@caught_by("test_acts_ask_only_declared_hosts_and_log_no_secret")
class Chatty(ActingCries):
    def do(self, ctx: Context, act: Act) -> ApiAnswer:
        ctx.log.info("%s with %s", act.kind, self.options.token.get_secret_value())
        return super().do(ctx, act)


@pytest.mark.long
@pytest.mark.parametrize(("cls", "test"), CARELESS, ids=[f"{cls.__name__} {test}" for cls, test in CARELESS])
def test_a_careless_source_is_caught(cls: type[ActingCries], test: str) -> None:
    assert_caught(type(cls.__name__, (TestActingCries,), {"source": cls}), test)
