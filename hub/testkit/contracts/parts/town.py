"""A network just large enough to be answered, and a source that answers there with the engine's part played by hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, ClassVar

import msgspec

from hub.core.errors import ConnectorError
from hub.core.keys import idempotency_key
from hub.core.model import RawItem, RemoteRef, Reply, Signal, Translated
from hub.sdk.connectors import Context, Source
from hub.sdk.http import open_guard
from hub.testkit.contracts.means.witness import Witness, secrets_of, spilt, watching
from hub.testkit.contracts.stage import HastyHttp
from hub.testkit.fakes import FakeClock, FaultyHttp, MemoryState, context

_SECONDS = 5.0


class Trouble(Enum):
    """What the next post of ours meets."""

    LOST = "it is done, and the connection breaks before the answer"
    CUT = "nothing is done, and the connection breaks"
    REVOKED = "the account's credentials are refused"
    LIMIT = "too many posts: wait 30 seconds"
    REFUSED = "the network does not like the text"


class Town(ABC):
    """A network just large enough: a person calls us, and we may answer. `url` is its address."""

    url: str

    @abstractmethod
    def call_us(self, text: str, *, private: bool = False) -> bytes:
        """Let a person call our account; return the payload as the source would get it.

        `private`: for us alone. Raises LookupError if everything is public there.
        """

    def call_below(self, payload: bytes, text: str) -> bytes:
        """Let another person answer this post and call us there; return the answer's payload, if this source reads such."""
        raise LookupError(f"no one answers {payload!r} with {text!r}")

    def below(self, payload: bytes, text: str) -> bytes:
        """Let another person answer this post; return the answer's payload. LookupError if none can."""
        raise LookupError(f"no thread below {payload[:40]!r} for {text!r}")

    @abstractmethod
    def answers(self) -> Sequence[bytes]:
        """Return what our account has posted, each as the source would get it, oldest first."""

    @abstractmethod
    def delete(self, payload: bytes) -> None:
        """Let the author take a post back."""

    @abstractmethod
    def suspend(self, payload: bytes) -> None:
        """Hide the author's account for a while. Raises LookupError if the network shows no difference to a deletion."""

    @abstractmethod
    def go_down(self) -> None:
        """Fail every call from now on, on the network's side."""

    @abstractmethod
    def trouble(self, what: Trouble) -> None:
        """Let the next post of our account meet this."""


class ActTown(Town):
    """A network that shows what was done to its posts."""

    @abstractmethod
    def own(self, text: str) -> bytes:
        """Let our account say it; return the payload as the source would get it."""

    @abstractmethod
    def below(self, payload: bytes, text: str) -> bytes:
        """Let another person answer this post; return the answer's payload."""

    @abstractmethod
    def marks(self) -> Mapping[str, frozenset[str]]:
        """Return all posts that stand, by native id; "liked" by our account, "hidden" by it from readers of its thread."""


@dataclass
class Outlet:
    """A source, its town and the engine's part played by hand."""

    source: Source[Any]
    town: Town
    ctx: Context
    clock: FakeClock
    line: FaultyHttp
    seen: Witness
    replies: int = field(default=0)
    acts: int = field(default=0)

    def restart(self) -> None:
        """Begin in another process: what the source kept in itself is gone."""
        self.source = type(self.source)(self.source.options)

    def heard(self, payload: bytes) -> tuple[Signal, RawItem]:
        """Return the signal of a payload, with its raw item."""
        external_id, revision = self.source.identify(payload)
        raw = RawItem(self.ctx.connection, self.source.name, payload, self.clock(), external_id, revision=revision)
        found = self.source.translate(raw)
        assert isinstance(found, Translated), "a post that calls us is a signal"
        return found.signals[0], raw

    def answer(self, payload: bytes, text: str = "We are on it.") -> Reply:
        """Return an agent's answer, as the engine gives it for its first attempt."""
        signal, raw = self.heard(payload)
        found = self.source.translate(raw)
        assert isinstance(found, Translated)
        author = next((one for one in found.authors if one.key == signal.author_key), None)
        self.replies += 1
        key = idempotency_key("sources/test", "reply", signal.key, operation="reply", seq=self.replies)
        return Reply(key, text, signal, author, raw, agent="Kim")

    def again(self, reply: Reply, *, after: timedelta = timedelta(seconds=5)) -> Reply:
        """Return the next attempt."""
        first = reply.first_sent_at or self.clock()
        self.clock.advance(after.total_seconds())
        return msgspec.structs.replace(reply, attempt=reply.attempt + 1, first_sent_at=first)

    def send(self, reply: Reply) -> RemoteRef:
        """Post it; no error tells a secret, and a reference names something."""
        try:
            return _sound(self.source.reply(self.ctx, reply))
        except ConnectorError as error:
            told = f"{error} {error.code} {msgspec.json.encode(error.details).decode()}"
            assert not spilt(secrets_of(self.source.options), told, vars(error)), "an error tells a secret"
            raise
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(
                f"reply lets a bug out ({type(error).__name__}: {error}): no one could tell whether it was posted. Raise "
                "Uncertain where it may have been"
            ) from error

    def ids(self) -> list[str]:
        """Return the native ids of what our account has posted."""
        return [self.heard(payload)[0].native_id for payload in self.town.answers()]


def _sound(ref: RemoteRef) -> RemoteRef:
    assert isinstance(ref, RemoteRef), f"reply gives {ref!r}, the engine wants a RemoteRef"
    assert isinstance(ref.id, str), f"{ref!r} names nothing: what the network did not name is no proof"
    assert ref.id.strip() not in ("", "None"), f"{ref!r} names nothing: what the network did not name is no proof"
    assert ref.url is None or ref.url.startswith(("https://", "http://")), f"{ref.url} is no web address"
    return ref


class TownSuite:
    """What all suites of a source in a town stand on: `source`, its `options`, and the `town`."""

    source: ClassVar[type[Source[Any]]]

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        """Return options of a connection to the town at `url`."""
        raise TypeError(f"the contract needs options for {url}")

    @classmethod
    def town(cls, clock: FakeClock) -> AbstractContextManager[Town]:
        """Give a fresh town, which goes by this clock."""
        raise TypeError(f"the contract needs a town (its clock stands at {clock()})")

    @contextmanager
    def play(self) -> Iterator[Outlet]:
        """Give a source, and a town without a post in it."""
        clock = FakeClock()
        with self.town(clock) as town, open_guard(allow_private=True, sleep=clock.sleep) as guard:
            source = self.source(self.source.Options.model_validate(dict(self.options(town.url))))
            line = FaultyHttp(HastyHttp(guard, _SECONDS))
            with watching(clock) as seen:
                ctx = context(line, clock=clock, state=MemoryState())
                yield Outlet(source, town, ctx, clock, line, seen)
