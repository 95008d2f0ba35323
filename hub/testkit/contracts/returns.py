"""The contract of a destination that also goes the way back: inbound changes, notes for agents, tombstones.

Subclass it in the place of `DestinationContract`: it is that, and more. What a destination has no capability for is not
tested.

class TestDeskContract(ReturnsContract):
    destination = DeskDestination
    samples = (Sample("ticket", "create", ticket), Sample("ticket", "comment", comment))
    told = (Told("a public answer", b'{"reply": "hello"}', (("reply", "hello"),)),)

    @classmethod
    def options(cls, url): return {"base_url": url, "token": "sandbox-token", "webhook_secret": "s"}

    def sign(self, body, at): return Request("POST", "https://hub.example/in/desk", {"x-mac": mac(body)}, body, at)
    def ticket(self, stage): ...         # a record that notes can be added to
    def said(self, stage, ticket): ...   # what stands in it, in the sandbox
    def words(self, sample, number): ... # what must be gone after the tombstone of record `number`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

import msgspec
import pytest

from hub.core.errors import Rejected, Retryable, TranslationError, Uncertain
from hub.core.keys import idempotency_key
from hub.core.model import Change, Delivery, RemoteRef, Unread
from hub.sdk.connectors import Destination, Outcome, Request
from hub.testkit.contracts.destination import DestinationContract
from hub.testkit.contracts.hostile import PAYLOADS, mutations
from hub.testkit.contracts.stage import Sample, Stage
from hub.testkit.fakes import START, FakeClock

Test = TypeVar("Test", bound=Callable[..., None])
NOTE = "Posted on Mastodon: https://example.social/@us/1"


@dataclass(frozen=True)
class Told:
    """A body that the vendor sends, and what it says: the kind of each change with its text or value."""

    name: str
    body: bytes
    changes: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Said:
    """Something that stands in a ticket."""

    text: str
    is_public: bool


def asks(*capabilities: str) -> Callable[[Test], Test]:
    """A test of destinations that have one of these capabilities."""

    def mark(test: Test) -> Test:
        test.asks = frozenset(capabilities)  # type: ignore[attr-defined]  # read below
        return test

    return mark


class ReturnsContract(DestinationContract):
    """Subclass it with what `DestinationContract` wants, and the parts that its capabilities call for."""

    told: ClassVar[Sequence[Told]] = ()
    tolerance: ClassVar[timedelta | None] = timedelta(minutes=5)
    secrets: ClassVar[frozenset[str]] = frozenset({"webhook_secret"})
    note_write: ClassVar[Mapping[str, str]] = {"method": "POST"}

    def __init_subclass__(cls, **more: Any) -> None:
        """Leave out the tests of what the destination has no capability for: a skip would look like something to mend."""
        super().__init_subclass__(**more)
        known = getattr(cls, "destination", None)
        for name in dir(cls) if known else ():
            asked = getattr(getattr(cls, name), "asks", None)
            if asked is not None and known is not None and not asked & known.capabilities:
                setattr(cls, name, None)
        if cls.tolerance is None:
            cls.test_a_request_out_of_its_time_is_not_genuine = None  # type: ignore[assignment,method-assign]  # it signs no time

    def sign(self, body: bytes, at: datetime) -> Request:
        """A request as the vendor would sign it with the secret of `options`, sent and received at `at`."""
        raise TypeError(f"the contract of inbound calls needs a signed request ({len(body)} bytes, {at})")

    def ticket(self, stage: Stage) -> RemoteRef:
        """A record that notes can be added to, made on this stage."""
        raise TypeError(f"the contract of notes needs a ticket on {stage}")

    def said(self, stage: Stage, ticket: RemoteRef) -> Sequence[Said]:
        """What stands in a ticket, read from the sandbox."""
        raise TypeError(f"the contract of notes needs to read {ticket} on {stage}")

    def words(self, sample: Sample, number: int) -> Sequence[str]:
        """What was written of record `number` and must be nowhere after its tombstone; the records' words differ."""
        raise TypeError(f"the contract of tombstones needs the words of {sample.name} {number}")

    def kept(self, stage: Stage) -> str:
        """All that a reader can find in the sandbox, histories too: its collections that do not begin with "_"."""
        store = stage.sandbox.store
        return json.dumps([store.all(name) for name in store.names() if not name.startswith("_")], ensure_ascii=False)

    # ---------------------------------------------------------------------------------------------------------- inbound

    @asks("inbound")
    def test_a_signed_request_is_genuine(self) -> None:
        """Whatever its body, an empty one too."""
        for body in (b"", "café 😀 {}".encode(), *(one.body for one in self.told)):
            assert self._inbound().verify(self.sign(body, START))

    @asks("inbound")
    def test_a_request_that_was_changed_is_not_genuine(self) -> None:
        """One byte more, another byte, no headers at all."""
        destination, request = self._inbound(), self.sign(b'{"a": 1}', START)
        for changed in (b'{"a": 1} ', b'{"a": 2}', b""):
            assert not destination.verify(replace(request, body=changed))
        assert not destination.verify(replace(request, headers={}))

    @asks("inbound")
    def test_no_header_may_be_anything_but_what_was_sent(self) -> None:
        """Each header that makes a request genuine is needed, in each of its letters."""
        destination, request = self._inbound(), self.sign(b'{"a": 1}', START)
        for name, value in request.headers.items():
            without = {key: kept for key, kept in request.headers.items() if key != name}
            if destination.verify(replace(request, headers=without)):
                continue  # a header of no weight
            for other in ("", value[:-1], "\u00e9" + value[1:], value + value):
                assert not destination.verify(replace(request, headers={**without, name: other})), name

    @asks("inbound")
    @pytest.mark.parametrize("sign", [-1, 1], ids=["old", "early"])
    def test_a_request_out_of_its_time_is_not_genuine(self, sign: int) -> None:
        """A replay, or a clock that is set ahead."""
        destination, request = self._inbound(), self.sign(b"{}", START)
        assert self.tolerance is not None
        for seconds, expected in ((-1, True), (1, False)):
            away = self.tolerance + timedelta(seconds=seconds)
            assert destination.verify(replace(request, received_at=START - sign * away)) is expected

    @asks("inbound")
    def test_without_a_secret_nothing_is_genuine(self) -> None:
        """An admin who has not set it has opened no door."""
        given = {name: value for name, value in self.given_options().items() if name not in self.secrets}
        try:
            bare = self.destination.Options.model_validate(given)
        except ValueError:
            return  # it cannot be without
        assert not self.make(bare, FakeClock()).verify(self.sign(b"{}", START))

    @asks("inbound")
    def test_bodies_say_what_they_say(self) -> None:
        """Kinds, texts and values; a private word is never a reply."""
        destination = self._inbound()
        assert self.told, "show bodies that this vendor sends"
        found = {one.name: [(c.kind, c.text or c.value) for c in read(destination, one.body)] for one in self.told}
        assert found == {one.name: list(one.changes) for one in self.told}

    @asks("inbound")
    def test_changes_name_their_record_and_their_event(self) -> None:
        """The same each time, and no two alike: the hub handles each once."""
        destination = self._inbound()
        changes = [change for one in self.told for change in read(destination, one.body)]
        again = [change for one in self.told for change in read(destination, one.body)]
        assert changes == again
        assert all(change.remote_id and change.event_id for change in changes)
        assert len({change.event_id for change in changes}) == len(changes)
        assert all(change.at is None or change.at.tzinfo is not None for change in changes)

    @asks("inbound")
    def test_a_hostile_body_ends_in_a_translation_error_or_in_changes(self) -> None:
        """Nothing else escapes, however the body is broken."""
        destination = self._inbound()
        for name, body in (*PAYLOADS, *(case for one in self.told for case in mutations(one.body))):
            try:
                found = destination.parse(body)
            except TranslationError:
                continue
            for one in found:
                if isinstance(one, Unread):  # kept by itself, where it fails by itself
                    with pytest.raises(TranslationError):
                        destination.parse(one.payload)
                else:
                    assert isinstance(one, Change), name
                    assert one.remote_id, name

    @asks("inbound")
    def test_a_stored_request_is_acknowledged(self) -> None:
        """With a content type and bytes."""
        kind, body = self._inbound().acknowledge(self.sign(b"{}", START))
        assert kind
        assert isinstance(body, bytes)

    @asks("inbound", "changes")
    def test_we_know_who_we_are_there(self) -> None:
        """So that what we do ourselves is no change when it comes back."""
        with self.play() as stage:
            assert stage.destination.whoami(stage.ctx)

    # ------------------------------------------------------------------------------------------------------------ notes

    @asks("note")
    def test_a_note_is_for_agents_only(self) -> None:
        """It stands in the ticket, and never in public."""
        with self._noting() as (stage, ticket):
            outcome = stage.send([_note(stage, ticket)])[1]
            assert outcome.error is None
            assert [one.is_public for one in self.said(stage, ticket) if NOTE in one.text] == [False]

    @asks("note")
    def test_a_note_that_is_sent_again_stands_once(self) -> None:
        """The engine may ask twice."""
        with self._noting() as (stage, ticket):
            note = _note(stage, ticket)
            stage.send([note])
            assert stage.resolve(note, None).error is None
            assert self._count(stage, ticket) == 1

    @asks("note")
    def test_a_note_whose_answer_was_lost_stands_once(self) -> None:
        """It was written and no answer came."""
        with self._noting() as (stage, ticket):
            note = _note(stage, ticket)
            stage.sandbox.faults.set([{"match": self.note_write, "times": 1, "reset_after": True}])
            error = stage.send([note])[1].error
            assert isinstance(error, Uncertain)
            assert stage.resolve(note, error).error is None
            assert self._count(stage, ticket) == 1

    @asks("note")
    def test_a_note_without_a_ticket_is_rejected(self) -> None:
        """Nobody would read it."""
        with self._noting() as (stage, ticket):
            note = msgspec.structs.replace(_note(stage, ticket), parents={})
            assert isinstance(stage.send([note])[1].error, Rejected)

    # ------------------------------------------------------------------------------------------------------- tombstones

    @asks("tombstone")
    def test_after_a_tombstone_no_word_is_left(self, sample: Sample) -> None:
        """Not in records, not in comments, not in histories; what others said stays."""
        with self._erasing(sample) as (stage, tombstone):
            written = {number: self._left(stage, sample, number) for number in (1, 2)}
            outcome = stage.send([tombstone])[tombstone.id]
            assert outcome.error is None
            assert written == {number: list(self.words(sample, number)) for number in (1, 2)}
            assert self._left(stage, sample, 1) == []
            assert self._left(stage, sample, 2) == written[2]

    @asks("tombstone")
    def test_a_tombstone_that_is_sent_again_is_delivered(self, sample: Sample) -> None:
        """What is gone is gone."""
        with self._erasing(sample) as (stage, tombstone):
            stage.send([tombstone])
            assert stage.resolve(tombstone, None).error is None

    @asks("tombstone")
    def test_a_tombstone_that_met_a_broken_server_is_done_later(self, sample: Sample) -> None:
        """It is no doubt that nobody can settle, and nothing is taken for done."""
        with self._erasing(sample) as (stage, tombstone):
            stage.sandbox.faults.set([{"status": 503}])
            error = stage.send([tombstone])[tombstone.id].error
            assert isinstance(error, Retryable | Uncertain)
            stage.sandbox.faults.set([])
            assert stage.resolve(tombstone, error).error is None
            assert self._left(stage, sample, 1) == []

    # ---------------------------------------------------------------------------------------------------------- details

    def _inbound(self) -> Destination[Any]:
        return self.make(self.destination.Options.model_validate(self.given_options()), FakeClock())

    @contextmanager
    def _noting(self) -> Iterator[tuple[Stage, RemoteRef]]:
        """A stage with a ticket that takes notes."""
        with self.play() as stage:
            yield stage, self.ticket(stage)

    @contextmanager
    def _erasing(self, sample: Sample) -> Iterator[tuple[Stage, Delivery]]:
        """A stage with records 1 and 2 of a sample, and the tombstone of the first."""
        with self.play(sample) as stage:
            batch = stage.deliveries(sample, 2)
            outcomes = stage.send(batch)
            yield stage, _tombstone(batch[0], outcomes[batch[0].id])

    def _left(self, stage: Stage, sample: Sample, number: int) -> list[str]:
        """The words of a record that a reader can still find."""
        kept = self.kept(stage)
        return [word for word in self.words(sample, number) if word in kept]

    def _count(self, stage: Stage, ticket: RemoteRef) -> int:
        return sum(NOTE in one.text for one in self.said(stage, ticket))


def read(destination: Destination[Any], body: bytes) -> list[Change]:
    """The changes in a body that can be read as a whole."""
    found = [*destination.parse(body)]
    assert not [one for one in found if isinstance(one, Unread)]
    return [one for one in found if isinstance(one, Change)]


def _note(stage: Stage, ticket: RemoteRef) -> Delivery:
    """A note as the engine plans it."""
    name = stage.destination.name
    key = idempotency_key(name, "ticket", "note", operation="note", seq=1)
    fields = {"text": NOTE}
    parents = {"conversation": ticket}
    return Delivery(1, name, "ticket", "mastodon:note", "note", 1, key, fields, parents=parents)


def _tombstone(made: Delivery, outcome: Outcome) -> Delivery:
    """What the engine plans once the post is gone: the same record, by its own reference."""
    assert outcome.error is None, f"the record to erase was not written: {outcome.error}"
    key = idempotency_key(made.destination, made.object, made.record_key, operation="tombstone", seq=1)
    fields = {"operation": made.operation}
    return msgspec.structs.replace(
        made, id=made.id + 1000, operation="tombstone", key=key, fields=fields, ref=outcome.ref
    )
