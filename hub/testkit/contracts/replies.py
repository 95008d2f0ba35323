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

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, ClassVar

import msgspec
import pytest
from pydantic import SecretStr

from hub.core.errors import ConnectorError, RateLimited, Rejected, Retryable, Unauthorised, Uncertain
from hub.core.keys import idempotency_key
from hub.core.model import RawItem, RemoteRef, Reply, Signal, Translated
from hub.sdk.connectors import Context, Lookup, Native, Source, Upsert
from hub.sdk.http import open_guard
from hub.testkit.contracts.stage import HastyHttp
from hub.testkit.fakes import FakeClock, MemoryState, context

_SECONDS = 5.0


class Trouble(Enum):
    """What the next post of ours meets."""

    LOST = "it is done, and the connection breaks before the answer"
    CUT = "nothing is done, and the connection breaks"
    REVOKED = "the account's credentials are refused"
    LIMIT = "too many posts: wait 30 seconds"
    REFUSED = "the network does not like the text"


class Town(ABC):
    """A network just large enough: somebody calls us, and we may answer. `url` is where it is reached."""

    url: str

    @abstractmethod
    def call_us(self, text: str, *, private: bool = False) -> bytes:
        """Somebody calls our account; the payload as the source would get it. `private`: for us alone."""

    @abstractmethod
    def answers(self) -> Sequence[bytes]:
        """What our account has posted, each as the source would get it, oldest first."""

    @abstractmethod
    def delete(self, payload: bytes) -> None:
        """The author takes a post back."""

    @abstractmethod
    def suspend(self, payload: bytes) -> None:
        """The author's account is hidden for a while."""

    @abstractmethod
    def go_down(self) -> None:
        """From now on every call fails on the network's side."""

    @abstractmethod
    def trouble(self, what: Trouble) -> None:
        """The next post of our account meets this."""


@dataclass
class Outlet:
    """A source, its town and the engine's part played by hand."""

    source: Source[Any]
    town: Town
    ctx: Context
    clock: FakeClock
    replies: int = field(default=0)

    def heard(self, payload: bytes) -> tuple[Signal, RawItem]:
        """The signal of a payload, with its raw item."""
        external_id, revision = self.source.identify(payload)
        raw = RawItem(self.ctx.connection, self.source.name, payload, self.clock(), external_id, revision=revision)
        found = self.source.translate(raw)
        assert isinstance(found, Translated), "a post that calls us is a signal"
        return found.signals[0], raw

    def answer(self, payload: bytes, text: str = "We are on it.") -> Reply:
        """An agent's answer, as the engine gives it for its first attempt."""
        signal, raw = self.heard(payload)
        found = self.source.translate(raw)
        assert isinstance(found, Translated)
        author = next((one for one in found.authors if one.key == signal.author_key), None)
        self.replies += 1
        key = idempotency_key("sources/test", "reply", signal.key, operation="reply", seq=self.replies)
        return Reply(key, text, signal, author, raw, agent="Kim")

    def again(self, reply: Reply, *, after: timedelta = timedelta(seconds=5)) -> Reply:
        """The next attempt."""
        first = reply.first_sent_at or self.clock()
        self.clock.advance(after.total_seconds())
        return msgspec.structs.replace(reply, attempt=reply.attempt + 1, first_sent_at=first)

    def send(self, reply: Reply) -> RemoteRef:
        """Post it; no error tells a secret."""
        try:
            return self.source.reply(self.ctx, reply)
        except ConnectorError as error:
            secrets = [one.get_secret_value() for _, one in self.source.options if isinstance(one, SecretStr)]
            told = f"{error} {error.code} {msgspec.json.encode(error.details).decode()}"
            assert not any(secret in told for secret in secrets), "an error tells a secret"
            raise

    def ids(self) -> list[str]:
        """The native ids of what our account has posted."""
        return [self.heard(payload)[0].native_id for payload in self.town.answers()]


class ReplyContract:
    """Subclass it with `source`, `options` and `town`; `longest_seconds` is how long a lost answer is waited for."""

    source: ClassVar[type[Source[Any]]]

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        """Options of a connection to the town at `url`."""
        raise TypeError(f"a reply contract needs options for {url}")

    @classmethod
    def town(cls, clock: FakeClock) -> AbstractContextManager[Town]:
        """A fresh town, which goes by this clock."""
        raise TypeError(f"a reply contract needs a town (its clock stands at {clock()})")

    @contextmanager
    def play(self) -> Iterator[Outlet]:
        """A source, and a town with nobody's post in it."""
        clock = FakeClock()
        with self.town(clock) as town, open_guard(allow_private=True, sleep=clock.sleep) as guard:
            source = self.source(self.source.Options.model_validate(dict(self.options(town.url))))
            ctx = context(HastyHttp(guard, _SECONDS), clock=clock, state=MemoryState())
            yield Outlet(source, town, ctx, clock)

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
        """A second attempt gives the first one's post."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            first = outlet.send(reply)
            assert outlet.send(outlet.again(reply)) == first
            assert outlet.ids() == [first.id]

    def test_two_answers_are_two_posts(self) -> None:
        """Another key, another post, though the words are the same."""
        with self.play() as outlet:
            payload = outlet.town.call_us("help")
            first = outlet.send(outlet.answer(payload))
            second = outlet.send(outlet.answer(payload))
            assert first.id != second.id
            assert outlet.ids() == [first.id, second.id]

    def test_after_a_lost_answer_there_is_one_post(self) -> None:
        """The network did it, nobody heard: the engine's way out of the doubt doubles nothing."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            outlet.town.trouble(Trouble.LOST)
            with pytest.raises((Uncertain, Retryable)):
                outlet.send(reply)
            assert [self._resolved(outlet, reply).id] == outlet.ids()

    def test_after_a_broken_connection_there_is_one_post(self) -> None:
        """The network did nothing: the way out of the doubt posts it."""
        with self.play() as outlet:
            reply = outlet.answer(outlet.town.call_us("help"))
            outlet.town.trouble(Trouble.CUT)
            with pytest.raises((Uncertain, Retryable)):
                outlet.send(reply)
            assert [self._resolved(outlet, reply).id] == outlet.ids()

    def test_after_the_networks_memory_a_post_is_found_again(self) -> None:
        """Where a key is kept for a while only, and a day has passed."""
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

    def _resolved(self, outlet: Outlet, reply: Reply) -> RemoteRef:
        """What the engine does in doubt: look it up, or send the same again."""
        kind = self.source.reply_idempotency
        after = kind.lag if isinstance(kind, Lookup) else timedelta(seconds=5)
        again = outlet.again(reply, after=after)
        if isinstance(kind, Lookup) and (found := outlet.source.find_reply(outlet.ctx, again)):
            return found
        assert isinstance(kind, Upsert | Native | Lookup), "nobody can tell what became of it"
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
            except LookupError:  # a network where everything is public
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
            outlet.town.suspend(payload)
            assert list(outlet.source.recheck(outlet.ctx, [outlet.heard(payload)[0]])) == []

    def test_a_network_that_is_down_has_lost_nothing(self) -> None:
        """No tombstone, and perhaps an error that is tried again."""
        with self.play() as outlet:
            signal, _ = outlet.heard(outlet.town.call_us("help"))
            outlet.town.go_down()
            with suppress(Retryable):
                assert list(outlet.source.recheck(outlet.ctx, [signal])) == []
