"""The contract of a source that answers, played over real HTTP against a small look-alike of its network.

class TestMastodonReplies(ReplyContract):
    source = MastodonSource

    @classmethod
    def options(cls, url: str) -> dict[str, Any]:
        return {"instance": url, "token": "secret", "notifications": True}

    @classmethod
    @contextmanager
    def town(cls, clock: FakeClock) -> Iterator[Town]:
        ...
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar

import msgspec
import pytest

from hub.core.errors import ConnectorError, RateLimited, Rejected, Retryable, Unauthorised, Uncertain
from hub.core.model import RemoteRef, Reply, Signal
from hub.sdk.connectors import Lookup, Native, Upsert
from hub.testkit.contracts.means.witness import impurities, secrets_of, spilt, strange_hosts
from hub.testkit.contracts.parts.town import Outlet, Town, TownSuite, Trouble

__all__ = ["Outlet", "ReplyContract", "Town", "Trouble"]

_SECONDS = 5.0
_ODD: Mapping[str, Mapping[str, Any]] = {
    "an empty body": {"garble": "empty"},
    "a page for people": {"garble": "html"},
    "an answer that is cut": {"garble": "cut"},
    "null": {"garble": "null"},
    "an object of nothing": {"garble": "object"},
    "502 of a proxy": {"fails_after": True},
}
_DOWN: Mapping[str, Mapping[str, Any]] = {
    "500": {"status": 500, "body": "<h1>Error</h1>"},
    "503": {"status": 503},
    "no answer": {"latency_ms": 60_000},
    "429": {"status": 429, "headers": {"Retry-After": "9"}},
    "401": {"expired_token": True},
    "403": {"status": 403, "body": {"error": "forbidden"}},
    "a page for people": {"status": 200, "body": "<h1>Sign in</h1>"},
    "an empty body": {"status": 200},
    "404 of a proxy": {"status": 404, "body": "<h1>Not Found</h1>"},
}
_WORDS = 'Tom & Jerry <3 "100 % sure" it\'s é 日本 👍🏽'  # what no network may change


class ReplyContract(TownSuite):
    """Subclass it with `source`, `options` and `town`.

    `write` matches the calls that post (a fault's `match`): name their path if the source posts elsewhere too, for a token.
    """

    write: ClassVar[Mapping[str, str]] = {"method": "POST"}

    # ------------------------------------------------------------------------------------------------------- the text

    def test_composing_is_pure_and_adds_nothing_twice(self) -> None:
        """What is composed already stays as it is."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            text = outlet.source.compose(reply)
            assert text == outlet.source.compose(reply)
            assert outlet.source.compose(msgspec.structs.replace(reply, text=text)) == text
            assert reply.text in text

    def test_a_grapheme_counts_once_and_a_plain_letter_too(self) -> None:
        """As readers count."""
        with self.play() as outlet:
            assert [outlet.source.measure(text) for text in ("", "abc", "e\u0301")] == [0, 3, 1]

    def test_composing_asks_nothing_of_the_world(self) -> None:
        """What an agent sees before it is sent is what is sent."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            asked = impurities(lambda: (outlet.source.compose(reply), outlet.source.measure(reply.text)))
            assert not asked, f"compose or measure asks {asked}"

    def test_an_answer_that_is_too_long_is_rejected_and_not_cut(self) -> None:
        """An agent's sentence that ends in the middle is worse than none."""
        with self.play() as outlet:
            rules = outlet.source.reply_rules
            assert rules is not None, "a source that answers sets `reply_rules`"
            payload = outlet.town.call_us("help")
            with pytest.raises(Rejected):
                outlet.send(outlet.answer(payload, "x" * (rules.max_length + 1)))
            assert outlet.ids() == [], "a text that is too long was posted"

    @pytest.mark.parametrize("letter", ["x", "é", "日", "👍🏽"])
    def test_an_answer_of_the_full_length_is_posted_whole(self, letter: str) -> None:
        """As long as `reply_rules` says, by `measure`; no emoji is cut in its middle."""
        with self.play() as outlet:
            rules = outlet.source.reply_rules
            assert rules is not None, "a source that answers sets `reply_rules`"
            payload = outlet.town.call_us("help")
            around = outlet.source.measure(outlet.source.compose(outlet.answer(payload, "x"))) - 1
            reply = outlet.answer(payload, letter * ((rules.max_length - around) // outlet.source.measure(letter)))
            outlet.send(reply)
            assert reply.text in self._posted(outlet)[-1].text, "a text of the full length was cut"

    def test_words_arrive_as_they_were_written(self) -> None:
        """Signs, quotes, scripts, emoji: nothing is escaped twice, eaten or taken for markup."""
        with self.play() as outlet:
            outlet.send(outlet.answer(outlet.town.call_us("help"), _WORDS))
            assert _WORDS in self._posted(outlet)[-1].text, (
                f"{_WORDS!r} was posted as {self._posted(outlet)[-1].text!r}"
            )

    def test_paragraphs_stay(self) -> None:
        """A list of steps on one line is hard to follow."""
        with self.play() as outlet:
            outlet.send(outlet.answer(outlet.town.call_us("help"), "First this.\n\nThen that."))
            posted = self._posted(outlet)[-1].text
            between = posted.partition("First this.")[2].partition("Then that.")[0]
            assert "\n" in between, f"a new paragraph became {between!r}: {posted!r}"

    def test_an_answer_within_a_thread_stands_under_its_post(self) -> None:
        """Under the post that is answered, not under the thread's first one; and in that one's conversation."""
        with self.play() as outlet:
            first = outlet.town.call_us("help")
            outlet.send(outlet.answer(first))
            try:
                below = outlet.town.below(outlet.town.answers()[-1], "it did not help")
            except LookupError:  # a network without threads
                return
            outlet.send(outlet.answer(below, "One word more."))
            root, asked, answer = outlet.heard(first)[0], outlet.heard(below)[0], self._posted(outlet)[-1]
            assert {answer.in_reply_to, answer.parent_alias} & {asked.key, *asked.aliases}, (
                "an answer to a post within a thread stands elsewhere: name the post as the parent, not the thread's root"
            )
            assert answer.conversation_key in (None, root.conversation_key or root.key, asked.conversation_key), (
                "an answer within a thread begins another conversation: name the thread's own root"
            )

    def test_an_answer_stands_under_the_post_that_it_answers(self) -> None:
        """Under that one and no other, whichever came last."""
        with self.play() as outlet:
            calls = [outlet.town.call_us(f"help {number}") for number in range(3)]
            outlet.send(outlet.answer(calls[1]))
            asked, answer = outlet.heard(calls[1])[0], self._posted(outlet)[-1]
            known = {asked.key, *asked.aliases}
            assert {answer.in_reply_to, answer.parent_alias} & known, (
                "the answer stands under another post, or under none"
            )

    def test_what_the_engine_gave_is_not_changed(self) -> None:
        """The reply is kept for the next attempt."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            before = msgspec.json.encode(reply)
            outlet.send(reply)
            assert msgspec.json.encode(reply) == before, "reply changed what it was given"

    def test_a_post_whose_raw_item_is_gone_is_answered_or_rejected(self) -> None:
        """Retention may have taken it, and its author's account."""
        with self.play() as outlet:
            reply = msgspec.structs.replace(outlet.answer(outlet.town.call_us("help")), raw=None, author=None)
            with suppress(ConnectorError):
                outlet.send(reply)

    def _posted(self, outlet: Outlet) -> list[Signal]:
        found = [outlet.heard(payload)[0] for payload in outlet.town.answers()]
        assert found, "nothing was posted"
        return found

    # --------------------------------------------------------------------------------------------------- once, and known

    def test_an_answer_is_posted_under_the_id_that_its_signal_will_have(self) -> None:
        """So that the hub knows its own post when it comes back."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            ref = outlet.send(reply)
            assert outlet.ids() == [ref.id]
            (signal,) = (outlet.heard(payload)[0] for payload in outlet.town.answers())
            assert reply.text in signal.text

    def test_the_same_key_twice_is_one_post(self) -> None:
        """A second attempt, as the engine makes it, gives the first one's post."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            first = outlet.send(reply)
            outlet.restart()
            assert self._resolved(outlet, reply).id == first.id, "a second attempt gives another reference"
            assert outlet.ids() == [first.id], "a second attempt posted it twice"

    def test_two_answers_are_two_posts(self) -> None:
        """Another key, another post, though the words are the same."""
        with self.play() as outlet:
            payload = outlet.town.call_us("help")
            first = outlet.send(outlet.answer(payload))
            second = outlet.send(outlet.answer(payload))
            assert first.id != second.id
            assert outlet.ids() == [first.id, second.id]

    def test_after_a_lost_answer_there_is_one_post(self) -> None:
        """The network did it, no answer came: the engine's way out of the doubt doubles nothing."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            outlet.town.trouble(Trouble.LOST)
            with pytest.raises((Uncertain, Retryable)):
                outlet.send(reply)
            outlet.restart()
            assert [self._resolved(outlet, reply).id] == outlet.ids(), "the way out of the doubt posted it twice"

    @pytest.mark.parametrize("name", _ODD)
    def test_an_answer_that_cannot_be_read_leaves_a_doubt_and_one_post(self, name: str) -> None:
        """The network did it, and what it says of it is spoilt: in doubt, and never posted twice."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            outlet.line.set_faults({"match": self.write, **_ODD[name]})
            error: ConnectorError | None = None
            try:
                ref = outlet.send(reply)
                assert ref.id in outlet.ids(), f"after {name} it gives {ref}, which is no post of ours: raise Uncertain"
            except ConnectorError as failure:
                error = failure
            assert error is None or isinstance(error, Uncertain | Retryable), f"after {name} it is {error!r}"
            outlet.line.set_faults()
            outlet.restart()
            again = self._resolved(outlet, reply, error)
            assert [again.id] == outlet.ids(), f"after {name} there are {len(outlet.ids())} posts of 1"

    def test_after_a_broken_connection_there_is_one_post(self) -> None:
        """The network did nothing: the way out of the doubt posts it."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            outlet.town.trouble(Trouble.CUT)
            with pytest.raises((Uncertain, Retryable)):
                outlet.send(reply)
            assert [self._resolved(outlet, reply).id] == outlet.ids()

    def test_after_the_networks_memory_a_post_is_found_again(self) -> None:
        """The network keeps a key for a while only, and a day has passed."""
        if not isinstance(self.source.reply_idempotency, Native | Lookup):
            return
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            outlet.town.trouble(Trouble.LOST)
            with pytest.raises((Uncertain, Retryable)):
                outlet.send(reply)
            found = outlet.source.find_reply(outlet.ctx, outlet.again(reply, after=timedelta(days=1)))
            assert found is not None
            assert [found.id] == outlet.ids()

    def test_what_was_never_posted_is_not_found(self) -> None:
        """Not another answer to the same post either."""
        with self.play() as outlet:
            payload = outlet.town.call_us("help")
            outlet.send(outlet.answer(payload, "Something else."))
            assert outlet.source.find_reply(outlet.ctx, outlet.again(outlet.answer(payload))) is None

    @pytest.mark.parametrize("name", _DOWN)
    def test_a_look_that_fails_finds_no_answer(self, name: str) -> None:
        """An error, never None: "not there" posts it again."""
        if not isinstance(self.source.reply_idempotency, Native | Lookup):
            return
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            outlet.send(reply)
            outlet.line.set_faults(_DOWN[name])
            try:
                found = outlet.source.find_reply(outlet.ctx, outlet.again(reply, after=timedelta(days=1)))
            except ConnectorError:
                return
            except Exception as error:
                raise AssertionError(f"find_reply lets a bug out ({type(error).__name__}: {error})") from error
            assert found is not None, f"under {name} find_reply says that it is not there: raise what befell it"

    def test_an_answer_elsewhere_is_not_taken_for_this_one(self) -> None:
        """The same words under another post are another answer."""
        if not isinstance(self.source.reply_idempotency, Native | Lookup):
            return
        with self.play() as outlet:
            one, other = outlet.town.call_us("help"), outlet.town.call_us("help me too")
            outlet.send(outlet.answer(one))
            lost = outlet.again(outlet.answer(other), after=timedelta(days=1))
            assert outlet.source.find_reply(outlet.ctx, lost) is None, "an answer to another post is taken for this one"

    def test_an_answer_to_an_answer_is_posted(self) -> None:
        """Some networks know one level only: it goes below the first post then."""
        with self.play() as outlet:
            if payload := self._below(outlet, outlet.town.call_us("help"), "me too"):
                ref = outlet.send(outlet.answer(payload))
                assert outlet.ids() == [ref.id], "an answer to an answer was not posted once"

    def test_the_same_words_of_another_are_not_taken_for_ours(self) -> None:
        """A person quotes what we said elsewhere, and the doubt about our own answer would end with it."""
        with self.play() as outlet:
            payload = outlet.town.call_us("help")
            reply = outlet.answer(payload)
            if self._below(outlet, payload, reply.text):
                found: RemoteRef | None = None
                with suppress(ConnectorError):
                    found = outlet.source.find_reply(outlet.ctx, outlet.again(reply))
                assert found is None, "the words of another person are taken for our answer: look at who said them"

    def _below(self, outlet: Outlet, payload: bytes, text: str) -> bytes | None:
        try:
            return outlet.town.call_below(payload, text)
        except LookupError:  # a source that reads no answers
            return None

    def _resolved(self, outlet: Outlet, reply: Reply, error: ConnectorError | None = None) -> RemoteRef:
        """Do what the engine does in doubt: look it up, or send the same again."""
        kind = self.source.reply_idempotency
        if isinstance(error, Retryable) and not isinstance(error, Uncertain):
            return outlet.send(outlet.again(reply))
        after = kind.lag if isinstance(kind, Lookup) else timedelta(seconds=5)
        again = outlet.again(reply, after=after)
        if isinstance(kind, Lookup) and (found := outlet.source.find_reply(outlet.ctx, again)):
            return found
        assert isinstance(kind, Upsert | Native | Lookup), (
            "no one can tell what became of it: set `reply_idempotency` to Upsert, Native or Lookup"
        )
        return outlet.send(again)

    # ------------------------------------------------------------------------------------------------------ what is refused

    def test_a_post_that_is_gone_cannot_be_answered(self) -> None:
        """Rejected, with a reason that an agent understands; nothing is posted."""
        with self.play() as outlet:
            payload = outlet.town.call_us("help")
            reply = outlet.answer(payload)
            outlet.town.delete(payload)
            with pytest.raises(Rejected, match="gone"):
                outlet.send(reply)
            assert outlet.ids() == []

    @pytest.mark.parametrize(
        ("trouble", "error"),
        [(Trouble.REVOKED, Unauthorised), (Trouble.LIMIT, RateLimited), (Trouble.REFUSED, Rejected)],
    )
    def test_a_refusal_has_its_name_and_posts_nothing(self, trouble: Trouble, error: type[ConnectorError]) -> None:
        """The engine pauses, waits, or shows the reason."""
        with self.play() as outlet:
            outlet.town.trouble(trouble)
            with pytest.raises(error) as caught:
                outlet.send(outlet.answer(outlet.town.call_us("help")))
            assert outlet.ids() == []
            if isinstance(caught.value, RateLimited):
                assert caught.value.retry_after == pytest.approx(30, abs=1)

    def test_an_answer_is_never_wider_than_what_it_answers(self) -> None:
        """To what was said to us alone we answer to the author alone, or not at all."""
        with self.play() as outlet:
            try:
                payload = outlet.town.call_us("help", private=True)
            except LookupError:  # a network on which everything is public
                return
            outlet.send(outlet.answer(payload))
            (signal,) = (outlet.heard(answer)[0] for answer in outlet.town.answers())
            assert signal.visibility == outlet.heard(payload)[0].visibility == "direct"

    # ---------------------------------------------------------------------------------------------------------- what is gone

    def test_a_recheck_finds_what_is_gone_and_nothing_else(self) -> None:
        """One of three was deleted."""
        with self.play() as outlet:
            payloads = [outlet.town.call_us(f"help {number}") for number in range(3)]
            signals = [outlet.heard(payload)[0] for payload in payloads]
            assert len(signals) <= self.source.recheck_size
            assert list(outlet.source.recheck(outlet.ctx, signals)) == []
            outlet.town.delete(payloads[1])
            assert [one.key for one in outlet.source.recheck(outlet.ctx, signals)] == [signals[1].key]

    def test_what_is_only_hidden_is_not_gone(self) -> None:
        """A suspended account may come back."""
        with self.play() as outlet:
            payload = outlet.town.call_us("help")
            try:
                outlet.town.suspend(payload)
            except LookupError:  # a network that says of both that it is not there
                return
            assert list(outlet.source.recheck(outlet.ctx, [outlet.heard(payload)[0]])) == []

    def test_a_network_that_is_down_has_lost_nothing(self) -> None:
        """No tombstone, and perhaps an error that is tried again."""
        with self.play() as outlet:
            signal, _ = outlet.heard(outlet.town.call_us("help"))
            outlet.town.go_down()
            with suppress(Retryable):
                assert list(outlet.source.recheck(outlet.ctx, [signal])) == []

    @pytest.mark.parametrize("name", _DOWN)
    def test_a_recheck_that_fails_finds_nothing_gone(self, name: str) -> None:
        """A tombstone erases the post from every CRM: what cannot be told is left out."""
        with self.play() as outlet:
            signal, _ = outlet.heard(outlet.town.call_us("help"))
            for calls in range(2):
                outlet.line.set_faults({**_DOWN[name], "after": calls})
                with suppress(ConnectorError):
                    found = list(outlet.source.recheck(outlet.ctx, [signal]))
                    assert found == [], f"under {name} a post is told to be gone"

    # ------------------------------------------------------------------------------------------------------------ around it

    def test_only_declared_hosts_are_asked_and_no_secret_is_logged(self) -> None:
        """On good days and on bad ones."""
        with self.play() as outlet:
            payload = outlet.town.call_us("help")
            outlet.send(outlet.answer(payload))
            for fault in ({"status": 500}, {"expired_token": True}, {"status": 400, "body": {"error": "x"}}):
                outlet.line.set_faults(fault)
                with suppress(ConnectorError):
                    outlet.send(outlet.answer(payload))
            strange = strange_hosts(outlet.line.requests, outlet.source.egress())
            assert not strange, f"{strange} were asked, which egress() does not name"
            assert not outlet.seen.dialled, (
                f"it dialled {outlet.seen.dialled} by itself: use ctx.http or an adapter of it"
            )
            assert not spilt(secrets_of(outlet.source.options), outlet.seen.told()), "a log line tells a secret"
