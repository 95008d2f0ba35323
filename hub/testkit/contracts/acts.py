"""The contract of a source that does things to posts (likes, hides, deletes), played over real HTTP against a look-alike.

class TestMastodonActs(ActsContract):
    source = MastodonSource

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"instance": url, "token": "secret"}

    @classmethod
    @contextmanager
    def town(cls, clock: FakeClock) -> Iterator[ActTown]:
        ...

Each kind of act that the source names among its capabilities is tried. A private reply is a reply: see `ReplyContract`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import msgspec
import pytest

from hub.core.errors import (
    ConnectorError,
    QuotaExhausted,
    RateLimited,
    Rejected,
    Retryable,
    Unauthorised,
    Uncertain,
)
from hub.core.model import ACTS, Act, ActKind
from hub.sdk.connectors import Outcome
from hub.testkit.contracts.means.witness import secrets_of, spilt, strange_hosts
from hub.testkit.contracts.parts.town import ActTown, Outlet, TownSuite

__all__ = ["ActTown", "ActsContract", "Outlet"]

KINDS: tuple[ActKind, ...] = tuple(kind for kind in ACTS if kind != "private_reply")
UNDONE: Mapping[ActKind, ActKind] = {"unlike": "like", "unhide": "hide"}
"""What an act takes back."""
_MARKS: Mapping[ActKind, tuple[str, bool]] = {
    "like": ("liked", True),
    "unlike": ("liked", False),
    "hide": ("hidden", True),
    "unhide": ("hidden", False),
}
_PAGES: Mapping[str, Mapping[str, Any]] = {
    "a page for people": {"status": 200, "body": "<!doctype html><title>Sign in</title>"},
    "a number": {"status": 200, "body": 7},
    "a list": {"status": 200, "body": []},
    "302 to a page for people": {"status": 302, "headers": {"Location": "/login"}, "body": "<h1>Moved</h1>"},
}
"""What some proxy says in the network's place: nothing was done."""
_REFUSALS: Mapping[str, tuple[Mapping[str, Any], tuple[type[ConnectorError], ...]]] = {
    "400": ({"status": 400, "body": {"error": "InvalidRequest", "message": "no"}}, (Rejected,)),
    "403": ({"status": 403, "body": {"error": "Forbidden", "message": "no"}}, (Rejected, Unauthorised)),
    "422": ({"status": 422, "body": {"error": "InvalidRequest", "message": "no"}}, (Rejected,)),
    "refused credentials": ({"expired_token": True}, (Unauthorised,)),
    "429": ({"status": 429, "headers": {"Retry-After": "120"}}, (RateLimited, QuotaExhausted)),
    "500": ({"status": 500, "body": "<h1>Error</h1>"}, (Retryable, Uncertain)),
    "503": ({"status": 503}, (Retryable, Uncertain)),
    "a reset before": ({"reset_before": True}, (Retryable, Uncertain)),
}
_EACH = pytest.mark.parametrize("kind", KINDS)


class ActsContract(TownSuite):
    """Subclass it with `source`, `options` and `town`; override `write_of` for calls that are no POST and DELETE."""

    def write_of(self, kind: ActKind) -> Mapping[str, str]:
        """Return what matches the calls that do it (a fault's `match`); reading and signing in are none of them."""
        return {"method": "DELETE" if kind == "delete_own" else "POST"}

    def has(self, kind: ActKind) -> bool:
        """Return True if the source names this kind."""
        return kind in self.source.capabilities

    def act(self, outlet: Outlet, kind: ActKind, *, fresh: bool = False) -> Act:
        """Return an act on a post of the kind that it is for; what it takes back is done first, unless `fresh`."""
        payload = self._post(outlet, kind)
        signal, raw = outlet.heard(payload)
        outlet.acts += 1
        act = Act(outlet.acts, kind, f"act{outlet.acts}", signal, raw=raw, agent="Kim")
        if kind in UNDONE and not fresh:
            self.done(outlet, msgspec.structs.replace(act, kind=UNDONE[kind]))
        return act

    def _post(self, outlet: Outlet, kind: ActKind) -> bytes:
        town = self.place(outlet)
        if kind == "delete_own":
            return town.own("too early")
        return (
            town.below(town.own("our news"), "buy my pills") if kind in ("hide", "unhide") else town.call_us("lovely")
        )

    def place(self, outlet: Outlet) -> ActTown:
        """Return the town, as one that shows what was done."""
        return cast("ActTown", outlet.town)

    def attempt(self, outlet: Outlet, act: Act) -> ConnectorError | Outcome:
        """Do it: the error that is raised or told, else the outcome; no error tells a secret, and no bug gets out."""
        before = msgspec.json.encode(act)
        try:
            found = outlet.source.act(outlet.ctx, act)
        except ConnectorError as error:
            told = f"{error} {error.code} {error.details}"
            assert not spilt(secrets_of(outlet.source.options), told, vars(error)), "an error tells a secret"
            return error
        except Exception as error:
            raise AssertionError(f"act lets a bug out ({type(error).__name__}: {error}): raise Uncertain") from error
        assert isinstance(found, Outcome), f"act gives {found!r}, the engine wants an Outcome"
        assert found.delivery_id == act.id, "the outcome is that of another act"
        assert found.ref is None or found.ref.id.strip() not in ("", "None"), f"{found.ref!r} names nothing"
        assert msgspec.json.encode(act) == before, "act changed what it was given"
        return found.error or found

    def done(self, outlet: Outlet, act: Act) -> Outcome:
        """Do it on a good day."""
        found = self.attempt(outlet, act)
        assert isinstance(found, Outcome), f"{act.kind} on a good day ends in {found!r}"
        return found

    def assert_done(self, outlet: Outlet, act: Act, before: Mapping[str, frozenset[str]]) -> None:
        """Check that the network shows that it was done to this post, and nothing else."""
        id_, wanted = act.to.native_id, dict(before)
        if act.kind == "delete_own":
            del wanted[id_]
        else:
            mark, is_set = _MARKS[act.kind]
            wanted[id_] = before[id_] | {mark} if is_set else before[id_] - {mark}
        found = self.place(outlet).marks()
        assert found.get(id_) == wanted.get(id_), (
            f"after {act.kind} the post shows {found.get(id_)}, not {wanted.get(id_)}"
        )
        assert found == wanted, f"{act.kind} touched another post: {found}, not {wanted}"

    # -------------------------------------------------------------------------------------------------------- good days

    @_EACH
    def test_an_act_is_done_to_its_post_and_to_no_other(self, kind: ActKind) -> None:
        """Beside it stand posts of ours and of others."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            for other in KINDS:
                self._post(outlet, other)
            act = self.act(outlet, kind)
            self._post(outlet, kind)
            before = self.place(outlet).marks()
            self.done(outlet, act)
            self.assert_done(outlet, act, before)

    @_EACH
    def test_the_same_act_again_changes_nothing(self, kind: ActKind) -> None:
        """The engine repeats after a doubt, from another process too: what is done already is done."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            act = self.act(outlet, kind)
            before = self.place(outlet).marks()
            first = self.done(outlet, act)
            for attempt in (2, 3):
                outlet.restart()
                outlet.clock.advance(60)
                again = self.done(outlet, msgspec.structs.replace(act, attempt=attempt))
                assert again.ref == first.ref, f"the same act has the reference {first.ref}, and then {again.ref}"
            self.assert_done(outlet, act, before)

    @pytest.mark.parametrize("kind", UNDONE)
    def test_what_was_never_done_is_taken_back_already(self, kind: ActKind) -> None:
        """No error, and nothing changes."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            act = self.act(outlet, kind, fresh=True)
            before = self.place(outlet).marks()
            self.done(outlet, act)
            assert self.place(outlet).marks() == before, f"{kind} of what was never done changed something"

    @_EACH
    def test_without_its_raw_item_an_act_is_done_or_told(self, kind: ActKind) -> None:
        """Retention may have taken it."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            act = self.act(outlet, kind)
            before = self.place(outlet).marks()
            if isinstance(self.attempt(outlet, msgspec.structs.replace(act, raw=None, author=None)), Outcome):
                self.assert_done(outlet, act, before)
            else:
                assert self.place(outlet).marks() == before, f"{kind} was told to have failed, and did something"

    def test_what_we_said_ourselves_is_told_to_be_ours(self) -> None:
        """Else rules, agents and moods take our own words for a customer's."""
        with self.play() as outlet:
            ours, theirs = (
                outlet.heard(one)[0] for one in (self.place(outlet).own("news"), outlet.town.call_us("lovely"))
            )
            assert ours.origin == "hub", "a post of our account is told to be another's: set origin to hub"
            assert theirs.origin == "source", "another's post is told to be ours: no one would see it"

    # --------------------------------------------------------------------------------------------------------- bad days

    @_EACH
    def test_after_a_lost_answer_the_act_is_done_once(self, kind: ActKind) -> None:
        """The network did it, no answer came: in doubt, and the repeat changes nothing."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            act = self.act(outlet, kind)
            before = self.place(outlet).marks()
            outlet.line.set_faults({"match": self.write_of(kind), "times": 1, "reset_after": True})
            found = self.attempt(outlet, act)
            assert isinstance(found, Uncertain | Retryable), f"after a lost answer {kind} is {found!r}: it may be done"
            outlet.line.set_faults()
            outlet.restart()
            self.done(outlet, msgspec.structs.replace(act, attempt=2))
            self.assert_done(outlet, act, before)

    @_EACH
    @pytest.mark.parametrize("name", _PAGES)
    def test_a_page_of_some_proxy_is_no_proof(self, kind: ActKind, name: str) -> None:
        """Nothing was done: never told to be done."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            act = self.act(outlet, kind)
            before = self.place(outlet).marks()
            outlet.line.set_faults({"match": self.write_of(kind), **_PAGES[name]})
            found = self.attempt(outlet, act)
            assert not isinstance(found, Outcome), (
                f"{name}: {kind} is told to be done, and nothing was. It is Uncertain"
            )
            assert not isinstance(found, Unauthorised), f"{name} pauses the connection: {found!r}"
            assert self.place(outlet).marks() == before
            outlet.line.set_faults()
            self.done(outlet, msgspec.structs.replace(act, attempt=2))
            self.assert_done(outlet, act, before)

    @_EACH
    @pytest.mark.parametrize("name", _REFUSALS)
    def test_a_refusal_is_told_by_its_name_and_does_nothing(self, kind: ActKind, name: str) -> None:
        """With few calls; the engine pauses, waits, or shows the reason."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            act = self.act(outlet, kind)
            before, calls = self.place(outlet).marks(), len(outlet.line.requests)
            fault, kinds = _REFUSALS[name]
            outlet.line.set_faults({"match": self.write_of(kind), **fault})
            found = self.attempt(outlet, act)
            assert isinstance(found, kinds), f"{kind} met {name} and is {found!r}, none of {kinds}"
            assert self.place(outlet).marks() == before, f"{kind} was refused ({name}), and something changed"
            assert len(outlet.line.requests) - calls <= 12, "it asks again and again: the engine does that"
            if isinstance(found, RateLimited):
                assert found.retry_after == pytest.approx(120, abs=2), "the network's own pause is not told"

    # ---------------------------------------------------------------------------------------------------- what is refused

    @_EACH
    def test_a_post_that_is_gone_is_told_or_needs_no_more(self, kind: ActKind) -> None:
        """A like of it is Rejected; what was to be taken back or deleted is gone with it."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            act = self.act(outlet, kind)
            assert act.raw is not None
            outlet.town.delete(act.raw.payload)
            before = self.place(outlet).marks()
            found = self.attempt(outlet, act)
            assert isinstance(found, Outcome | Rejected), f"{kind} of a post that is gone is {found!r}"
            assert kind not in ("like", "hide") or isinstance(found, Rejected), (
                f"{kind} of what is gone is told to be done"
            )
            assert kind != "delete_own" or isinstance(found, Outcome), "what is gone is deleted already"
            assert self.place(outlet).marks() == before

    def test_what_others_said_is_not_deleted(self) -> None:
        """Not even asked for: Rejected."""
        if not self.has("delete_own"):
            return
        with self.play() as outlet:
            self._assert_refused(outlet, "delete_own", outlet.town.call_us("mine"))

    @pytest.mark.parametrize("kind", ["hide", "unhide"])
    def test_under_posts_of_others_nothing_is_hidden(self, kind: ActKind) -> None:
        """Only in a thread of ours."""
        if not self.has(kind):
            return
        with self.play() as outlet:
            town = self.place(outlet)
            self._assert_refused(outlet, kind, town.below(town.call_us("a thread"), "more"))

    @_EACH
    def test_what_a_source_does_not_name_it_refuses(self, kind: ActKind) -> None:
        """Rejected: the engine asks for what `capabilities` name, a person may ask for more."""
        if self.has(kind):
            return
        with self.play() as outlet:
            self._assert_refused(outlet, kind, self._post(outlet, kind))

    def _assert_refused(self, outlet: Outlet, kind: ActKind, payload: bytes) -> None:
        signal, raw = outlet.heard(payload)
        before = self.place(outlet).marks()
        found = self.attempt(outlet, Act(1, kind, "act1", signal, raw=raw))
        assert isinstance(found, Rejected), f"{kind} is {found!r}, not Rejected"
        assert self.place(outlet).marks() == before, f"{kind} was refused, and something changed"

    # ------------------------------------------------------------------------------------------------------ around it

    def test_acts_ask_only_declared_hosts_and_log_no_secret(self) -> None:
        """On good days and on bad ones."""
        with self.play() as outlet:
            for kind in filter(self.has, KINDS):
                act = self.act(outlet, kind)
                for fault in ({"status": 500}, {"expired_token": True}, {"status": 400, "body": {"error": "x"}}):
                    outlet.line.set_faults({"match": self.write_of(kind), **fault})
                    with suppress(ConnectorError):
                        outlet.source.act(outlet.ctx, act)
                outlet.line.set_faults()
            strange = strange_hosts(outlet.line.requests, outlet.source.egress())
            assert not strange, f"{strange} were asked, which egress() does not name"
            assert not outlet.seen.dialled, f"it dialled {outlet.seen.dialled} by itself: use ctx.http"
            assert not spilt(secrets_of(outlet.source.options), outlet.seen.told()), "a log line tells a secret"
