"""The contract of a desk: a conversation is a ticket, what is said further stands in it, notes are for agents only.

Subclass it in the place of `DestinationContract`: it is that, and more.

class TestDesk(DeskContract):
    destination = DeskDestination
    samples = (Sample("ticket", "create", ticket), Sample("ticket", "comment", comment))

    @classmethod
    def options(cls, url): return {"base_url": url, "token": "sandbox-token"}

    def ticket(self, stage, number=1): ...   # a record that notes can be added to; another number, another ticket
    def said(self, stage, ticket): ...       # what stands in it, oldest first, read from the sandbox
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from hub.core.errors import Rejected, Uncertain
from hub.core.keys import idempotency_key
from hub.core.model import Delivery, RemoteRef
from hub.testkit.contracts.destination import DestinationContract
from hub.testkit.contracts.means.optional import asks
from hub.testkit.contracts.stage import Sample, Stage

NOTE = "Posted on Mastodon: https://example.social/@us/1"


@dataclass(frozen=True)
class Said:
    """Something that stands in a ticket."""

    text: str
    is_public: bool


class DeskContract(DestinationContract):
    """Subclass it with what `DestinationContract` wants, `ticket` and `said`; what it has no capability for is left out.

    `note_write` matches the calls that write a note.
    """

    note_write: ClassVar[Mapping[str, str]] = {"method": "POST"}

    @classmethod
    def abilities(cls) -> frozenset[str]:
        """Return the capabilities, and "comment" if a sample is one and `said` reads it."""
        comments = any(sample.operation == "comment" for sample in getattr(cls, "samples", ()))
        reads = comments and cls.said is not DeskContract.said
        return super().abilities() | (frozenset({"comment"}) if reads else frozenset())

    def ticket(self, stage: Stage) -> RemoteRef:
        """Make a record that notes can be added to on this stage; take a `number` if several can be made."""
        raise TypeError(f"the contract of notes needs a ticket on {stage}")

    def said(self, stage: Stage, ticket: RemoteRef) -> Sequence[Said]:
        """Return what stands in a ticket, read from the sandbox."""
        raise TypeError(f"the contract of notes needs to read {ticket} on {stage}")

    # --------------------------------------------------------------------------------------------------------- comments

    @asks("comment")
    def test_a_comment_stands_in_its_own_ticket_and_in_public(self) -> None:
        """Never in another customer's, and where the requester can read it."""
        with self.play() as stage:
            tickets = self._tickets(stage)
            (comment,) = self._comments(stage, tickets[-1], 1)
            assert stage.send([comment])[comment.id].error is None
            here, elsewhere = (self._places(stage, ticket, comment) for ticket in (tickets[-1], tickets[0]))
            assert here == [True], f"in its ticket it stands {len(here)} times in public: {here}"
            assert elsewhere == [] or len(tickets) == 1, "a comment stands in another ticket"

    @asks("comment")
    def test_a_comment_without_a_ticket_is_rejected(self) -> None:
        """It opens no ticket of its own, and goes to no other."""
        with self.play() as stage:
            ticket = self._tickets(stage)[0]
            (comment,) = self._comments(stage, ticket, 1)
            stage.sandbox.journal.clear()
            lost = msgspec.structs.replace(comment, parents={})
            error = stage.send([lost])[lost.id].error
            assert isinstance(error, Rejected), f"a comment that belongs to no ticket is {error!r}"
            assert stage.sandbox.journal.entries == [], "a comment that belongs to no ticket was written"

    @asks("comment")
    def test_comments_of_a_ticket_keep_their_order(self) -> None:
        """Also where one of them fails for a while: none overtakes it."""
        with self.play() as stage:
            ticket = self._tickets(stage)[0]
            comments = self._comments(stage, ticket, 3)
            sample = self._comment()
            stage.sandbox.faults.set([{"match": sample.write, "after": 1, "times": 1, "status": 503}])
            outcomes = stage.send(comments)
            stage.sandbox.faults.set([])
            for item in comments:
                if error := outcomes[item.id].error:
                    assert stage.resolve(item, error).error is None
            order = [self._place(stage, ticket, item) for item in comments]
            assert order == sorted(order), f"comments 1, 2, 3 stand in the places {order}: a failed one was overtaken"

    def _comment(self) -> Sample:
        return next(sample for sample in self.samples if sample.operation == "comment")

    def _tickets(self, stage: Stage) -> list[RemoteRef]:
        """Make two tickets if the author can, else one."""
        if "number" not in inspect.signature(self.ticket).parameters:
            return [self.ticket(stage)]
        made: Any = self.ticket
        return [made(stage, number=number) for number in (1, 2)]

    def _comments(self, stage: Stage, ticket: RemoteRef, count: int) -> list[Delivery]:
        made = stage.deliveries(self._comment(), count)
        return [msgspec.structs.replace(item, parents={"conversation": ticket}) for item in made]

    def _places(self, stage: Stage, ticket: RemoteRef, item: Delivery) -> list[bool]:
        """Return the places of a comment's words in a ticket: True for each that is public."""
        words = max(_texts(item.fields), key=lambda text: (" " in text, len(text)))
        return [one.is_public for one in self.said(stage, ticket) if words in one.text]

    def _place(self, stage: Stage, ticket: RemoteRef, item: Delivery) -> int:
        words = max(_texts(item.fields), key=lambda text: (" " in text, len(text)))
        return next((place for place, one in enumerate(self.said(stage, ticket)) if words in one.text), -1)

    # ------------------------------------------------------------------------------------------------------------ notes

    @asks("note")
    def test_a_note_is_for_agents_only(self) -> None:
        """It stands in the ticket, and never in public."""
        with self._noting() as (stage, ticket):
            outcome = stage.send([_note(stage, ticket)])[1]
            assert outcome.error is None
            assert [one.is_public for one in self.said(stage, ticket) if NOTE in one.text] == [False]

    @asks("note")
    def test_a_note_stands_in_its_own_ticket(self) -> None:
        """And in no other: agents of another customer would read it."""
        with self.play() as stage:
            tickets = self._tickets(stage)
            stage.send([_note(stage, tickets[-1])])
            others = [one for one in tickets if one.id != tickets[-1].id]
            assert self._count(stage, tickets[-1]) == 1, "the note is not in its ticket"
            assert not any(self._count(stage, one) for one in others), "the note stands in another ticket"

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
        """No person would read it."""
        with self._noting() as (stage, ticket):
            note = msgspec.structs.replace(_note(stage, ticket), parents={})
            assert isinstance(stage.send([note])[1].error, Rejected)

    # ---------------------------------------------------------------------------------------------------------- details

    @contextmanager
    def _noting(self) -> Iterator[tuple[Stage, RemoteRef]]:
        """Give a stage with a ticket that takes notes."""
        with self.play() as stage:
            yield stage, self.ticket(stage)

    def _count(self, stage: Stage, ticket: RemoteRef) -> int:
        return sum(NOTE in one.text for one in self.said(stage, ticket))


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def _note(stage: Stage, ticket: RemoteRef) -> Delivery:
    """Return a note as the engine plans it."""
    name = stage.destination.name
    key = idempotency_key(name, "ticket", "note", operation="note", seq=1)
    fields = {"text": NOTE}
    parents = {"conversation": ticket}
    return Delivery(1, name, "ticket", "mastodon:note", "note", 1, key, fields, parents=parents)
