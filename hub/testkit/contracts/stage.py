"""The stage of a destination's contract: a sandbox, a guard, a clock, and the engine's part played by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.core.errors import ConnectorError, Uncertain
from hub.core.keys import idempotency_key, signal_key
from hub.core.model import Delivery, RemoteRef
from hub.sdk.connectors import Context, Destination, Http, HttpResponse, Lookup, NoIdempotency, Outcome
from hub.sdk.context import RelayHttp
from hub.sdk.http import Guard, open_guard
from hub.testkit.contracts.means.witness import Witness, secrets_of, spilt
from hub.testkit.fakes import FakeClock, FaultyHttp, MemoryState, context
from hub.testkit.sandbox import Sandbox

_MADE = frozenset(("create", "ticket", "comment", "event", "record"))


@dataclass(frozen=True)
class Sample:
    """A kind of write: `fields(n)` are those of record n.

    `write` matches the calls that write (a fault's `match`), `partial` is a fault that fails one item of three; the defaults
    suit a batch call that posts. `marks` are the kinds of journal entries that count as a record made.
    """

    object: str
    operation: str
    fields: Callable[[int], Mapping[str, Any]]
    key_field: str = ""
    write: Mapping[str, str] = field(default_factory=lambda: {"method": "POST"})
    partial: Mapping[str, Any] = field(default_factory=lambda: {"partial": [1]})
    marks: frozenset[str] = _MADE

    @property
    def name(self) -> str:
        """As the test's id shows it."""
        return f"{self.operation} {self.object}"


class HastyHttp(RelayHttp):
    """A guard that gives every call little time, so that a stalled server is met in a moment; counts calls.

    After `most` calls it answers none any more, at once: who asks without end is found out soon.
    """

    def __init__(self, http: Http, seconds: float, *, most: int = 1_000) -> None:
        super().__init__(http)
        self._seconds = seconds
        self._most = most
        self.calls = 0

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Send with the shorter of both times."""
        self.calls += 1
        if self.calls > self._most:
            raise Uncertain(f"no answer to {self._most} calls; this one is not sent")
        wait = min(timeout or self._seconds, self._seconds)
        return super().send(method, url, headers=headers, content=content, timeout=wait)


class Stage:
    """A destination, its sandbox and what the engine lends it.

    `line` is its way to the sandbox and remembers every request; `seen` is the witness of what it does beside, where one
    watches; `make` makes the destination once more.
    """

    def __init__(
        self,
        destination: Destination[Any],
        sandbox: Sandbox,
        clock: FakeClock,
        *,
        make: Callable[[], Destination[Any]] | None = None,
        seen: Witness | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.destination = destination
        self.seen = seen or Witness()
        self._make = make or (lambda: destination)
        self.guard: Guard = open_guard(destination.egress(), allow_private=True, clock=self._seconds, sleep=clock.sleep)
        self.line = FaultyHttp(self.guard, most=20_000)
        self.ctx: Context = context(self.line, clock=clock, state=MemoryState(), connection="contract")
        self.parents: Mapping[str, RemoteRef] = {}

    @property
    def secrets(self) -> list[str]:
        """The secrets of the options, and the credentials that were sent: minted tokens, and passwords in Base64."""
        sent = (one.headers.get("authorization", "").rpartition(" ")[2] for one in self.line.requests)
        return list(dict.fromkeys([*secrets_of(self.destination.options), *(one for one in sent if len(one) > 7)]))

    def _seconds(self) -> float:
        return self.clock.at.timestamp()

    def restart(self) -> None:
        """Begin in another process: what the destination kept in itself is gone, the connection's memory stays."""
        self.destination = self._make()

    def deliveries(self, sample: Sample, count: int, *, first: int = 1) -> list[Delivery]:
        """Return `count` deliveries of a sample, as the ledger would give them."""
        return [self._delivery(sample, number) for number in range(first, first + count)]

    def _delivery(self, sample: Sample, number: int) -> Delivery:
        name, key = self.destination.name, signal_key("mastodon", f"{sample.name} {number}")
        return Delivery(
            id=number,
            destination=name,
            object=sample.object,
            record_key=key,
            operation=sample.operation,
            seq=1,
            key=idempotency_key(name, sample.object, key, operation=sample.operation, seq=1),
            fields=sample.fields(number),
            key_field=sample.key_field,
            signal_key=key,
            parents=self.parents,
        )

    def later(
        self, item: Delivery, fields: Mapping[str, Any], *, ref: RemoteRef | None = None, id_: int = 500
    ) -> Delivery:
        """Return the next delivery of the same record, with other fields."""
        key = idempotency_key(
            item.destination, item.object, item.record_key, operation=item.operation, seq=item.seq + 1
        )
        return msgspec.structs.replace(item, id=item.id + id_, seq=item.seq + 1, key=key, fields=fields, ref=ref)

    def send(self, batch: Sequence[Delivery], *, over: Http | None = None) -> dict[int, Outcome]:
        """Deliver in batches of the destination's size; checks that each item has one outcome, and no error a secret."""
        ctx = self.ctx if over is None else context(over, clock=self.clock, state=self.ctx.state)
        size = self.destination.batch_size_of(batch[0].object, batch[0].operation)
        before = copy.deepcopy(list(batch))
        outcomes = [one for start in range(0, len(batch), size) for one in self._send(ctx, batch[start : start + size])]
        assert list(batch) == before, "deliver changed what it was given: the ledger's own record of what was sent"
        told = sorted(one.delivery_id for one in outcomes)
        assert told == sorted(item.id for item in batch), (
            f"outcomes for {told}, deliveries {sorted(item.id for item in batch)}: one outcome an item, by its id; an item "
            "without one would be in doubt for ever"
        )
        for one in outcomes:
            self._assert_sound(one)
        return {one.delivery_id: one for one in outcomes}

    def _send(self, ctx: Context, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """Make one call; an error that is raised counts for each item, as in the engine."""
        try:
            outcomes = self.destination.deliver(ctx, batch)
        except ConnectorError as error:
            return [Outcome.failed(item, error) for item in batch]
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(
                f"deliver lets a bug out ({type(error).__name__}: {error}): what it had not told of is in doubt. Give "
                "Outcome.failed with a ConnectorError; Uncertain for an answer that cannot be read"
            ) from error
        assert isinstance(outcomes, list | tuple), f"deliver gives {type(outcomes).__name__}, the engine wants a list"
        assert all(isinstance(one, Outcome) for one in outcomes), "deliver gives what is no Outcome"
        return outcomes

    def _assert_sound(self, one: Outcome) -> None:
        """Check for a reference or an error; a reference names something; nothing tells a secret."""
        assert (one.error is None) or one.ref is None, "an outcome is a reference or an error"
        assert one.error is None or isinstance(one.error, ConnectorError), f"{one.error!r} is no ConnectorError"
        for ref in (one.ref, *one.moved.values()):
            assert ref is None or (isinstance(ref.id, str) and ref.id.strip() not in ("", "None")), (
                f"the reference {ref!r} names nothing: what the vendor did not name is no proof, so Uncertain"
            )
            assert ref is None or ref.url is None or ref.url.startswith(("https://", "http://")), (
                f"{ref} has no web address"
            )
        self.assert_no_secrets(one.error)
        assert not spilt(self.secrets, one.response or ""), "an outcome's response tells a secret"

    def assert_no_secrets(self, error: ConnectorError | None) -> None:
        """Check both the message and the details, which go into the attempt's record."""
        if error is not None:
            told = f"{error} {error.code} {msgspec.json.encode(error.details).decode()} {error.__cause__!r}"
            assert not spilt(self.secrets, told, vars(error)), "an error tells a secret, itself or by its cause"

    def made(self, sample: Sample) -> int:
        """Return how many records the sandbox has made, by its journal."""
        return sum(entry.kind in sample.marks for entry in self.sandbox.journal.entries)

    def kept(self) -> str:
        """Return all that the sandbox holds as text."""
        store = self.sandbox.store
        shown = [store.all(name) for name in store.names()]
        return msgspec.json.encode(shown, enc_hook=str).decode()

    def resolve(self, item: Delivery, error: ConnectorError | None) -> Outcome:
        """Do what the engine does next: after a doubt look it up if it can be found, else send the same again."""
        kind = self.destination.idempotency_of(item.object, item.operation)
        again = msgspec.structs.replace(item, attempt=2, first_sent_at=self.clock.at)
        if isinstance(kind, Lookup) and (error is None or isinstance(error, Uncertain)):
            self.clock.advance(kind.lag.total_seconds() + 1)
            found = self.destination.lookup(self.ctx, again)
            if found is not None:
                return Outcome.delivered(again, found)
        assert not isinstance(kind, NoIdempotency), (
            f"it is in doubt what became of it: {error}. Declare Upsert, Native or Lookup for what can be sent or found again"
        )
        return self.send([again])[item.id]
